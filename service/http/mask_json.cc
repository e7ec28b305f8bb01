#include "service/http/mask_json.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

constexpr size_t kMinPoints = 3;

struct PixelPoint {
  int x;
  int y;
  bool operator==(const PixelPoint&) const = default;
};

// The points at which a ring of neighbouring pixels changes its direction.
std::vector<PixelPoint> TurningPoints(const v1::Mask::Polygon::Ring& ring) {
  const int count = ring.xy_size() / 2;
  const auto at = [&ring, count](int i) {
    const int wrapped = (i + count) % count;
    return PixelPoint{ring.xy(2 * wrapped), ring.xy(2 * wrapped + 1)};
  };
  std::vector<PixelPoint> points;
  for (int i = 0; i < count; ++i) {
    const PixelPoint before = at(i - 1);
    const PixelPoint here = at(i);
    const PixelPoint after = at(i + 1);
    const bool straight = here.x - before.x == after.x - here.x &&
                          here.y - before.y == after.y - here.y;
    if (!straight || count == 1) points.push_back(here);
  }
  return points;
}

void WriteRing(const std::vector<PixelPoint>& points, JsonWriter* out) {
  std::string text = "[";
  for (const PixelPoint& point : points) {
    absl::StrAppend(&text, text.size() == 1 ? "[" : ",[", point.x, ",", point.y,
                    "]");
  }
  text.push_back(']');
  out->Raw(text);
}

void WritePolygons(const v1::Mask::Polygon& polygon, HttpCompat compat,
                   JsonWriter* out) {
  out->BeginArray();
  for (const auto& ring : polygon.rings()) {
    std::vector<PixelPoint> points = TurningPoints(ring);
    if (compat == HttpCompat::kFixed && !points.empty() &&
        points.size() < kMinPoints) {
      points.resize(kMinPoints, points.back());
    }
    WriteRing(points, out);
  }
  if (polygon.rings().empty() && compat == HttpCompat::kExact) {
    WriteRing({}, out);
  }
  out->EndArray();
}

}  // namespace

std::optional<MaskForm> MaskFormNamed(absl::string_view word) {
  if (word == "polygon" || word == "json") return MaskForm::kPolygon;
  if (word == "rle") return MaskForm::kRle;
  if (word == "binary") return MaskForm::kBinary;
  if (word == "none") return MaskForm::kNone;
  return std::nullopt;
}

v1::MaskOptions MaskOptionsFor(MaskForm form, bool holes) {
  v1::MaskOptions out;
  switch (form) {
    case MaskForm::kPolygon:
      out.set_format(v1::MaskOptions::FORMAT_POLYGON);
      out.set_outer_only(!holes);
      break;
    case MaskForm::kRle:
      out.set_format(v1::MaskOptions::FORMAT_RLE);
      break;
    case MaskForm::kBinary:
      out.set_format(v1::MaskOptions::FORMAT_LOGITS);
      out.set_resolution(v1::MaskOptions::RESOLUTION_MODEL);
      break;
    case MaskForm::kNone:
      out.set_format(v1::MaskOptions::FORMAT_NONE);
      break;
  }
  return out;
}

void WriteMaskFields(const v1::Mask& mask, MaskForm form, bool holes,
                     HttpCompat compat, JsonWriter* out) {
  out->Key("masks");
  if (form == MaskForm::kRle) {
    out->BeginObject().Key("size").BeginArray();
    out->Integer(mask.height_px()).Integer(mask.width_px()).EndArray();
    out->Key("counts").Text(mask.rle().counts()).EndObject();
  } else {
    WritePolygons(mask.polygon(), compat, out);
  }
  if (holes && form == MaskForm::kPolygon) {
    out->Key("parents").BeginArray();
    for (const auto& ring : mask.polygon().rings()) {
      out->Integer(ring.parent_index());
    }
    out->EndArray();
  }
  out->Key("format").Text(form == MaskForm::kRle    ? "rle"
                          : form == MaskForm::kNone ? "none"
                                                    : "polygon");
}

void WriteBox(const v1::Box& box, JsonWriter* out) {
  out->BeginObject().Key("x0").Number(box.xyxy().x0());
  out->Key("y0").Number(box.xyxy().y0()).Key("x1").Number(box.xyxy().x1());
  out->Key("y1").Number(box.xyxy().y1()).EndObject();
}

}  // namespace sam3
