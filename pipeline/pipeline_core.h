#pragma once

#include <memory>
#include <utility>

#include "inference/base/clock.h"
#include "inference/engine_factory.h"
#include "pipeline/batch_scheduler.h"
#include "pipeline/connect_pacer.h"
#include "pipeline/embedding_cache.h"
#include "pipeline/logits_cache.h"
#include "pipeline/media/host_resolver.h"
#include "pipeline/media/live_source.h"
#include "pipeline/media/url_fetcher.h"
#include "pipeline/media/url_gate.h"
#include "pipeline/media/video_opener.h"
#include "pipeline/metrics.h"
#include "pipeline/segmenter_factory.h"
#include "pipeline/thread_pool.h"
#include "pipeline/tracked_memory.h"

namespace sam3 {

// What stills and streams share: the model, the queue in front of its device,
// the pools on both sides of it. Built before and destroyed after everything
// that uses it. The members are thread-safe except the engine, which belongs to
// the device worker once that has started.
struct PipelineCore {
  PipelineCore(LoadedModel loaded, const SegmenterOptions& chosen, UrlGate gate,
               Clock& time, PipelineMetrics& counted)
      : model(std::move(loaded)),
        options(chosen),
        clock(time),
        metrics(counted),
        cache(chosen.image_cache_bytes, counted),
        logits(chosen.logits_cache_bytes, counted),
        tracked_memory(chosen.max_tracked_bytes, counted),
        scheduler({.max_queued_jobs = chosen.max_queued_jobs,
                   .max_queued_bytes = chosen.max_queued_bytes,
                   .max_batch_images = chosen.max_batch_images,
                   .max_batch_pairs = chosen.max_batch_pairs,
                   .batch_time = chosen.batch_time},
                  time, counted),
        resolver(MakeDnsResolver(/*servers=*/"", time)),
        fetcher(FetchOptions(chosen), gate, *resolver, time, counted),
        videos(chosen.video_opener != nullptr ? *chosen.video_opener
                                              : in_process_videos),
        live_source(MakeLiveSource(chosen.live, std::move(gate), *resolver,
                                   videos, time, counted)),
        connect_pacer(chosen.live.max_connects_per_second),
        decode_pool(
            {.name = "sam3-decode", .max_threads = chosen.decode_threads}),
        encode_pool(
            {.name = "sam3-encode", .max_threads = chosen.encode_threads}),
        fetch_pool({.name = "sam3-fetch",
                    .max_threads = chosen.max_url_fetches,
                    .max_queued = chosen.max_queued_url_fetches}) {}

  static UrlFetcher::Options FetchOptions(const SegmenterOptions& chosen) {
    UrlFetcher::Options fetch = chosen.url_fetch;
    fetch.max_bytes = chosen.image_limits.max_bytes;
    return fetch;
  }

  LoadedModel model;
  const SegmenterOptions options;
  Clock& clock;
  PipelineMetrics& metrics;
  EmbeddingCache cache;
  LogitsCache logits;
  TrackedMemory tracked_memory;
  BatchScheduler scheduler;
  const std::unique_ptr<HostResolver> resolver;
  const UrlFetcher fetcher;
  const InProcessVideoOpener in_process_videos;
  const VideoOpener& videos;
  const std::unique_ptr<LiveSource> live_source;
  ConnectPacer connect_pacer;
  ThreadPool decode_pool;
  ThreadPool encode_pool;
  ThreadPool fetch_pool;
};

}  // namespace sam3
