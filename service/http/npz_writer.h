#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

struct z_stream_s;

namespace sam3 {

// Writes a NumPy archive (.npz), a zip file of deflated .npy arrays that
// numpy.load() reads. Arrays are given piece by piece, so that one that is
// larger than it is interesting never lies in memory. Little-endian machines.
// Not thread-safe.
class NpzWriter {
 public:
  NpzWriter() = default;
  ~NpzWriter() = default;
  NpzWriter(const NpzWriter&) = delete;
  NpzWriter& operator=(const NpzWriter&) = delete;

  // Begins an array; `dtype` as NumPy writes it, "|u1", "<f4" or "<i4".
  void BeginArray(absl::string_view name, absl::string_view dtype,
                  const std::vector<int64_t>& shape);
  // Its elements, row-major; in all as many as the shape says.
  void Append(absl::string_view bytes);
  void EndArray();

  // A whole array.
  template <typename T>
  void Add(absl::string_view name, absl::string_view dtype,
           const std::vector<int64_t>& shape, const std::vector<T>& values) {
    BeginArray(name, dtype, shape);
    Append({reinterpret_cast<const char*>(values.data()),
            values.size() * sizeof(T)});
    EndArray();
  }

  // The file, of less than 4 GiB. Nothing may be added afterwards.
  std::string Finish();

 private:
  struct Entry {
    std::string name;
    uint32_t crc = 0;
    uint64_t size = 0;
    uint64_t deflated_size = 0;
    uint64_t offset = 0;
  };
  struct EndDeflating {
    void operator()(z_stream_s* stream) const;
  };
  void Deflate(absl::string_view bytes, int flush);

  std::string out_;
  std::vector<Entry> entries_;
  std::unique_ptr<z_stream_s, EndDeflating> stream_;  // while an array is open
};

}  // namespace sam3
