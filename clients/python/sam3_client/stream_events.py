"""What a stream tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional, Union

from sam3_client._proto.sam3.v1 import stream_pb2
from sam3_client.detections import make_detections
from sam3_client.errors import Sam3Error, error_from_status
from sam3_client.results import (Instance, PromptResult, Timings,
                                 instance_from_proto, object_state_name,
                                 prompt_result_from_proto, seconds_of,
                                 timings_from_proto)

if TYPE_CHECKING:
    import supervision


@dataclass(frozen=True)
class StreamStarted:
    """First event, and where a stream goes on with another server."""

    stream_id: str
    """Names the stream in the server's logs."""
    width: int
    """Of upright frames in pixels; 0 when not known yet."""
    height: int
    frame_rate: float
    """Nominal; 0 when not known yet."""
    resumed_objects: Optional[int] = None
    """Where it goes on: how many objects were taken over."""


@dataclass(frozen=True)
class ObjectEvent:
    """A followed object has come, gone or changed."""

    object_id: int
    state: str
    """"TENTATIVE", "CONFIRMED", "LOST", "RECOVERED", "RETRACTED" or "ENDED"."""


@dataclass(frozen=True, eq=False)
class FrameResult:
    """The answer on one frame. Frame indexes never decrease."""

    frame_index: int
    """Counts the frames that came in, from 0."""
    start_offset: float
    """Media time since the first frame, in seconds."""
    capture_time: Optional[datetime]
    """When the frame was taken, if the source said so."""
    width: int
    """Of the oriented frame in pixels."""
    height: int
    results: list[PromptResult]
    """One per prompt, in the prompts' order."""
    timings: Timings
    discontinuity: bool = False
    """Of the first answered frame behind a gap in the source."""
    object_events: tuple[ObjectEvent, ...] = ()
    """On a stream that tracks, in the order in which they happened."""
    tracked_only: bool = False
    """No detector ran on this frame (`detect_every`)."""
    objects_not_taken: int = 0
    """Found, but there was no room for new objects: `max_objects`, or the
    server's memory."""

    def to_detections(self) -> supervision.Detections:
        """As SegmentResult.to_detections."""
        return make_detections(self.results, self.width, self.height)


@dataclass(frozen=True)
class FramesDropped:
    """A run of frames that get no answer."""

    first_frame_index: int
    last_frame_index: int
    """Inclusive."""
    reason: str
    """"STALE", "SAMPLED_OUT", "UNDECODABLE", "SLOW_CONSUMER", "ENGINE" or
    "CANCELLED"."""


@dataclass(frozen=True)
class FrameRefused:
    """A frame that could not be taken at all."""

    frame_index: int
    error: Sam3Error


@dataclass(frozen=True)
class PromptRejected:
    """A prompt, or a given object, that cannot be served; the stream goes
    on."""

    prompt_id: str
    """Of an object its number, as text."""
    error: Sam3Error


@dataclass(frozen=True, eq=False)
class ObjectPreview:
    """Answers Stream.preview and Stream.commit, object by object."""

    frame_index: int
    """The newest frame when it was asked."""
    instance: Instance
    """What the object is there, given what was said of it."""
    committed: bool


@dataclass(frozen=True)
class PromptsUpdated:
    """Answers whatever changes what a stream looks for."""

    effective_frame_index: int
    """First frame that is analysed with the new prompts or objects."""


@dataclass(frozen=True)
class SourceEvent:
    """A change of the source."""

    kind: str
    """As in "OPENED", "RESOLUTION_CHANGED", "DAMAGED", "ENDED", and of a camera
    "STALLED", "RECONNECTING", "BACK"."""
    frame_index: int
    """From which frame on."""
    message: str
    width: int
    """Of upright frames in pixels; 0 when not told."""
    height: int
    frame_rate: float
    failure: Optional[str] = None
    """With "RECONNECTING": why, as in "CONNECTION", "AUTH", "TIMEOUT"."""
    attempt: int = 0
    """With "RECONNECTING": counts the attempts since frames came, from 1."""
    retry_delay: float = 0
    """With "RECONNECTING": seconds until the next attempt."""
    outage: float = 0
    """With "BACK": for how many seconds no frame came."""


@dataclass(frozen=True)
class GoingAway:
    """The server is about to stop; open a new stream elsewhere. Not told of a
    stream that resumes: it does that."""

    within: float
    """Seconds for which this stream is served as before, at most."""


@dataclass(frozen=True)
class StreamSummary:
    """Last event: frames_in = answered + all dropped + refused."""

    frames_in: int
    answered: int
    dropped: dict[str, int]
    """By reason, as in FramesDropped; reasons with none are left out."""
    refused: int


StreamEvent = Union[StreamStarted, FrameResult, FramesDropped, FrameRefused,
                    PromptRejected, PromptsUpdated, ObjectPreview, SourceEvent,
                    GoingAway, StreamSummary]


def _drop_reason(reason: stream_pb2.DropReason) -> str:
    return _name(stream_pb2.DropReason, reason, "DROP_REASON_")


def _name(enum: Any, value: int, prefix: str) -> str:
    """A value of a later version is told as its number."""
    if value not in enum.values():
        return str(value)
    return str(enum.Name(value)[len(prefix):])


class EventReader:
    """Puts the server's messages together to events; one per stream."""

    def __init__(self) -> None:
        self._frame_index = -1
        self._results: list[PromptResult] = []
        self._events: list[ObjectEvent] = []

    def read(self, message: stream_pb2.SegmentStreamResponse
             ) -> Optional[StreamEvent]:
        """None when the message completes no event."""
        kind = message.WhichOneof("message")
        if kind == "result":
            return self._read_result(message.result)
        if kind == "started":
            started = message.started
            return StreamStarted(
                started.stream_id, started.width_px, started.height_px,
                started.frame_rate, started.resumed.object_count
                if started.HasField("resumed") else None)
        if kind == "dropped":
            dropped = message.dropped
            return FramesDropped(dropped.first_frame_index,
                                 dropped.last_frame_index,
                                 _drop_reason(dropped.reason))
        if kind == "refused":
            return FrameRefused(message.refused.frame_index,
                                error_from_status(message.refused.status))
        if kind == "rejected":
            return PromptRejected(message.rejected.prompt_id,
                                  error_from_status(message.rejected.status))
        if kind == "preview":
            preview = message.preview
            return ObjectPreview(preview.frame_index,
                                 instance_from_proto(preview.instance),
                                 preview.committed)
        if kind == "prompts_updated":
            return PromptsUpdated(
                message.prompts_updated.effective_frame_index)
        if kind == "source_event":
            event = message.source_event
            return SourceEvent(
                _name(stream_pb2.SourceEvent.Kind, event.kind, "KIND_"),
                event.frame_index, event.message, event.width_px,
                event.height_px, event.frame_rate,
                _name(stream_pb2.SourceEvent.Failure, event.failure,
                      "FAILURE_") if event.failure else None,
                event.attempt, seconds_of(event.retry_delay),
                seconds_of(event.outage))
        if kind == "going_away":
            return GoingAway(seconds_of(message.going_away.within))
        if kind == "summary":
            summary = message.summary
            return StreamSummary(
                summary.frames_in_count, summary.answered_count,
                {_drop_reason(entry.reason): entry.frame_count
                 for entry in summary.dropped}, summary.refused_count)
        # Heartbeats, and what later versions of the server say.
        return None

    def _read_result(self, frame: stream_pb2.FrameResult
                     ) -> Optional[FrameResult]:
        # A frame that was begun and not completed was dropped; that is told.
        if frame.frame_index != self._frame_index:
            self._frame_index = frame.frame_index
            self._results, self._events = [], []
        self._results.append(prompt_result_from_proto(frame.result))
        self._events += [
            ObjectEvent(event.object_id, object_state_name(event.state))
            for event in frame.object_events]
        if not frame.last_in_frame:
            return None
        results = sorted(self._results, key=lambda r: r.prompt_index)
        self._results, events = [], tuple(self._events)
        self._events = []
        taken = None
        if frame.HasField("capture_time"):
            taken = frame.capture_time.ToDatetime(tzinfo=timezone.utc)
        return FrameResult(
            frame.frame_index, seconds_of(frame.start_offset), taken,
            frame.width_px, frame.height_px, results,
            timings_from_proto(frame.timings), frame.discontinuity, events,
            frame.tracked_only, frame.objects_not_taken_count)
