#include "pipeline/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace sam3 {
namespace {

std::vector<double> SecondsBounds() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
          0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,    120};
}

std::vector<double> SizeBounds() {
  return {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128};
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::Observe(double value) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  counts_[bound - bounds_.begin()].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::Read() const {
  Snapshot snapshot;
  snapshot.bounds = bounds_;
  snapshot.counts.reserve(counts_.size());
  for (const auto& count : counts_) {
    snapshot.counts.push_back(count.load(std::memory_order_relaxed));
    snapshot.count += snapshot.counts.back();
  }
  snapshot.sum = sum_.load(std::memory_order_relaxed);
  return snapshot;
}

double Histogram::Quantile(double quantile) const {
  const Snapshot snapshot = Read();
  if (snapshot.count == 0) return 0;
  const auto rank = static_cast<int64_t>(
      std::ceil(quantile * static_cast<double>(snapshot.count)));
  int64_t seen = 0;
  for (size_t i = 0; i < bounds_.size(); ++i) {
    seen += snapshot.counts[i];
    if (seen >= rank) return bounds_[i];
  }
  return std::numeric_limits<double>::infinity();
}

PipelineMetrics::PipelineMetrics()
    : fetch_seconds(SecondsBounds()),
      decode_seconds(SecondsBounds()),
      queue_seconds(SecondsBounds()),
      encode_seconds(SecondsBounds()),
      ground_seconds(SecondsBounds()),
      post_seconds(SecondsBounds()),
      total_seconds(SecondsBounds()),
      scheduling_delay_seconds(SecondsBounds()),
      batch_images(SizeBounds()),
      batch_pairs(SizeBounds()),
      frame_age_seconds(SecondsBounds()) {}

}  // namespace sam3
