#include <algorithm>
#include <cmath>
#include <vector>

#include "inference/base/status_macros.h"
#include "pipeline/interpolation.h"
#include "pipeline/mask_codec.h"

namespace sam3 {
namespace {

// Collects runs column by column.
class RunWriter {
 public:
  explicit RunWriter(std::vector<uint32_t>* counts) : counts_(counts) {}

  void Add(bool inside, uint32_t length) {
    if (length == 0) return;
    if (inside != inside_) {
      counts_->push_back(length_);
      length_ = 0;
      inside_ = inside;
    }
    length_ += length;
  }
  void Finish() { counts_->push_back(length_); }

 private:
  std::vector<uint32_t>* const counts_;
  bool inside_ = false;
  uint32_t length_ = 0;
};

// Which side of the threshold a source value is on, when no rounding of a blend
// between two values of that side can cross it.
enum Side : uint8_t { kOutside, kNear, kInside };

struct Band {
  float low = 0;   // at most this: outside for certain
  float high = 0;  // at least this: inside for certain
};

// A blend of two fp32 values with weights that sum to one is off by less than
// four units in the last place of the larger one.
Band CertainBand(const LowResMask& mask) {
  constexpr float kUnits = 8.0f * 1.1920929e-7f;
  float largest = std::abs(mask.threshold);
  for (const float value : mask.values) {
    largest = std::max(largest, std::abs(value));
  }
  const float margin = kUnits * largest;
  return {mask.threshold - margin, mask.threshold + margin};
}

// Source columns as rows, so that a column is contiguous.
std::vector<float> Transposed(const LowResMask& mask) {
  std::vector<float> columns(mask.values.size());
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      columns[static_cast<size_t>(x) * mask.height + y] =
          mask.values[static_cast<size_t>(y) * mask.width + x];
    }
  }
  return columns;
}

// Writes one output column from its horizontally blended source column.
class ColumnScanner {
 public:
  ColumnScanner(const InterpolationAxis& axis, int source_height,
                float threshold, Band band)
      : axis_(axis),
        threshold_(threshold),
        band_(band),
        sides_(static_cast<size_t>(source_height)),
        first_output_(static_cast<size_t>(source_height) + 1) {
    size_t output = 0;
    for (int y = 0; y <= source_height; ++y) {
      while (output < axis.low.size() && axis.low[output] < y) ++output;
      first_output_[static_cast<size_t>(y)] = static_cast<int>(output);
    }
  }

  void Scan(const std::vector<float>& column, RunWriter* runs) {
    Classify(column);
    const size_t height = column.size();
    size_t y = 0;
    while (y < height) {
      const Side side = sides_[y];
      const size_t next = std::min(y + 1, height - 1);
      if (side == kNear || sides_[next] != side) {
        Evaluate(column, first_output_[y], first_output_[y + 1], runs);
        ++y;
        continue;
      }
      // All segments up to the next change are on one side.
      size_t end = next;
      while (end + 1 < height && sides_[end + 1] == side) ++end;
      if (end == height - 1) end = height;
      runs->Add(side == kInside,
                static_cast<uint32_t>(first_output_[end] - first_output_[y]));
      y = end;
    }
  }

 private:
  void Classify(const std::vector<float>& column) {
    const float* values = column.data();
    Side* sides = sides_.data();
    const size_t size = column.size();
    const Band band = band_;
    for (size_t y = 0; y < size; ++y) {
      sides[y] =
          static_cast<Side>((values[y] > band.low) + (values[y] >= band.high));
    }
  }

  void Evaluate(const std::vector<float>& column, int begin, int end,
                RunWriter* runs) {
    for (int i = begin; i < end; ++i) {
      const float value =
          std::fma(column[axis_.low[i]], axis_.weight_low[i],
                   column[axis_.high[i]] * axis_.weight_high[i]);
      runs->Add(value > threshold_, 1);
    }
  }

  const InterpolationAxis& axis_;
  const float threshold_;
  const Band band_;
  std::vector<Side> sides_;
  // First output row that reads source row y or beyond.
  std::vector<int> first_output_;
};

bool AllOutside(const float* column, int height, float low) {
  return std::all_of(column, column + height,
                     [low](float value) { return value <= low; });
}

}  // namespace

MaskRuns RunsFromLowRes(const LowResMask& mask, int width, int height) {
  SAM3_CHECK(mask.values.size() ==
             static_cast<size_t>(mask.width) * mask.height);
  MaskRuns runs{width, height, {}};
  RunWriter writer(&runs.counts);
  if (mask.empty() || width <= 0 || height <= 0) {
    writer.Add(false, static_cast<uint32_t>(std::max(width, 0)) *
                          static_cast<uint32_t>(std::max(height, 0)));
    writer.Finish();
    return runs;
  }
  const InterpolationAxis across = MakeInterpolationAxis(mask.width, width);
  const InterpolationAxis down = MakeInterpolationAxis(mask.height, height);
  const Band band = CertainBand(mask);
  const std::vector<float> columns = Transposed(mask);
  const auto source = [&](int x) {
    return columns.data() + static_cast<size_t>(x) * mask.height;
  };
  std::vector<char> empty(static_cast<size_t>(mask.width));
  for (int x = 0; x < mask.width; ++x) {
    empty[x] = AllOutside(source(x), mask.height, band.low) ? 1 : 0;
  }
  ColumnScanner scanner(down, mask.height, mask.threshold, band);
  std::vector<float> blended(static_cast<size_t>(mask.height));
  for (int x = 0; x < width; ++x) {
    if (empty[across.low[x]] && empty[across.high[x]]) {
      writer.Add(false, static_cast<uint32_t>(height));
      continue;
    }
    BlendRows(source(across.low[x]), across.weight_low[x],
              source(across.high[x]), across.weight_high[x], mask.height,
              blended.data());
    scanner.Scan(blended, &writer);
  }
  writer.Finish();
  return runs;
}

int64_t MaskArea(const MaskRuns& runs) {
  int64_t area = 0;
  for (size_t i = 1; i < runs.counts.size(); i += 2) area += runs.counts[i];
  return area;
}

Box MaskBox(const MaskRuns& runs) {
  int64_t x0 = runs.width;
  int64_t x1 = 0;
  int64_t y0 = runs.height;
  int64_t y1 = 0;
  int64_t position = 0;
  for (size_t i = 0; i < runs.counts.size(); ++i) {
    const int64_t begin = position;
    position += runs.counts[i];
    if (i % 2 == 0 || runs.counts[i] == 0) continue;
    const int64_t last = position - 1;
    x0 = std::min(x0, begin / runs.height);
    x1 = std::max(x1, last / runs.height + 1);
    if (begin / runs.height == last / runs.height) {
      y0 = std::min(y0, begin % runs.height);
      y1 = std::max(y1, last % runs.height + 1);
    } else {
      // A run that goes on in the next column touches both borders.
      y0 = 0;
      y1 = runs.height;
    }
  }
  if (x1 == 0) return {};
  return {static_cast<float>(x0), static_cast<float>(y0),
          static_cast<float>(x1), static_cast<float>(y1)};
}

int64_t MaskIntersection(const MaskRuns& a, const MaskRuns& b) {
  SAM3_CHECK(a.width == b.width && a.height == b.height);
  int64_t common = 0;
  size_t i = 0;
  size_t j = 0;
  uint32_t left_a = a.counts.empty() ? 0 : a.counts[0];
  uint32_t left_b = b.counts.empty() ? 0 : b.counts[0];
  while (i < a.counts.size() && j < b.counts.size()) {
    const uint32_t step = std::min(left_a, left_b);
    if (i % 2 == 1 && j % 2 == 1) common += step;
    left_a -= step;
    left_b -= step;
    if (left_a == 0 && ++i < a.counts.size()) left_a = a.counts[i];
    if (left_b == 0 && ++j < b.counts.size()) left_b = b.counts[j];
  }
  return common;
}

MaskRuns MaskDifference(const MaskRuns& a, const MaskRuns& b) {
  SAM3_CHECK(a.width == b.width && a.height == b.height);
  MaskRuns out{a.width, a.height, {}};
  RunWriter writer(&out.counts);
  size_t i = 0;
  size_t j = 0;
  uint32_t left_a = a.counts.empty() ? 0 : a.counts[0];
  uint32_t left_b = b.counts.empty() ? 0 : b.counts[0];
  while (i < a.counts.size() && j < b.counts.size()) {
    const uint32_t step = std::min(left_a, left_b);
    writer.Add(i % 2 == 1 && j % 2 == 0, step);
    left_a -= step;
    left_b -= step;
    if (left_a == 0 && ++i < a.counts.size()) left_a = a.counts[i];
    if (left_b == 0 && ++j < b.counts.size()) left_b = b.counts[j];
  }
  writer.Finish();
  return out;
}

std::vector<int> SuppressOverlaps(absl::Span<const MaskRuns> masks,
                                  absl::Span<const int> order,
                                  float iou_threshold) {
  std::vector<int64_t> areas;
  for (const MaskRuns& mask : masks) areas.push_back(MaskArea(mask));
  std::vector<int> kept;
  for (const int candidate : order) {
    const bool suppressed =
        std::any_of(kept.begin(), kept.end(), [&](int winner) {
          const int64_t common =
              MaskIntersection(masks[candidate], masks[winner]);
          const int64_t both = areas[candidate] + areas[winner] - common;
          return both > 0 && static_cast<double>(common) >
                                 static_cast<double>(iou_threshold) *
                                     static_cast<double>(both);
        });
    if (!suppressed) kept.push_back(candidate);
  }
  return kept;
}

}  // namespace sam3
