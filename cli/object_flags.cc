#include "cli/object_flags.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sam3 {
namespace {

absl::Status Unreadable(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "--object ", text,
      ": must be NUMBER:x,y in pixels, with :neg for what does not belong to "
      "the object, or NUMBER:x,y,width,height, as in --object 1:320,200"));
}

// Adds what `text` says to the object of its number.
absl::Status AddTo(absl::string_view text,
                   std::vector<v1::GivenObject>* objects) {
  const std::vector<absl::string_view> halves =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  int64_t id = 0;
  if (halves.size() != 2 || !absl::SimpleAtoi(halves[0], &id)) {
    return Unreadable(text);
  }
  absl::string_view place = halves[1];
  const bool negative = absl::ConsumeSuffix(&place, ":neg");
  std::vector<float> values;
  for (const absl::string_view part : absl::StrSplit(place, ',')) {
    values.emplace_back();
    if (!absl::SimpleAtof(part, &values.back())) return Unreadable(text);
  }
  auto object = std::find_if(
      objects->begin(), objects->end(),
      [id](const v1::GivenObject& known) { return known.object_id() == id; });
  if (object == objects->end()) {
    object = objects->emplace(objects->end());
    object->set_object_id(id);
  }
  if (values.size() == 2) {
    v1::Point* point = object->add_points();
    point->set_x(values[0]);
    point->set_y(values[1]);
    point->set_label(negative ? v1::Point::LABEL_NEGATIVE
                              : v1::Point::LABEL_POSITIVE);
    return absl::OkStatus();
  }
  if (values.size() != 4 || negative) return Unreadable(text);
  if (object->has_box()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--object ", text, ": one object has one box"));
  }
  auto* box = object->mutable_box()->mutable_xywh();
  box->set_x(values[0]);
  box->set_y(values[1]);
  box->set_width(values[2]);
  box->set_height(values[3]);
  return absl::OkStatus();
}

}  // namespace

void AddObjectFlags(CLI::App* app, std::vector<std::string>* objects) {
  app->add_option("--object", *objects,
                  "Follow what is here on the first frame, instead of texts: "
                  "NUMBER:x,y[:neg] or NUMBER:x,y,width,height in pixels; "
                  "repeat for more clicks or objects")
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

absl::StatusOr<std::vector<v1::GivenObject>> MakeGivenObjects(
    const std::vector<std::string>& objects) {
  std::vector<v1::GivenObject> out;
  for (const std::string& text : objects) {
    absl::Status added = AddTo(text, &out);
    if (!added.ok()) return added;
  }
  return out;
}

}  // namespace sam3
