#include "service/geometry_reader.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "service/convert.h"

namespace sam3 {
namespace {

PointedAt ReadPoint(const std::string& field, const v1::Point& point,
                    const Violate& violate) {
  if (!std::isfinite(point.x()) || !std::isfinite(point.y())) {
    violate(field, "has a coordinate that is not a finite number");
  }
  if (!v1::Point::Label_IsValid(point.label())) {
    violate(field + ".label", "is no known label");
  }
  return {point.x(), point.y(), point.normalized(),
          point.label() == v1::Point::LABEL_NEGATIVE ? ClickLabel::kNegative
                                                     : ClickLabel::kPositive};
}

}  // namespace

Box ReadBox(const std::string& field, const v1::Box& box,
            const Violate& violate) {
  if (box.box_case() == v1::Box::BOX_NOT_SET) {
    violate(field, "is missing");
    return {};
  }
  const Box out = FromProto(box);
  for (const float value : {out.x0, out.y0, out.x1, out.y1}) {
    if (!std::isfinite(value)) {
      violate(field, "has a coordinate that is not a finite number");
      return {};
    }
  }
  if (!(out.width() > 0) || !(out.height() > 0)) {
    violate(field, absl::StrCat("must have positive width and height, has ",
                                out.width(), " x ", out.height()));
  }
  return out;
}

std::vector<PointedAt> ReadPoints(
    const std::string& field,
    const google::protobuf::RepeatedPtrField<v1::Point>& points, int max_points,
    const Violate& violate) {
  std::vector<PointedAt> out;
  if (points.size() > max_points) {
    violate(field, absl::StrCat("has ", points.size(), " entries; at most ",
                                max_points, " are allowed"));
    return out;
  }
  for (int i = 0; i < points.size(); ++i) {
    out.push_back(
        ReadPoint(absl::StrCat(field, "[", i, "]"), points[i], violate));
  }
  return out;
}

}  // namespace sam3
