#include "inference/association/hole_filling.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

// A stretch of wanted pixels in one row, and its component's union-find node.
struct Stretch {
  int row = 0;
  int begin = 0;
  int end = 0;
  size_t parent = 0;
  int64_t area = 0;  // of the whole component, at its root
};

size_t Root(std::vector<Stretch>* stretches, size_t index) {
  while ((*stretches)[index].parent != index) {
    Stretch& stretch = (*stretches)[index];
    stretch.parent = (*stretches)[stretch.parent].parent;
    index = stretch.parent;
  }
  return index;
}

void Join(std::vector<Stretch>* stretches, size_t a, size_t b) {
  a = Root(stretches, a);
  b = Root(stretches, b);
  if (a == b) return;
  if (a > b) std::swap(a, b);
  (*stretches)[b].parent = a;
  (*stretches)[a].area += (*stretches)[b].area;
}

// Joins the stretches of a row, [current, end), with those of the row above,
// [above, current), that they touch, corners included.
void JoinRows(size_t above, size_t current, std::vector<Stretch>* stretches) {
  const size_t end = stretches->size();
  size_t upper = above;
  size_t lower = current;
  while (upper < current && lower < end) {
    const Stretch& up = (*stretches)[upper];
    const Stretch& low = (*stretches)[lower];
    const int up_end = up.end;
    const int low_end = low.end;
    if (up.begin <= low_end && low.begin <= up_end) {
      Join(stretches, upper, lower);
    }
    if (up_end < low_end) {
      ++upper;
    } else {
      ++lower;
    }
  }
}

// Paints every component of wanted pixels that has at most `max_area` of them.
template <typename Wanted>
void PaintSmall(int width, int height, int64_t max_area, Wanted wanted,
                float paint, absl::Span<float> logits) {
  std::vector<Stretch> stretches;
  size_t above = 0;
  for (int y = 0; y < height; ++y) {
    const size_t current = stretches.size();
    const float* row = logits.data() + static_cast<size_t>(y) * width;
    for (int x = 0; x < width; ++x) {
      if (!wanted(row[x])) continue;
      const int begin = x;
      while (x < width && wanted(row[x])) ++x;
      stretches.push_back({y, begin, x, stretches.size(), x - begin});
    }
    JoinRows(above, current, &stretches);
    above = current;
  }
  for (size_t i = 0; i < stretches.size(); ++i) {
    if (stretches[Root(&stretches, i)].area > max_area) continue;
    const Stretch& stretch = stretches[i];
    float* row = logits.data() + static_cast<size_t>(stretch.row) * width;
    std::fill(row + stretch.begin, row + stretch.end, paint);
  }
}

}  // namespace

void FillHoles(int width, int height, int max_area, absl::Span<float> logits) {
  SAM3_CHECK(logits.size() == static_cast<size_t>(width) * height);
  if (max_area <= 0) return;
  PaintSmall(
      width, height, max_area, [](float value) { return value <= 0; }, 0.1f,
      logits);
  const auto inside = [](float value) { return value > 0; };
  const int64_t total = std::count_if(logits.begin(), logits.end(), inside);
  PaintSmall(width, height, std::min<int64_t>(max_area, total / 2), inside,
             -0.1f, logits);
}

}  // namespace sam3
