#include "service/http/image_json.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "inference/image_key.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

constexpr size_t kMaxV1ImageIdBytes = 128;

absl::Status BadImage(absl::string_view message) {
  return WithField(WithReason(absl::InvalidArgumentError(message),
                              reason::kMediaUndecodable),
                   "image");
}

// What follows "data:image/png;base64," or the like.
absl::string_view WithoutDataUrl(absl::string_view text) {
  if (!absl::StartsWithIgnoreCase(text.substr(0, 5), "data:")) return text;
  const size_t comma = text.find(',');
  return comma == absl::string_view::npos ? text : text.substr(comma + 1);
}

absl::Status ReadBase64(absl::string_view text, v1::Image* out) {
  text = absl::StripAsciiWhitespace(WithoutDataUrl(text));
  if (text.empty()) return BadImage("Empty image payload.");
  // Either alphabet, as clients have both.
  if (!absl::Base64Unescape(text, out->mutable_content()) &&
      !absl::WebSafeBase64Unescape(text, out->mutable_content())) {
    return BadImage("Malformed base64 input image.");
  }
  if (out->content().empty()) return BadImage("Empty image payload.");
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadImage(const JsonFields& image, v1::Image* out) {
  const auto value = image.Find("value");
  if (!image.Require("type").has_value()) return absl::OkStatus();
  const std::optional<absl::string_view> declared = image.Text("type");
  if (!declared.has_value()) return absl::OkStatus();
  const std::string type = absl::AsciiStrToLower(*declared);
  if (type != "base64" && type != "url" && type != "file") {
    if (type == "numpy" || type == "numpy_object" || type == "pil" ||
        type == "multipart") {
      return BadImage(absl::StrCat("image.type \"", type,
                                   "\" is not taken over HTTP; send base64"));
    }
    return BadImage(
        "image.type is none that this server knows; send base64, url or file");
  }
  if (!value.has_value()) return BadImage("Empty image payload.");
  if (!value->is_string()) {
    return BadImage("image.value must be a string");
  }
  const absl::string_view text = *image.Text("value");
  if (type == "base64") return ReadBase64(text, out);
  if (text.empty()) return BadImage("image.value is empty");
  if (type == "url") {
    out->set_url(std::string(text));
  } else {
    out->set_file(std::string(text));
  }
  return absl::OkStatus();
}

std::string V1ImageId(absl::string_view image_id) {
  const bool printable =
      std::all_of(image_id.begin(), image_id.end(), [](char c) {
        return absl::ascii_isprint(static_cast<unsigned char>(c));
      });
  if (printable && image_id.size() <= kMaxV1ImageIdBytes) {
    return std::string(image_id);
  }
  return absl::StrCat("text:", ImageDigest(image_id));
}

void HoldImage(v1::Image* image, v1::Image* held) {
  if (image->image_id().empty() ||
      image->source_case() == v1::Image::SOURCE_NOT_SET) {
    return;
  }
  const std::string name = image->image_id();
  held->Swap(image);
  image->set_image_id(name);
}

bool AmendImage(const absl::Status& status, HttpCompat compat, v1::Image* image,
                v1::Image* held, std::vector<std::string>* warnings) {
  const std::string why = ReasonOf(status);
  if (why == reason::kImageNotCached &&
      held->source_case() != v1::Image::SOURCE_NOT_SET) {
    image->Swap(held);
    held->Clear();
    return true;
  }
  if (why == reason::kImageIdConflict && !image->image_id().empty() &&
      image->source_case() != v1::Image::SOURCE_NOT_SET) {
    image->clear_image_id();
    if (compat == HttpCompat::kFixed) {
      warnings->push_back(
          "image_id names another picture, so this one was not kept under it");
    }
    return true;
  }
  return false;
}

void WriteImageInfo(const v1::ImageInfo& info, JsonWriter* out) {
  out->BeginObject();
  out->Key("width").Integer(info.width_px());
  out->Key("height").Integer(info.height_px());
  out->Key("exif_orientation").Integer(info.exif_orientation());
  out->Key("digest").Text(info.digest());
  out->EndObject();
}

}  // namespace sam3
