#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/repeated_ptr_field.h"
#include "pipeline/given_object.h"
#include "pipeline/stream_events.h"
#include "sam3/v1/stream.pb.h"
#include "service/geometry_reader.h"
#include "service/limits.h"

namespace sam3 {

// Reads the objects of one message: checks what can be checked without the
// frame, and takes masks apart. Made for one message, by one thread; blocks for
// as long as its masks take, which have limits.max_mask_pixels together.
class GivenObjectReader {
 public:
  explicit GivenObjectReader(const ServiceLimits& limits)
      : max_points_(limits.max_points),
        max_objects_(limits.max_objects),
        mask_pixels_left_(limits.max_mask_pixels) {}

  // Those that a stream begins with; every violation is told.
  std::vector<GivenObject> ReadAll(
      const std::string& field,
      const google::protobuf::RepeatedPtrField<v1::GivenObject>& objects,
      const Violate& violate);

  // What an update says of objects. One that is wrong is among the rejected,
  // with all its violations.
  void ReadUpdate(const v1::PromptUpdate& update, PromptUpdate* out);

 private:
  GivenObject Read(const std::string& field, const v1::GivenObject& object,
                   const Violate& violate);
  std::shared_ptr<const GivenMask> ReadMask(const std::string& field,
                                            const v1::Mask& mask,
                                            const Violate& violate);
  // The first of a list that may have no more than max_objects entries; what is
  // beyond is told as one rejection.
  std::vector<GivenObject> ReadList(
      const std::string& name,
      const google::protobuf::RepeatedPtrField<v1::GivenObject>& objects,
      std::vector<PromptRejected>* rejected);

  const int max_points_;
  const int max_objects_;
  int64_t mask_pixels_left_;
};

}  // namespace sam3
