#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "pipeline/media/url_failure.h"
#include "pipeline/segmentation.h"
#include "pipeline/source_failure.h"
#include "pipeline/stream_events.h"

namespace sam3 {

// Plain numbers that the pipeline keeps about itself. Nothing here knows of a
// metrics library: the service reads the values when somebody asks for them.
//
// Threads: every object may be written and read from any thread; no call
// blocks. Reads of several numbers are not one consistent snapshot.

// A number that only grows.
class Counter {
 public:
  void Add(int64_t amount = 1) {
    value_.fetch_add(amount, std::memory_order_relaxed);
  }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// A number that goes up and down.
class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t amount) {
    value_.fetch_add(amount, std::memory_order_relaxed);
  }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Counts of observations per interval. `bounds` are the inclusive upper ends,
// ascending; a last interval without end is implied.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);

  void Observe(double value);
  void Observe(absl::Duration value) { Observe(absl::ToDoubleSeconds(value)); }

  struct Snapshot {
    std::vector<double> bounds;
    std::vector<int64_t> counts;  // bounds.size() + 1, not cumulative
    int64_t count = 0;
    double sum = 0;
  };
  Snapshot Read() const;

  // Upper end of the interval that holds the given quantile in (0, 1]; 0 when
  // nothing was observed, infinity beyond the last bound.
  double Quantile(double quantile) const;

 private:
  const std::vector<double> bounds_;
  std::vector<std::atomic<int64_t>> counts_;
  std::atomic<double> sum_{0};
};

inline constexpr size_t kDropReasonCount =
    static_cast<size_t>(DropReason::kCancelled) + 1;

// Everything the pipeline counts. Owned by whoever creates the Segmenter, and
// outlives it. Durations are in seconds.
struct PipelineMetrics {
  PipelineMetrics();

  // Requests, by how far they came.
  Counter requests_accepted;
  Counter requests_refused;         // queues full, draining, no slot
  Counter requests_finished;        // accepted and answered OK
  Counter requests_failed;          // accepted and answered with an error
  Counter requests_expired;         // deadline passed while queued
  Counter cancelled_before_engine;  // work saved by cancellation
  Counter cancelled_after_engine;   // work that the engine did for nobody
  Gauge requests_active;
  Gauge draining;         // 1 from the beginning of a drain on
  Counter decode_errors;  // pictures, frames and parts of videos

  std::array<Counter, kUrlFailureCount> url_failures;  // by UrlFailure

  // Stages of a request or frame.
  Histogram fetch_seconds;
  Histogram decode_seconds;
  Histogram queue_seconds;
  Histogram encode_seconds;
  Histogram ground_seconds;
  Histogram post_seconds;
  Histogram total_seconds;

  // Scheduler.
  Gauge queued_jobs;
  Gauge queued_bytes;
  // From the moment that a job waited and the device was free to the moment
  // that its batch was formed.
  Histogram scheduling_delay_seconds;

  // Device.
  Counter batches;
  Counter batch_failures;
  Counter batch_splits;  // out of memory, tried again in halves
  Counter engine_out_of_memory;
  Counter engine_other_errors;
  Gauge engine_weights_bytes;
  Gauge engine_working_bytes;
  Counter images_encoded;
  Counter pairs_grounded;
  Counter objects_clicked;
  Histogram batch_images;
  Histogram batch_pairs;
  Counter engine_busy_nanoseconds;
  Gauge device_lost;  // 1 once the device is gone for good

  // Caches.
  Counter image_cache_hits;
  Counter image_cache_misses;
  Counter image_cache_evictions;
  Gauge image_cache_bytes;
  Counter text_cache_hits;
  Counter text_cache_misses;
  Counter text_cache_evictions;
  Gauge text_cache_bytes;
  Counter logits_cache_hits;
  Counter logits_cache_misses;
  Counter logits_cache_evictions;
  Gauge logits_cache_bytes;

  // Streams.
  Gauge streams_active;
  Gauge tracked_objects;
  Gauge tracked_bytes;
  Counter streams_opened;
  Counter frames_in;
  Counter frames_answered;
  Counter frames_refused;
  std::array<Counter, kDropReasonCount> frames_dropped;  // by DropReason
  // Connections to live sources that were tried, and that failed or broke.
  Counter source_connects;
  std::array<Counter, kSourceFailureCount> source_failures;
  // From a frame's arrival to its result being ready to send.
  Histogram frame_age_seconds;
};

}  // namespace sam3
