#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "inference/engine_factory.h"
#include "pipeline/media/image_decoder.h"
#include "pipeline/media/live_limits.h"
#include "pipeline/media/url_fetcher.h"
#include "pipeline/media/url_gate.h"
#include "pipeline/media/video_opener.h"
#include "pipeline/metrics.h"
#include "pipeline/segmenter.h"

namespace sam3 {

// How one device's pipeline is dimensioned. The defaults suit one GPU, or a
// small model on the CPU; see each field for what to watch before changing it.
struct SegmenterOptions {
  ImageLimits image_limits;

  // Pictures that clients name by URL: what may be fetched (nothing unless
  // hosts are named), how, and how many at a time and waiting. Each may hold
  // `image_limits.max_bytes` until its size is known.
  UrlGate::Options url_gate = {};
  UrlFetcher::Options url_fetch = {};
  // Streams that clients name by URL; what may be opened is url_gate's matter.
  LiveLimits live = {};
  int max_url_fetches = 16;
  size_t max_queued_url_fetches = 32;

  // What opens videos and outlives the pipeline; null decodes them in this
  // process, which a video that crashes its decoder then takes along.
  const VideoOpener* video_opener = nullptr;

  // Threads that decode stills and pushed frames, and threads that turn masks
  // into wire formats. Raise when decode or post time dominates.
  int decode_threads = 2;
  int encode_threads = 2;

  // Requests that may be anywhere between arrival and answer, and the encoded
  // bytes that they may hold together; one key may have a part of either, see
  // Admission. Beyond that a request is refused with RESOURCE_EXHAUSTED. 0 is
  // not allowed.
  int max_active_requests = 512;
  size_t max_active_bytes = size_t{1} << 30;

  // Still images that may wait for the device, and the pixels that they may
  // hold. Queue enough to keep the device busy and no more: every further entry
  // is latency.
  int max_queued_jobs = 256;
  size_t max_queued_bytes = size_t{2} << 30;

  // Most pictures and most (picture, prompt) pairs in one batch. A single
  // request with more pairs than this is run alone.
  int max_batch_images = 8;
  int max_batch_pairs = 32;
  // What a batch may take where its jobs can be run in several: whoever comes
  // waits for up to two. On a GPU larger batches gain next to nothing, on a CPU
  // none does.
  absl::Duration batch_time = absl::Milliseconds(50);

  // Bytes of embeddings that are kept. 0 keeps none.
  size_t image_cache_bytes = size_t{1} << 30;
  size_t text_cache_bytes = size_t{64} << 20;
  // Bytes of click logits that are kept to be refined: 0.3 MB a mask of the
  // published model. 0 keeps none.
  size_t logits_cache_bytes = size_t{256} << 20;
  // Texts whose embeddings are made at once and kept for good, beside that
  // budget.
  std::vector<std::string> pinned_texts = {};

  // Streams at a time: never more than `max_streams`, and no more than the
  // device can serve with `min_stream_fps` analysed frames a second each (but
  // always one), judged by what frames took of late: following many objects
  // costs more than finding them.
  int max_streams = 128;
  double min_stream_fps = 1.0;

  // What the objects that all streams follow may hold of the device's memory;
  // beyond it new ones are not taken.
  size_t max_tracked_bytes = size_t{4} << 30;

  // Largest pushed frame, encoded; a larger one is refused. A few of them wait
  // per stream.
  size_t max_frame_bytes = size_t{4} << 20;
  // Per stream: results that may wait for the client, in frames and bytes.
  int max_unsent_frames = 8;
  size_t max_unsent_bytes = size_t{16} << 20;
  // A client that leaves results unread for so long loses its stream.
  absl::Duration slow_consumer_timeout = absl::Seconds(30);
  // Silence after which a Heartbeat is sent.
  absl::Duration heartbeat_interval = absl::Seconds(15);

  // How long streams are served on after their clients were told that the
  // server stops. 0 takes no more input at once.
  absl::Duration drain_notice = absl::Seconds(10);

  // Engine calls once per size before the first request; also measures the
  // capacity.
  bool warm_up = true;
};

// Builds the pipeline around a loaded model: starts its threads, warms the
// engine up and measures what it can carry. Blocks until that is done, then
// the Segmenter accepts work. `clock` and `metrics` must outlive it.
//
// Destroying the Segmenter ends what is left with UNAVAILABLE and joins all
// threads; call Drain() first to finish it. No `done` is called afterwards.
//
// INVALID_ARGUMENT names the option or the pinned text that makes no sense;
// otherwise the engine's own error from warming up.
absl::StatusOr<std::unique_ptr<Segmenter>> CreateSegmenter(
    LoadedModel model, const SegmenterOptions& options, Clock& clock,
    PipelineMetrics& metrics);

}  // namespace sam3
