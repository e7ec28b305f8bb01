#include "inference/fake_image.h"

#include <algorithm>
#include <cstdlib>

namespace sam3 {
namespace {

constexpr int kGrid = kFakeGrid;

int ColourOf(const uint8_t* rgb) {
  const bool r = rgb[0] > 200;
  const bool g = rgb[1] > 200;
  const bool b = rgb[2] > 200;
  const bool pure =
      (r || rgb[0] < 60) && (g || rgb[1] < 60) && (b || rgb[2] < 60);
  if (!pure) return kNoFakeColour;
  if (r && !g && !b) return 0;
  if (!r && g && !b) return 1;
  if (!r && !g && b) return 2;
  if (r && g && !b) return 3;
  return kNoFakeColour;
}

int Index(int x, int y) { return y * kGrid + x; }

}  // namespace

FakeImage::FakeImage(const Image& image) {
  // A cell's colour is its centre pixel's.
  constexpr int64_t kSteps = int64_t{2} * kGrid;
  for (int y = 0; y < kGrid; ++y) {
    for (int x = 0; x < kGrid; ++x) {
      const int64_t px = int64_t{2 * x + 1} * image.width() / kSteps;
      const int64_t py = int64_t{2 * y + 1} * image.height() / kSteps;
      cells_[Index(x, y)] = static_cast<int8_t>(
          ColourOf(image.pixels() + (py * image.width() + px) * 3));
    }
  }
}

int FakeImage::ColourAt(float x, float y) const {
  const auto cell = [](float fraction) {
    return std::clamp(static_cast<int>(fraction * kGrid), 0, kGrid - 1);
  };
  return cells_[Index(cell(x), cell(y))];
}

std::vector<FakeArea> FakeImage::AreasOf(int colour) const {
  std::array<bool, kFakeCells> seen{};
  std::vector<FakeArea> areas;
  if (colour == kNoFakeColour) return areas;
  for (int start = 0; start < static_cast<int>(kFakeCells); ++start) {
    if (seen[start] || cells_[start] != colour) continue;
    FakeArea area;
    std::vector<int> open = {start};
    seen[start] = true;
    while (!open.empty()) {
      const int cell = open.back();
      open.pop_back();
      const int x = cell % kGrid;
      const int y = cell / kGrid;
      area.x0 = std::min(area.x0, x);
      area.y0 = std::min(area.y0, y);
      area.x1 = std::max(area.x1, x + 1);
      area.y1 = std::max(area.y1, y + 1);
      ++area.cells;
      const auto visit = [&](int nx, int ny) {
        if (nx < 0 || ny < 0 || nx >= kGrid || ny >= kGrid) return;
        const int next = Index(nx, ny);
        if (seen[next] || cells_[next] != colour) return;
        seen[next] = true;
        open.push_back(next);
      };
      visit(x - 1, y);
      visit(x + 1, y);
      visit(x, y - 1);
      visit(x, y + 1);
    }
    areas.push_back(area);
  }
  std::stable_sort(
      areas.begin(), areas.end(),
      [](const FakeArea& a, const FakeArea& b) { return a.cells > b.cells; });
  return areas;
}

std::optional<ColouredFakeArea> FakeImage::Under(
    absl::Span<const float> mask) const {
  // Cells of each colour inside, and the first of them.
  std::array<int, kFakeColourCount> inside{};
  std::array<int, kFakeColourCount> first{};
  for (int cell = 0; cell < static_cast<int>(kFakeCells); ++cell) {
    const int8_t colour = cells_[cell];
    if (!(mask[cell] > 0) || colour == kNoFakeColour) continue;
    if (inside[colour]++ == 0) first[colour] = cell;
  }
  const auto commonest = std::max_element(inside.begin(), inside.end());
  if (*commonest == 0) return std::nullopt;
  const auto colour = static_cast<int>(commonest - inside.begin());
  const int x = first[colour] % kGrid;
  const int y = first[colour] / kGrid;
  for (const FakeArea& area : AreasOf(colour)) {
    if (x >= area.x0 && x < area.x1 && y >= area.y0 && y < area.y1) {
      return ColouredFakeArea{colour, area};
    }
  }
  return std::nullopt;
}

std::optional<ColouredFakeArea> FakeImage::ObjectAt(
    const ObjectPrompt& prompt) const {
  float x = -1;
  float y = -1;
  if (prompt.box.has_value()) {
    x = (prompt.box->x0 + prompt.box->x1) / 2;
    y = (prompt.box->y0 + prompt.box->y1) / 2;
  }
  for (const Click& click : prompt.clicks) {
    if (click.label == ClickLabel::kPositive) {
      x = click.x;
      y = click.y;
    }
  }
  if (x < 0) return std::nullopt;
  const int colour = ColourAt(x, y);
  for (const FakeArea& area : AreasOf(colour)) {
    if (x * kGrid >= static_cast<float>(area.x0) &&
        x * kGrid < static_cast<float>(area.x1) &&
        y * kGrid >= static_cast<float>(area.y0) &&
        y * kGrid < static_cast<float>(area.y1)) {
      return ColouredFakeArea{colour, area};
    }
  }
  return std::nullopt;
}

std::vector<FakeArea> FakeImage::NearestTo(const ColouredFakeArea& seen) const {
  constexpr int kFar = kGrid / 4;
  std::vector<FakeArea> found;
  int best = kFar;
  for (const FakeArea& area : AreasOf(seen.colour)) {
    const int distance =
        (std::abs(area.x0 + area.x1 - seen.area.x0 - seen.area.x1) +
         std::abs(area.y0 + area.y1 - seen.area.y0 - seen.area.y1)) /
        2;
    if (distance >= best) continue;
    best = distance;
    found = {area};
  }
  return found;
}

LowResMask MaskOfFakeAreas(absl::Span<const FakeArea> areas) {
  constexpr float kLogit = 8.0f;
  LowResMask mask{kGrid, kGrid, std::vector<float>(kFakeCells, -kLogit), 0.0f};
  for (const FakeArea& area : areas) {
    for (int y = area.y0; y < area.y1; ++y) {
      std::fill_n(mask.values.begin() + std::ptrdiff_t{y} * kGrid + area.x0,
                  area.x1 - area.x0, kLogit);
    }
  }
  return mask;
}

}  // namespace sam3
