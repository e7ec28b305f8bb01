#include "service/resume_tokens.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "sam3/resume/v1/resume_token.pb.h"
#include "service/convert.h"
#include "service/grpc_status.h"

namespace sam3 {
namespace {

using resume::v1::ResumePayload;

// A token is the form's number, the signature, and the payload.
constexpr char kForm = 1;
constexpr size_t kSignatureBytes = 32;
constexpr size_t kHeaderBytes = 1 + kSignatureBytes;
constexpr absl::string_view kField = "config.resume_token";

absl::Status Rejected(absl::Status status) {
  return WithField(WithReason(std::move(status), reason::kResumeRejected),
                   kField);
}

v1::ObjectState StateOf(TrackPhase phase) {
  switch (phase) {
    case TrackPhase::kTentative:
      return v1::OBJECT_STATE_TENTATIVE;
    case TrackPhase::kLost:
      return v1::OBJECT_STATE_LOST;
    default:
      return v1::OBJECT_STATE_CONFIRMED;
  }
}

TrackPhase PhaseOf(v1::ObjectState state) {
  switch (state) {
    case v1::OBJECT_STATE_TENTATIVE:
      return TrackPhase::kTentative;
    case v1::OBJECT_STATE_LOST:
      return TrackPhase::kLost;
    default:
      return TrackPhase::kConfirmed;
  }
}

v1::ConceptPrompt PromptToProto(const ConceptPrompt& prompt) {
  v1::ConceptPrompt out;
  out.set_prompt_id(prompt.prompt_id);
  out.set_text(prompt.text);
  // It was taken once, however long it is.
  out.set_allow_truncation(true);
  if (prompt.score_threshold.has_value()) {
    out.set_score_threshold(*prompt.score_threshold);
  }
  for (const ExemplarBox& exemplar : prompt.exemplars) {
    auto* added = out.add_exemplars();
    *added->mutable_box() = ToProto(exemplar.box);
    added->mutable_box()->set_normalized(exemplar.normalized);
    added->set_label(exemplar.label == ExemplarLabel::kNegative
                         ? v1::Exemplar::LABEL_NEGATIVE
                         : v1::Exemplar::LABEL_POSITIVE);
  }
  return out;
}

void WriteObject(const ResumeObject& object,
                 ResumePayload::FollowedObject* out) {
  out->set_object_id(object.id);
  out->set_prompt_index(object.prompt);
  out->set_score(object.score);
  out->set_state(StateOf(object.phase));
  for (const float edge :
       {object.box.x0, object.box.y0, object.box.x1, object.box.y1}) {
    out->add_box(static_cast<int32_t>(edge));
  }
  out->set_mask_counts(object.mask_counts);
}

ResumeObject ReadObject(const ResumePayload::FollowedObject& object) {
  ResumeObject out{object.object_id(),
                   object.prompt_index(),
                   object.score(),
                   PhaseOf(object.state()),
                   {},
                   object.mask_counts()};
  if (object.box_size() == 4) {
    out.box = {
        static_cast<float>(object.box(0)), static_cast<float>(object.box(1)),
        static_cast<float>(object.box(2)), static_cast<float>(object.box(3))};
  }
  return out;
}

ResumeState ReadState(const ResumePayload& payload) {
  ResumeState state;
  state.next_object_id = payload.next_object_id();
  state.frames_before = payload.frames_before_count();
  state.mask_size = payload.mask_size_px();
  for (const auto& object : payload.objects()) {
    state.objects.push_back(ReadObject(object));
  }
  return state;
}

absl::Status CheckConfig(const v1::StreamConfig& config) {
  std::vector<FieldViolation> violations;
  if (!config.prompts().empty()) {
    violations.push_back(
        {"config.prompts", "must be empty: resume_token brings them"});
  }
  if (!config.objects().empty()) {
    violations.push_back(
        {"config.objects", "must be empty: resume_token brings prompts"});
  }
  if (config.task() == v1::StreamConfig::TASK_DETECT) {
    violations.push_back(
        {"config.task", "must be TASK_TRACK with resume_token"});
  }
  return violations.empty() ? absl::OkStatus() : InvalidRequest(violations);
}

}  // namespace

std::string ResumeTokens::Sign(absl::string_view payload) const {
  const std::string signed_part = absl::StrCat(std::string(1, kForm), payload);
  const std::string& secret = options_.secret.Reveal();
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const unsigned char* done =
      HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(signed_part.data()),
           signed_part.size(), digest.data(), &size);
  SAM3_CHECK(done != nullptr && size == kSignatureBytes);
  return std::string(digest.begin(), digest.begin() + kSignatureBytes);
}

std::string ResumeTokens::Issue(const ResumeState& state,
                                absl::string_view key_id) const {
  // Of the field's number and its length.
  constexpr size_t kMaskOverhead = 4;
  ResumePayload payload;
  payload.set_issued_at_ms(absl::ToUnixMillis(clock_.Now()));
  payload.set_key_id(std::string(key_id));
  payload.set_model_fingerprint(options_.model_fingerprint);
  payload.set_mask_size_px(state.mask_size);
  payload.set_frames_before_count(state.frames_before);
  payload.set_next_object_id(state.next_object_id);
  for (const ConceptPrompt& prompt : state.prompts) {
    *payload.add_prompts() = PromptToProto(prompt);
  }
  std::vector<ResumeObject> objects = state.objects;
  KeepLargestMasks(0, &objects);
  for (const ResumeObject& object : objects) {
    WriteObject(object, payload.add_objects());
  }
  const size_t without_masks = kHeaderBytes + payload.ByteSizeLong() +
                               2 * kMaskOverhead * objects.size();
  if (without_masks > options_.max_bytes) return "";
  objects = state.objects;
  KeepLargestMasks(options_.max_bytes - without_masks, &objects);
  for (size_t i = 0; i < objects.size(); ++i) {
    payload.mutable_objects(static_cast<int>(i))
        ->set_mask_counts(std::move(objects[i].mask_counts));
  }
  const std::string bytes = payload.SerializeAsString();
  return absl::StrCat(std::string(1, kForm), Sign(bytes), bytes);
}

absl::StatusOr<ResumeState> ResumeTokens::TakeOver(
    absl::string_view key_id, v1::StreamConfig* config) const {
  SAM3_RETURN_IF_ERROR(CheckConfig(*config));
  const absl::string_view token = config->resume_token();
  if (token.size() < kHeaderBytes || token.size() > options_.max_bytes ||
      token[0] != kForm) {
    return Rejected(absl::InvalidArgumentError(
        "config.resume_token: is no token of this version of the server"));
  }
  const absl::string_view bytes = token.substr(kHeaderBytes);
  const std::string signature = Sign(bytes);
  ResumePayload payload;
  if (CRYPTO_memcmp(signature.data(), token.data() + 1, kSignatureBytes) != 0 ||
      !payload.ParseFromString(std::string(bytes))) {
    return Rejected(absl::InvalidArgumentError(
        "config.resume_token: was changed, or signed with another secret; "
        "servers that share streams need the same --resume-secret-file"));
  }
  // First, so that nobody is told what else is wrong with another's.
  if (payload.key_id() != key_id) {
    return Rejected(absl::PermissionDeniedError(
        "config.resume_token: is of a stream of another API key"));
  }
  const absl::Duration age =
      clock_.Now() - absl::FromUnixMillis(payload.issued_at_ms());
  if (age > options_.valid_for || age < -options_.valid_for) {
    return Rejected(absl::FailedPreconditionError(absl::StrCat(
        "config.resume_token: is ",
        absl::FormatDuration(absl::Trunc(age, absl::Seconds(1))),
        " old, and good for ", absl::FormatDuration(options_.valid_for),
        "; open the stream with its prompts")));
  }
  if (payload.model_fingerprint() != options_.model_fingerprint) {
    return Rejected(absl::FailedPreconditionError(absl::StrCat(
        "config.resume_token: is of a stream of the model ",
        payload.model_fingerprint(), ", and this server serves ",
        options_.model_fingerprint, "; open the stream with its prompts")));
  }
  *config->mutable_prompts() = std::move(*payload.mutable_prompts());
  config->set_task(v1::StreamConfig::TASK_TRACK);
  return ReadState(payload);
}

}  // namespace sam3
