#include "service/given_object_reader.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pipeline/mask_decoder.h"
#include "service/grpc_status.h"

namespace sam3 {
namespace {

EncodedMask FromProto(const v1::Mask& mask) {
  const int width = mask.width_px();
  const int height = mask.height_px();
  if (mask.has_rle()) return RleMask{width, height, mask.rle().counts()};
  if (mask.has_png()) return PngMask{width, height, mask.png().data()};
  if (!mask.has_bits()) return std::monostate();
  const v1::Mask::Bits& bits = mask.bits();
  return BitsMask{width,
                  height,
                  bits.crop_x(),
                  bits.crop_y(),
                  bits.crop_width(),
                  bits.crop_height(),
                  bits.data()};
}

absl::Status TooMany(const std::string& field, int count, int limit) {
  return InvalidRequest(
      {{field, absl::StrCat("has ", count, " entries; only ", "the first ",
                            limit, " are taken")}});
}

}  // namespace

std::vector<GivenObject> GivenObjectReader::ReadAll(
    const std::string& field,
    const google::protobuf::RepeatedPtrField<v1::GivenObject>& objects,
    const Violate& violate) {
  std::vector<GivenObject> out;
  // Told with the limit of the stream, which is no greater.
  if (objects.size() > max_objects_) return out;
  std::set<int64_t> ids;
  for (int i = 0; i < objects.size(); ++i) {
    const std::string path = absl::StrCat(field, "[", i, "]");
    out.push_back(Read(path, objects[i], violate));
    if (!ids.insert(out.back().object_id).second) {
      violate(path + ".object_id",
              absl::StrCat(out.back().object_id, " is used twice"));
    }
  }
  return out;
}

GivenObject GivenObjectReader::Read(const std::string& field,
                                    const v1::GivenObject& object,
                                    const Violate& violate) {
  GivenObject out;
  out.object_id = object.object_id();
  if (out.object_id < 0 ||
      out.object_id > std::numeric_limits<int32_t>::max()) {
    violate(field + ".object_id",
            absl::StrCat("must be from 0 to 2147483647, is ", out.object_id));
  }
  const bool pointed = !object.points().empty() || object.has_box();
  if (!pointed && !object.has_mask()) {
    violate(field, "needs a point, a box or a mask");
  } else if (pointed && object.has_mask()) {
    violate(field + ".mask", "cannot be combined with points or a box");
  }
  out.points =
      ReadPoints(field + ".points", object.points(), max_points_, violate);
  if (object.has_box()) {
    out.box = {ReadBox(field + ".box", object.box(), violate),
               object.box().normalized()};
  }
  if (object.has_mask()) {
    out.mask = ReadMask(field + ".mask", object.mask(), violate);
  }
  return out;
}

std::shared_ptr<const GivenMask> GivenObjectReader::ReadMask(
    const std::string& field, const v1::Mask& mask, const Violate& violate) {
  auto runs = DecodeMask(FromProto(mask), mask_pixels_left_);
  if (!runs.ok()) {
    violate(field, std::string(runs.status().message()));
    return nullptr;
  }
  mask_pixels_left_ -= int64_t{runs->width} * runs->height;
  return std::make_shared<const GivenMask>(
      GivenMask{runs->width, runs->height, std::move(runs->counts)});
}

std::vector<GivenObject> GivenObjectReader::ReadList(
    const std::string& name,
    const google::protobuf::RepeatedPtrField<v1::GivenObject>& objects,
    std::vector<PromptRejected>* rejected) {
  std::vector<GivenObject> out;
  for (int i = 0; i < std::min(objects.size(), max_objects_); ++i) {
    std::vector<FieldViolation> violations;
    GivenObject object =
        Read(absl::StrCat("prompt_update.", name, "[", i, "]"), objects[i],
             [&violations](std::string field, std::string what) {
               violations.push_back({std::move(field), std::move(what)});
             });
    if (violations.empty()) {
      out.push_back(std::move(object));
    } else {
      rejected->push_back(
          {absl::StrCat(object.object_id), InvalidRequest(violations)});
    }
  }
  if (objects.size() > max_objects_) {
    rejected->push_back({absl::StrCat(objects[max_objects_].object_id()),
                         TooMany(absl::StrCat("prompt_update.", name),
                                 objects.size(), max_objects_)});
  }
  return out;
}

void GivenObjectReader::ReadUpdate(const v1::PromptUpdate& update,
                                   PromptUpdate* out) {
  out->describe = ReadList("describe", update.describe(), &out->rejected);
  out->preview = ReadList("preview", update.preview(), &out->rejected);
  out->commit = ReadList("commit", update.commit(), &out->rejected);
  const int drops = std::min(update.drop_object_ids_size(), max_objects_);
  out->drop.assign(update.drop_object_ids().begin(),
                   update.drop_object_ids().begin() + drops);
  if (drops < update.drop_object_ids_size()) {
    out->rejected.push_back({absl::StrCat(update.drop_object_ids(drops)),
                             TooMany("prompt_update.drop_object_ids",
                                     update.drop_object_ids_size(), drops)});
  }
}

}  // namespace sam3
