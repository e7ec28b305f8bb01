"""Numbers and sums of a stream that is several calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Optional

from sam3_client.stream_events import (FrameRefused, FrameResult,
                                       FramesDropped, PromptsUpdated,
                                       SourceEvent, StreamEvent, StreamSummary)


class StreamAccount:
    """Makes one stream's events of those of its calls, each of which counts its
    frames and their time from 0. One thread."""

    def __init__(self) -> None:
        self._before = 0
        self._ended = 0
        self._seconds_before = self._last_offset = 0.0
        self._first_capture: Optional[tuple[datetime, float]] = None
        self._answered = self._refused = 0
        self._dropped: Counter[str] = Counter()

    def next_call(self, seconds: float) -> None:
        """Another call goes on, that many seconds after the first began."""
        self._before += self._ended
        self._ended = 0
        self._seconds_before = max(seconds, self._last_offset)

    def add(self, event: StreamEvent) -> StreamEvent:
        """Counts the event and returns it as the whole stream's."""
        if isinstance(event, FrameResult):
            self._answered += 1
            self._ended = event.frame_index + 1
            self._last_offset = self._start_offset(event)
            return replace(event, frame_index=self._before + event.frame_index,
                           start_offset=self._last_offset)
        if isinstance(event, FramesDropped):
            count = event.last_frame_index - event.first_frame_index + 1
            self._dropped[event.reason] += count
            self._ended = event.last_frame_index + 1
            return FramesDropped(self._before + event.first_frame_index,
                                 self._before + event.last_frame_index,
                                 event.reason)
        if isinstance(event, FrameRefused):
            self._refused += 1
            self._ended = event.frame_index + 1
            return replace(event, frame_index=self._before + event.frame_index)
        if isinstance(event, PromptsUpdated):
            return PromptsUpdated(self._before + event.effective_frame_index)
        if isinstance(event, SourceEvent):
            return replace(event, frame_index=self._before + event.frame_index)
        if isinstance(event, StreamSummary):
            return StreamSummary(
                self._answered + sum(self._dropped.values()) + self._refused,
                self._answered, dict(self._dropped), self._refused)
        return event

    def last_in_call(self) -> int:
        """The last frame of this call that is accounted for; -1 for none."""
        return self._ended - 1

    def _start_offset(self, event: FrameResult) -> float:
        if event.capture_time is None:
            return self._seconds_before + event.start_offset
        if self._first_capture is None:
            self._first_capture = event.capture_time, event.start_offset
        first, offset = self._first_capture
        return offset + (event.capture_time - first).total_seconds()
