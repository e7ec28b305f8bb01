#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "sam3/v1/image.pb.h"
#include "service/http/compat.h"
#include "service/http/json_reader.h"
#include "service/http/json_writer.h"

namespace sam3 {

// Reads `image`, {"type": ..., "value": ...}, and takes the bytes out of their
// base64. Problems of form go to the fields' problems. INVALID_ARGUMENT
// (MEDIA_UNDECODABLE) for what is no picture by its form: a type that is not
// taken, a value that is empty or no base64. Pure; any thread.
absl::Status ReadImage(const JsonFields& image, v1::Image* out);

// The name under which v1 knows the picture that a client calls `image_id`,
// which may be any text here: itself where v1 allows it, else a hash of it.
std::string V1ImageId(absl::string_view image_id);

// The public server looks a picture up by its name alone and looks at the
// picture that came along only when the name is not cached. Leaves the name in
// `image` and moves the whole to `held`, if there are both.
void HoldImage(v1::Image* image, v1::Image* held);

// Whether a request that failed with `status` is worth another try, and with
// which picture: the one that was held back, since its name is not cached; or
// the same without its name, which belongs to another picture (then `warnings`
// gets a line).
bool AmendImage(const absl::Status& status, HttpCompat compat, v1::Image* image,
                v1::Image* held, std::vector<std::string>* warnings);

// {"width": ..., "height": ..., "exif_orientation": ..., "digest": ...}.
void WriteImageInfo(const v1::ImageInfo& info, JsonWriter* out);

}  // namespace sam3
