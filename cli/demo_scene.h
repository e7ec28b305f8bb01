#pragma once

#include "inference/image.h"

namespace sam3 {

// A square picture of coloured shapes, as the embedded demo model knows them,
// `side` pixels wide, at a moment between 0 and 1 of a loop in which the shapes
// move. Pure; any thread.
Image DrawDemoScene(int side, double moment);

}  // namespace sam3
