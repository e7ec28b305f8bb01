#include "service/explain.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/image_decoder.h"
#include "service/concept_text.h"
#include "service/convert.h"

namespace sam3 {
namespace {

void AddBoxes(const v1::ConceptPrompt& prompt, int width, int height,
              v1::ExplainResponse::Prompt* out) {
  for (const v1::Exemplar& exemplar : prompt.exemplars()) {
    Box box = FromProto(exemplar.box());
    if (exemplar.box().normalized()) {
      box = {box.x0 * static_cast<float>(width),
             box.y0 * static_cast<float>(height),
             box.x1 * static_cast<float>(width),
             box.y1 * static_cast<float>(height)};
    }
    const Box cut = {std::clamp(box.x0, 0.0f, static_cast<float>(width)),
                     std::clamp(box.y0, 0.0f, static_cast<float>(height)),
                     std::clamp(box.x1, 0.0f, static_cast<float>(width)),
                     std::clamp(box.y1, 0.0f, static_cast<float>(height))};
    auto* added = out->add_boxes();
    added->set_x0(cut.x0);
    added->set_y0(cut.y0);
    added->set_x1(cut.x1);
    added->set_y1(cut.y1);
    added->set_clamped(cut.x0 != box.x0 || cut.y0 != box.y0 ||
                       cut.x1 != box.x1 || cut.y1 != box.y1);
  }
}

void AddViolation(std::string field, std::string description,
                  v1::ExplainResponse* out) {
  auto* violation = out->add_violations();
  violation->set_field(std::move(field));
  violation->set_description(std::move(description));
}

// The picture's size, from the cache or its header; says what is wrong with it.
std::optional<ImageInfo> LookAt(const v1::Image& image,
                                const std::string& tenant, Segmenter& segmenter,
                                v1::ExplainResponse* out) {
  if (image.source_case() == v1::Image::kUrl) {
    // Not fetched: nothing is known of what it has.
    const absl::Status allowed = segmenter.CheckUrl(SourceUrl(image.url()));
    if (!allowed.ok() && !image.url().empty()) {
      AddViolation("image.url", std::string(allowed.message()), out);
    }
    return std::nullopt;
  }
  // Not read either; what is wrong with its name is a violation already.
  if (image.source_case() == v1::Image::kFile) return std::nullopt;
  const bool by_name = image.content().empty();
  const std::optional<CachedImage> cached =
      by_name ? segmenter.FindImage(tenant, image.image_id())
              : segmenter.FindContent(tenant, image.content());
  out->set_embedding_cache(ToProto(cached.has_value()));
  if (cached.has_value()) return cached->info;
  if (by_name) {
    if (!image.image_id().empty()) {
      AddViolation("image.image_id", "is not cached; send the bytes", out);
    }
    return std::nullopt;
  }
  const absl::StatusOr<ImageHeader> header =
      ReadImageHeader(image.content(), segmenter.image_limits());
  if (!header.ok()) {
    AddViolation("image.content", std::string(header.status().message()), out);
    return std::nullopt;
  }
  return ImageInfo{header->width, header->height, header->exif_orientation, "",
                   image.image_id()};
}

}  // namespace

absl::StatusOr<v1::ExplainResponse::Prompt> ExplainText(
    const std::string& text, const Tokenizer& tokenizer) {
  v1::ExplainResponse::Prompt out;
  SAM3_ASSIGN_OR_RETURN(const TokenizedText tokens, tokenizer.Tokenize(text));
  for (int i = 0; i < tokens.length; ++i) out.add_token_ids(tokens.ids[i]);
  out.set_truncated(tokens.truncated);
  const std::vector<std::string> pieces = tokenizer.Words(absl::MakeConstSpan(
      tokens.ids.data() + 1, static_cast<size_t>(tokens.length - 2)));
  for (const std::string& piece : pieces) out.add_words(piece);
  for (std::string& word : UnknownWords(tokens, tokenizer)) {
    out.add_unknown_words(std::move(word));
  }
  return out;
}

absl::StatusOr<v1::ExplainResponse> ExplainRequestTo(
    const v1::SegmentConceptsRequest& request, const std::string& tenant,
    Segmenter& segmenter, const RequestValidator& validator) {
  v1::ExplainResponse out;
  std::vector<std::string> warnings;
  for (const FieldViolation& violation :
       validator.Violations(request, &warnings)) {
    AddViolation(violation.field, violation.description, &out);
  }
  for (std::string& warning : warnings) out.add_warnings(std::move(warning));
  const std::optional<ImageInfo> info =
      LookAt(request.image(), tenant, segmenter, &out);
  if (info.has_value()) *out.mutable_image_info() = ToProto(*info);
  for (int i = 0; i < request.prompts_size(); ++i) {
    const v1::ConceptPrompt& prompt = request.prompts(i);
    std::optional<std::string> english;
    if (validator.aliases() != nullptr) {
      english = validator.aliases()->Find(prompt.text());
    }
    absl::StatusOr<v1::ExplainResponse::Prompt> explained =
        ExplainText(english.value_or(prompt.text()), segmenter.tokenizer());
    if (!explained.ok()) continue;  // told as a violation already
    explained->set_prompt_index(i);
    if (info.has_value()) {
      AddBoxes(prompt, info->width, info->height, &*explained);
    }
    *out.add_prompts() = *std::move(explained);
  }
  const Capacity capacity = segmenter.capacity();
  const bool hit = out.embedding_cache() == v1::EMBEDDING_CACHE_HIT;
  const int further = std::max(0, request.prompts_size() - (hit ? 0 : 1));
  *out.mutable_estimated_time() =
      ToProto((hit ? absl::ZeroDuration() : capacity.per_image) +
              capacity.per_prompt * further);
  if (info.has_value()) {
    out.set_estimated_bytes(int64_t{info->width} * info->height * 3);
  }
  return out;
}

}  // namespace sam3
