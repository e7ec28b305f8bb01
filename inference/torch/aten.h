#pragma once

// The one door to libtorch's tensors. Precompiled, because it costs seconds
// per file.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
