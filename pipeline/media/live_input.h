#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "pipeline/media/byte_source.h"

namespace sam3 {

// One connection to a live source, as the bytes that come out of it.
//
// Threads: as ByteReader; the other methods from the reading thread.
class LiveInput : public ByteReader {
 public:
  // Read() fails (TIMEOUT) when this has passed.
  virtual void SetDeadline(absl::Time deadline) = 0;

  // See LiveWait; for an input that comes as its pictures are made.
  virtual void SetPictureInterval(absl::Duration /*interval*/) {}

  // After Read() returned 0: whether other bytes follow, which it gives from
  // now on, and which do not go on from those before: they want a new decoder.
  virtual bool NextPart() { return false; }

  // Why Read() returned -1; with a class of source_failure.h, or CANCELLED.
  virtual absl::Status status() const = 0;
};

}  // namespace sam3
