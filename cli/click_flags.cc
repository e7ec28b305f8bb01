#include "cli/click_flags.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/prompt_flags.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

absl::StatusOr<v1::Point> ParsePoint(absl::string_view text) {
  const absl::string_view whole = text;
  v1::Point point;
  point.set_label(absl::ConsumeSuffix(&text, ":neg")
                      ? v1::Point::LABEL_NEGATIVE
                      : v1::Point::LABEL_POSITIVE);
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  float x = 0;
  float y = 0;
  if (parts.size() != 2 || !absl::SimpleAtof(parts[0], &x) ||
      !absl::SimpleAtof(parts[1], &y)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--point ", whole,
                     ": must be x,y in pixels, optionally with :neg, as in "
                     "--point 320,200:neg"));
  }
  point.set_x(x);
  point.set_y(y);
  return point;
}

}  // namespace

void AddClickFlags(CLI::App* app, ClickFlags* flags) {
  app->add_option("--point", flags->points,
                  "A click: x,y in pixels[:neg]; repeat for more on the same "
                  "object")
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_flag("--single", flags->single,
                "One mask from the start instead of the best of three");
}

absl::StatusOr<v1::ObjectPrompt> MakeObjectPrompt(
    const ClickFlags& flags, const std::vector<std::string>& boxes) {
  v1::ObjectPrompt prompt;
  for (const std::string& text : flags.points) {
    SAM3_ASSIGN_OR_RETURN(*prompt.add_points(), ParsePoint(text));
  }
  if (boxes.size() > 1) {
    return absl::InvalidArgumentError("--box: one object has one box");
  }
  if (!boxes.empty()) {
    SAM3_ASSIGN_OR_RETURN(const v1::Exemplar parsed, ParseBox(boxes.front()));
    if (parsed.label() == v1::Exemplar::LABEL_NEGATIVE) {
      return absl::InvalidArgumentError(
          "--box: the box around an object has no :neg");
    }
    *prompt.mutable_box() = parsed.box();
  }
  if (prompt.points().empty() && !prompt.has_box()) {
    return absl::InvalidArgumentError(
        "point at something: --point x,y or --box x,y,width,height");
  }
  return prompt;
}

}  // namespace sam3
