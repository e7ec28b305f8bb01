#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "pipeline/resume_state.h"
#include "sam3/v1/stream.pb.h"
#include "service/keys/secret.h"

namespace sam3 {

// Makes what is left of a stream into bytes that its client carries to another
// server of the fleet, and takes them there. A token is signed with the fleet's
// secret (HMAC-SHA256); it says whose stream it was, of which model, and when
// it was made. It is not encrypted: its owner has seen all that is in it. It
// can be used more than once while it is valid.
//
// Threads: any; does not block.
class ResumeTokens {
 public:
  struct Options {
    // At least 32 bytes.
    Secret secret;
    // The exact model that is served.
    std::string model_fingerprint;
    // As old may a token be; clocks of the fleet may differ by as much.
    absl::Duration valid_for = absl::Seconds(60);
    // Beyond, the masks of the smallest objects become boxes.
    size_t max_bytes = 256 << 10;
  };

  // `clock` must outlive it.
  ResumeTokens(Options options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

  // Empty where even without masks the state is too large.
  std::string Issue(const ResumeState& state, absl::string_view key_id) const;

  // Reads the token of `config`, puts its prompts and task there, and returns
  // the rest; prompts in the state are left to whoever validates them.
  // INVALID_ARGUMENT when the configuration says more than goes with a token,
  // or, with RESUME_REJECTED as all others, for bytes that no server of the
  // fleet has signed; PERMISSION_DENIED when it is another key's, whatever else
  // is wrong with it; FAILED_PRECONDITION when it is too old or of another
  // model.
  absl::StatusOr<ResumeState> TakeOver(absl::string_view key_id,
                                       v1::StreamConfig* config) const;

 private:
  std::string Sign(absl::string_view payload) const;

  const Options options_;
  const Clock& clock_;
};

}  // namespace sam3
