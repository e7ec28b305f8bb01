#include "service/http/npz_writer.h"

#include <zlib.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

// Of PKWARE's APPNOTE: what the parts of a zip file begin with.
constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kCentralHeader = 0x02014b50;
constexpr uint32_t kEndOfDirectory = 0x06054b50;
constexpr uint16_t kVersionNeeded = 20;
constexpr uint16_t kDeflated = 8;
// 1980-01-01, the first day that zip knows: the same masks give the same bytes.
constexpr uint16_t kFirstDay = (1 << 5) | 1;
// NumPy wants the header of an array to end on such a boundary.
constexpr size_t kHeaderAlignment = 64;
constexpr size_t kDeflateBuffer = 64 << 10;

template <typename T>
void AppendLittleEndian(T value, std::string* out) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    out->push_back(static_cast<char>(value >> (8 * i)));
  }
}

// What both headers of an entry share, from the version on.
void AppendFacts(uint32_t crc, uint64_t deflated, uint64_t size,
                 const std::string& name, std::string* out) {
  AppendLittleEndian(kVersionNeeded, out);
  AppendLittleEndian(uint16_t{0}, out);  // flags
  AppendLittleEndian(kDeflated, out);
  AppendLittleEndian(uint16_t{0}, out);  // time
  AppendLittleEndian(kFirstDay, out);
  AppendLittleEndian(crc, out);
  AppendLittleEndian(static_cast<uint32_t>(deflated), out);
  AppendLittleEndian(static_cast<uint32_t>(size), out);
  AppendLittleEndian(static_cast<uint16_t>(name.size()), out);
  AppendLittleEndian(uint16_t{0}, out);  // extra field
}

std::string LocalHeader(uint32_t crc, uint64_t deflated, uint64_t size,
                        const std::string& name) {
  std::string header;
  AppendLittleEndian(kLocalHeader, &header);
  AppendFacts(crc, deflated, size, name, &header);
  return header + name;
}

// NumPy's format 1.0.
std::string ArrayHeader(absl::string_view dtype,
                        const std::vector<int64_t>& shape) {
  std::string about = absl::StrCat(
      "{'descr': '", dtype, "', 'fortran_order': False, ", "'shape': (",
      absl::StrJoin(shape, ", "), shape.size() == 1 ? ",), }" : "), }");
  std::string header = "\x93NUMPY";
  header.append("\x01\x00", 2);
  // After the length's two bytes; the line ends with a newline.
  const size_t used = header.size() + 2 + about.size() + 1;
  about.append((kHeaderAlignment - used % kHeaderAlignment) % kHeaderAlignment,
               ' ');
  about.push_back('\n');
  AppendLittleEndian(static_cast<uint16_t>(about.size()), &header);
  return header + about;
}

}  // namespace

void NpzWriter::EndDeflating::operator()(z_stream_s* stream) const {
  deflateEnd(stream);
  delete stream;
}

void NpzWriter::BeginArray(absl::string_view name, absl::string_view dtype,
                           const std::vector<int64_t>& shape) {
  Entry entry;
  entry.name = absl::StrCat(name, ".npy");
  entry.crc = static_cast<uint32_t>(crc32(0, nullptr, 0));
  entry.offset = out_.size();
  // Its numbers are known at the end.
  out_ += LocalHeader(0, 0, 0, entry.name);
  entries_.push_back(std::move(entry));
  stream_.reset(new z_stream_s());
  // Raw deflate: zip has a frame of its own.
  SAM3_CHECK(deflateInit2(stream_.get(), Z_BEST_SPEED, Z_DEFLATED, -MAX_WBITS,
                          MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK);
  Append(ArrayHeader(dtype, shape));
}

void NpzWriter::Append(absl::string_view bytes) {
  Entry& entry = entries_.back();
  entry.size += bytes.size();
  entry.crc = static_cast<uint32_t>(crc32_z(
      entry.crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  Deflate(bytes, Z_NO_FLUSH);
}

void NpzWriter::EndArray() {
  Deflate("", Z_FINISH);
  stream_.reset();
  Entry& entry = entries_.back();
  const std::string placed = LocalHeader(0, 0, 0, entry.name);
  entry.deflated_size = out_.size() - entry.offset - placed.size();
  out_.replace(
      entry.offset, placed.size(),
      LocalHeader(entry.crc, entry.deflated_size, entry.size, entry.name));
}

std::string NpzWriter::Finish() {
  const size_t directory = out_.size();
  for (const Entry& entry : entries_) {
    AppendLittleEndian(kCentralHeader, &out_);
    AppendLittleEndian(kVersionNeeded, &out_);  // made by
    AppendFacts(entry.crc, entry.deflated_size, entry.size, entry.name, &out_);
    AppendLittleEndian(uint16_t{0}, &out_);  // comment
    AppendLittleEndian(uint16_t{0}, &out_);  // disk
    AppendLittleEndian(uint16_t{0}, &out_);  // internal attributes
    AppendLittleEndian(uint32_t{0}, &out_);  // external attributes
    AppendLittleEndian(static_cast<uint32_t>(entry.offset), &out_);
    out_ += entry.name;
  }
  const size_t size = out_.size() - directory;
  AppendLittleEndian(kEndOfDirectory, &out_);
  AppendLittleEndian(uint32_t{0}, &out_);  // disks
  AppendLittleEndian(static_cast<uint16_t>(entries_.size()), &out_);
  AppendLittleEndian(static_cast<uint16_t>(entries_.size()), &out_);
  AppendLittleEndian(static_cast<uint32_t>(size), &out_);
  AppendLittleEndian(static_cast<uint32_t>(directory), &out_);
  AppendLittleEndian(uint16_t{0}, &out_);  // comment
  return std::move(out_);
}

void NpzWriter::Deflate(absl::string_view bytes, int flush) {
  char buffer[kDeflateBuffer];
  stream_->next_in =
      const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream_->avail_in = static_cast<uInt>(bytes.size());
  do {
    stream_->next_out = reinterpret_cast<Bytef*>(buffer);
    stream_->avail_out = sizeof(buffer);
    deflate(stream_.get(), flush);
    out_.append(buffer, sizeof(buffer) - stream_->avail_out);
  } while (stream_->avail_out == 0);
}

}  // namespace sam3
