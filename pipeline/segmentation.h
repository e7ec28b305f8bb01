#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "inference/association/track_table.h"
#include "inference/geometry.h"
#include "inference/prompt.h"
#include "pipeline/mask.h"
#include "pipeline/media/media_root.h"
#include "pipeline/source_url.h"

namespace sam3 {

// Requests and results as the pipeline knows them: validated, tokenized, free
// of any wire format. The service converts to and from protobuf or JSON.

// An example box in the units that the client chose.
struct ExemplarBox {
  // Pixels of the oriented picture, or fractions of it when `normalized`.
  Box box;
  bool normalized = false;
  ExemplarLabel label = ExemplarLabel::kPositive;
};

struct ConceptPrompt {
  std::string prompt_id;  // empty when the client gave none
  std::string text;       // as the client wrote it, for the echo
  // Tokens of `text`, or of the word "visual" when there are only exemplars.
  TokenizedText tokens;
  std::vector<ExemplarBox> exemplars;
  std::optional<float> score_threshold;
  // Of a stream that follows objects: its own number, never used for another.
  int stream_number = 0;
};

// Which parts of a result are worth computing and sending.
struct ResultFields {
  bool mask = true;
  bool box = true;
  bool area = true;
};

struct ConceptOptions {
  float score_threshold = 0.5f;
  // Absent = no suppression. Mask IoU on full-resolution masks, across all
  // prompts of the picture, class-agnostic.
  std::optional<float> nms_iou_threshold;
  int max_instances_per_prompt = 0;  // 0 = no limit
  MaskOptions mask;
  ResultFields fields;
};

// A picture given by bytes, by a URL or an open file that has them, by the name
// of a cached embedding, or by a name with one of the others (it is then bound
// to the bytes).
struct ImageSource {
  std::string content;
  std::string image_id;
  SourceUrl url;                          // empty when there is none
  std::shared_ptr<const MediaFile> file;  // null when there is none
};

// The field of the request that the bytes came in, for errors.
inline const char* FieldOf(const ImageSource& image) {
  if (image.file != nullptr) return "image.file";
  return image.url.empty() ? "image.content" : "image.url";
}

struct ConceptRequest {
  ImageSource image;
  std::vector<ConceptPrompt> prompts;
  ConceptOptions options;
};

struct Instance {
  float score = 0;
  float query_score = 0;
  float presence_score = 0;
  Box detector_box;  // pixels of the oriented picture, not clipped
  Box box;           // tight on the mask, pixels, half-open
  int64_t area = 0;  // pixels of the full-resolution mask
  EncodedMask mask;
  // Of followed objects only.
  std::optional<int64_t> object_id = std::nullopt;
  TrackPhase phase = TrackPhase::kConfirmed;
};

struct PromptResult {
  int prompt_index = 0;  // position among the prompts that were asked
  std::string prompt_id;
  std::string text;
  float presence_score = 0;
  std::vector<Instance> instances;  // by score, ties by query index
};

struct ImageInfo {
  int width = 0;
  int height = 0;
  int exif_orientation = 1;
  std::string digest;  // hex, over the encoded bytes
  std::string image_id;
};

struct RequestTimings {
  absl::Duration decode;
  absl::Duration queue;
  absl::Duration encode;
  absl::Duration ground;
  absl::Duration post;
  absl::Duration total;
  absl::Duration fetch = {};  // of a URL
};

// What every answer about a still picture tells.
struct StillResponse {
  ImageInfo image;
  RequestTimings timings;
  bool embedding_cache_hit = false;
  std::vector<std::string> warnings;
};

using EmbedResponse = StillResponse;

struct ConceptResponse : StillResponse {
  std::vector<PromptResult> results;  // one per prompt, in request order
};

}  // namespace sam3
