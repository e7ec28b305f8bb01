"""Frames that outlive the server that they were sent to."""

from __future__ import annotations

import threading
from collections import deque
from typing import Iterator, Optional

from sam3_client._proto.sam3.v1 import stream_pb2

Request = stream_pb2.SegmentStreamRequest


class ResumableFrames:
    """A source's frames for one call after another. What was sent and has not
    been accounted for when a call ends is sent again by the next.

    A call's thread pulls; any thread may do the rest.
    """

    def __init__(self, inputs: Iterator[Request]):
        self.failure: Optional[BaseException] = None
        """What the source raised; it ended with that."""
        self._inputs = inputs
        self._pulling = threading.Lock()
        self._changing = threading.Lock()
        self._again: deque[Request] = deque()
        self._sent: deque[Request] = deque()
        self._accounted = 0
        self._ended = False
        self._closed = False
        self._call: Optional[_FramesOfCall] = None

    def next_call(self) -> Iterator[Request]:
        """What another call is to send; the one before gets nothing more."""
        with self._changing:
            self._again.extendleft(reversed(self._sent))
            self._sent.clear()
            self._accounted = 0
            self._call = _FramesOfCall(self)
            return self._call

    def account_for(self, frame_index: int) -> None:
        """This call's frames up to that one are answered, dropped or refused."""
        with self._changing:
            while self._sent and self._accounted <= frame_index:
                self._sent.popleft()
                self._accounted += 1

    @property
    def left(self) -> bool:
        """Whether another call would have anything to do."""
        with self._changing:
            return bool(self._again or self._sent or not self._ended)

    def end(self) -> None:
        """Takes no more from the source."""
        with self._changing:
            self._ended = True

    def close(self) -> None:
        with self._changing:
            self._ended = self._closed = True
        # Whoever pulls closes it when it is back.
        if self._pulling.acquire(blocking=False):
            try:
                self._close_inputs()
            finally:
                self._pulling.release()

    def pull(self, call: _FramesOfCall) -> Optional[Request]:
        with self._pulling:
            with self._changing:
                if call is not self._call:
                    return None
                if self._again:
                    self._sent.append(self._again.popleft())
                    return self._sent[-1]
                if self._ended:
                    return None
            # Not under the lock: a camera takes its time.
            request, failure = None, None
            try:
                request = next(self._inputs, None)
            except BaseException as error:
                failure = error
            return self._take(call, request, failure)

    def _take(self, call: _FramesOfCall, request: Optional[Request],
              failure: Optional[BaseException]) -> Optional[Request]:
        with self._changing:
            if self._closed:
                self._close_inputs()
            elif request is None:
                self._ended, self.failure = True, failure
            elif call is not self._call:
                self._again.append(request)
            else:
                self._sent.append(request)
                return request
            return None

    def _close_inputs(self) -> None:
        self._inputs.close()  # type: ignore[attr-defined]


class _FramesOfCall(Iterator[Request]):
    def __init__(self, frames: ResumableFrames):
        self._frames = frames

    def __next__(self) -> Request:
        request = self._frames.pull(self)
        if request is None:
            raise StopIteration
        return request

    def close(self) -> None:
        """The frames are closed when no call is to follow."""
