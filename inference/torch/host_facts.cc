#include "inference/torch/host_facts.h"

#ifdef SAM3_WITH_CUDA
#include <cuda_runtime_api.h>
#endif
#include <torch/headeronly/version.h>

#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "inference/torch/torch_engine.h"

namespace sam3 {

std::string TorchVersion() {
#ifdef SAM3_WITH_CUDA
  return absl::StrCat(TORCH_VERSION, " with CUDA ", CUDART_VERSION / 1000, ".",
                      CUDART_VERSION % 1000 / 10);
#else
  return absl::StrCat(TORCH_VERSION, " without CUDA");
#endif
}

std::string DeviceName(at::Device device) {
  if (device.is_cuda()) {
#ifdef SAM3_WITH_CUDA
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, device.index()) == cudaSuccess) {
      return properties.name;
    }
#endif
    return "";
  }
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const size_t colon = line.find(':');
    if (absl::StartsWith(line, "model name") && colon != std::string::npos) {
      return std::string(absl::StripAsciiWhitespace(
          absl::string_view(line).substr(colon + 1)));
    }
  }
  return "";
}

}  // namespace sam3
