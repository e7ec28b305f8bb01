#pragma once

#include <memory>

#include "inference/base/clock.h"
#include "inference/image.h"
#include "pipeline/connect_pacer.h"
#include "pipeline/media/image_decoder.h"
#include "pipeline/media/live_source.h"
#include "pipeline/metrics.h"
#include "pipeline/source_url.h"
#include "pipeline/video_reader.h"

namespace sam3 {

// A reader of a live source that connects anew, up the ReconnectLadder, when
// the connection fails or breaks, and tells the sink of every gap. It ends with
// what no attempt would change: a refusal of the gate, a connection whose first
// picture is too large, and before the first picture also a source that is not
// there, wants another password, or cannot be believed or decoded. Takes no
// bytes.
//
// The sink gets SourceOpened() with the first picture only, then kStalled,
// kReconnecting and kBack events as they happen, and kDamaged when a connection
// ends and else at most every ten seconds, so that a bad line does not drown
// the results; the offsets of its frames always grow. Stop() is noticed at
// once, while waiting too.
//
// Everything borrowed must outlive the reader.
std::unique_ptr<VideoReader> MakeLiveReader(
    SourceUrl url, const ImageLimits& limits, HostAllocator& allocator,
    const LiveSource& source, ConnectPacer& pacer, Clock& clock,
    PipelineMetrics& metrics, FrameSink& sink);

}  // namespace sam3
