#include "service/http/common_fields.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

constexpr size_t kMaxRequestIdBytes = 128;

}  // namespace

absl::StatusOr<std::string> ReadModelId(const JsonFields& body) {
  const absl::string_view model = body.Text("model_id").value_or("");
  if (model.empty() || absl::StartsWith(model, "sam3/")) return std::string();
  // Roboflow's names of trained models are project/version.
  if (!absl::StrContains(model, '/')) return std::string(model);
  return WithField(
      WithReason(
          absl::UnimplementedError(absl::StrCat(
              "model_id \"", model,
              "\": fine-tuned models are not served; leave it out, or use "
              "sam3/sam3_final")),
          reason::kNotOffered),
      "model_id");
}

std::string ReadRequestId(const JsonFields& body) {
  const auto id = body.Find("id");
  if (!id.has_value() || !id->is_string()) return "";
  const absl::string_view text = *body.Text("id");
  const bool fits = text.size() <= kMaxRequestIdBytes &&
                    std::all_of(text.begin(), text.end(), [](char c) {
                      return absl::ascii_isprint(static_cast<unsigned char>(c));
                    });
  return fits ? std::string(text) : "";
}

}  // namespace sam3
