#include "inference/image.h"

#include <new>

namespace sam3 {

std::shared_ptr<uint8_t> HeapAllocator::Allocate(size_t size_bytes) {
  auto* memory = new (std::nothrow) uint8_t[size_bytes];
  if (memory == nullptr) return nullptr;
  return std::shared_ptr<uint8_t>(memory, std::default_delete<uint8_t[]>());
}

}  // namespace sam3
