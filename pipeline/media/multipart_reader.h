#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pipeline/media/byte_source.h"

namespace sam3 {

// The boundary that a multipart Content-Type names; nothing when it is of
// another type or names none.
std::optional<std::string> MultipartBoundary(absl::string_view content_type);

// Takes the parts out of a multipart body, as cameras send them: with or
// without a length, which may be wrong, and with a boundary that has its dashes
// or not. What is between parts is skipped.
//
// Not thread-safe. Next() blocks as its bytes do.
class MultipartReader {
 public:
  // `bytes` must outlive the reader.
  MultipartReader(ByteReader& bytes, absl::string_view boundary,
                  size_t max_part_bytes);

  // The next part's body; nothing when the bytes end or fail, which only
  // `bytes` can tell. RESOURCE_EXHAUSTED (MEDIA_TOO_LARGE) for a part beyond
  // the bound, INVALID_ARGUMENT (MEDIA_UNDECODABLE) when as much passes without
  // a part.
  absl::StatusOr<std::optional<std::string>> Next();

 private:
  // More bytes at the end of the buffer; false when there are none.
  bool Fill();
  // Where `text` begins, reading on as needed; nothing at the end, or when it
  // does not begin within `max_bytes` of `from`, however the bytes arrive.
  std::optional<size_t> Find(absl::string_view text, size_t from,
                             size_t max_bytes);
  absl::Status TooLong(absl::string_view what) const;
  absl::StatusOr<std::optional<std::string>> Body(size_t length);
  absl::StatusOr<std::optional<std::string>> BodyUpToDelimiter();

  ByteReader& bytes_;
  const std::string delimiter_;
  const size_t max_part_bytes_;
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace sam3
