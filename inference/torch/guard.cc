#include "inference/torch/guard.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "inference/torch/aten.h"

namespace sam3 {
namespace {

std::string FirstLine(absl::string_view text) {
  return std::string(*absl::StrSplit(text, absl::MaxSplits('\n', 1)).begin());
}

absl::Status FromError(const c10::Error& error) {
  const std::string what = FirstLine(error.what_without_backtrace());
  if (absl::StrContains(what, "out of memory") ||
      absl::StrContains(what, "can't allocate memory")) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the device is out of memory: ", what));
  }
  if (absl::StrContains(what, "CUDA error")) {
    return absl::UnavailableError(absl::StrCat("the device is lost: ", what));
  }
  return absl::InternalError(absl::StrCat("libtorch: ", what));
}

}  // namespace

absl::Status GuardTorch(absl::FunctionRef<absl::Status()> body) {
  try {
    const c10::InferenceMode inference_mode;
    return body();
  } catch (const c10::OutOfMemoryError& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the device is out of memory: ",
                     FirstLine(error.what_without_backtrace())));
  } catch (const c10::Error& error) {
    return FromError(error);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("the host is out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(
        absl::StrCat("inference failed: ", FirstLine(error.what())));
  }
}

}  // namespace sam3
