#pragma once

#include <unistd.h>

#include <utility>

namespace sam3 {

// An open file or socket; closed with this object.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }

  // Negative when there is none.
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  void Close() const {
    if (fd_ >= 0) ::close(fd_);
  }

  int fd_ = -1;
};

}  // namespace sam3
