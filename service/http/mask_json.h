#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "sam3/v1/mask.pb.h"
#include "sam3/v1/result.pb.h"
#include "service/http/compat.h"
#include "service/http/json_writer.h"

namespace sam3 {

// What a request's `format` asks for.
enum class MaskForm {
  kPolygon,  // "polygon" and "json"
  kRle,      // COCO's object
  kBinary,   // a NumPy archive instead of JSON
  kNone,     // "none", and what the public server does not know
};

// Absent for a word that names no form.
std::optional<MaskForm> MaskFormNamed(absl::string_view word);

// The options that give what WriteMaskFields() and the archive need. `holes`
// keeps inner rings.
v1::MaskOptions MaskOptionsFor(MaskForm form, bool holes);

// Writes `masks` and `format` of a prediction: polygons as lists of integer
// [x, y] or a COCO object. With `holes` also `parents`, one index a polygon, -1
// for outer ones. Polygons are those of OpenCV's CHAIN_APPROX_SIMPLE: points at
// which a ring turns. kFixed gives every polygon three points at least, by
// repeating its last, and an empty mask none; kExact has shorter ones, and one
// without points for an empty mask.
void WriteMaskFields(const v1::Mask& mask, MaskForm form, bool holes,
                     HttpCompat compat, JsonWriter* out);

// {"x0": ..., "y0": ..., "x1": ..., "y1": ...}.
void WriteBox(const v1::Box& box, JsonWriter* out);

}  // namespace sam3
