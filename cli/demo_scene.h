#pragma once

#include "inference/image.h"

namespace sam3 {

// A square picture of coloured shapes, as the embedded demo model knows them,
// `side` pixels wide. Pure; any thread.
Image DrawDemoScene(int side);

// A moment between 0 and 1 of a clip in which such shapes cross each other, and
// one goes behind another altogether and comes out again. Pure; any thread.
Image DrawDemoClip(int side, double moment);

}  // namespace sam3
