#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace sam3 {

enum class MaskFormat { kRle, kPolygon, kPng, kBits, kLogits, kNone };

enum class MaskResolution {
  kFull,     // the oriented picture's size
  kMaxSide,  // scaled down so that the longer side is MaskOptions::max_side
  kModel,    // the model's own low resolution
};

struct MaskOptions {
  MaskFormat format = MaskFormat::kRle;
  MaskResolution resolution = MaskResolution::kFull;
  // Pixels; read only with kMaxSide. Never scales up.
  int max_side = 0;
  // Polygons: only the outer rings, as the published API answers.
  bool outer_only = false;
  // Polygons: largest distance in pixels that simplification may move a ring.
  // 0 = exact.
  float polygon_tolerance = 0;
};

// COCO's compressed run-length encoding: runs go down the columns, background
// first; `counts` is COCO's ASCII string.
struct RleMask {
  int width = 0;
  int height = 0;
  std::string counts;
};

// One closed ring; the last point is not repeated. Points are pixel centres on
// the mask's border, x and y alternating.
struct PolygonRing {
  std::vector<int32_t> xy;
  // Index of the ring that encloses this one, -1 for an outer ring. A ring at
  // odd depth is a hole.
  int parent = -1;
};

struct PolygonMask {
  int width = 0;
  int height = 0;
  std::vector<PolygonRing> rings;
};

// 8-bit grey PNG, 255 inside.
struct PngMask {
  int width = 0;
  int height = 0;
  std::string bytes;
};

// Packed bits cropped to the tight box: rows from the top, each row starting
// on a new byte, most significant bit leftmost.
struct BitsMask {
  // Size of the whole mask.
  int width = 0;
  int height = 0;
  // The crop's position and size inside it.
  int crop_x = 0;
  int crop_y = 0;
  int crop_width = 0;
  int crop_height = 0;
  std::string bytes;
};

// The numbers behind a mask: little-endian fp32, rows from the top, inside
// where greater than 0.
struct LogitsMask {
  int width = 0;
  int height = 0;
  std::string bytes;
};

// std::monostate: no mask was asked for.
using EncodedMask = std::variant<std::monostate, RleMask, PolygonMask, PngMask,
                                 BitsMask, LogitsMask>;

}  // namespace sam3
