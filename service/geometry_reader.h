#pragma once

#include <functional>
#include <string>
#include <vector>

#include "google/protobuf/repeated_ptr_field.h"
#include "inference/geometry.h"
#include "pipeline/object_segmentation.h"
#include "sam3/v1/geometry.pb.h"
#include "sam3/v1/prompt.pb.h"

namespace sam3 {

// Takes the field and what is wrong with it.
using Violate = std::function<void(std::string, std::string)>;

// Points and boxes of requests, checked as far as that goes without a picture;
// anything for one that is wrong, which `violate` is told. Pure; any thread.

Box ReadBox(const std::string& field, const v1::Box& box,
            const Violate& violate);

// None at all where there are more than `max_points`.
std::vector<PointedAt> ReadPoints(
    const std::string& field,
    const google::protobuf::RepeatedPtrField<v1::Point>& points, int max_points,
    const Violate& violate);

}  // namespace sam3
