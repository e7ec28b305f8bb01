#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace sam3 {

// Where input pixels live. The engine supplies it, so that pixels can be put
// into pinned memory where the device copies from. Thread-safe. Returns null
// when there is no memory.
class HostAllocator {
 public:
  virtual ~HostAllocator() = default;
  virtual std::shared_ptr<uint8_t> Allocate(size_t size_bytes) = 0;
};

// Ordinary heap memory.
class HeapAllocator final : public HostAllocator {
 public:
  std::shared_ptr<uint8_t> Allocate(size_t size_bytes) override;
};

// A decoded picture: 8-bit RGB, interleaved, rows without padding, already
// oriented. A cheap value: copies share the pixels, which never change once
// the image is handed on.
class Image {
 public:
  static constexpr size_t kBytesPerPixel = 3;

  Image() = default;
  Image(std::shared_ptr<const uint8_t> pixels, int width, int height)
      : pixels_(std::move(pixels)), width_(width), height_(height) {}

  int width() const { return width_; }
  int height() const { return height_; }
  bool empty() const { return pixels_ == nullptr; }
  // size_bytes() of them, row-major from the top left.
  const uint8_t* pixels() const { return pixels_.get(); }
  size_t size_bytes() const {
    return static_cast<size_t>(width_) * static_cast<size_t>(height_) *
           kBytesPerPixel;
  }

 private:
  std::shared_ptr<const uint8_t> pixels_;
  int width_ = 0;
  int height_ = 0;
};

}  // namespace sam3
