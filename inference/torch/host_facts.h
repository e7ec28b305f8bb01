#pragma once

#include <string>

#include "inference/torch/aten.h"

namespace sam3 {

// The marketing name of the GPU or processor that a device is, for people;
// empty when the system does not tell. Asks the driver or reads a system file;
// any thread.
std::string DeviceName(at::Device device);

}  // namespace sam3
