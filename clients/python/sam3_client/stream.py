"""One SegmentStream call: pulls its source, yields events."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import Any, Callable, Iterator, Optional, Sequence, Type, Union

import grpc

from sam3_client._proto.sam3.v1 import stream_pb2
from sam3_client.errors import error_from_call
from sam3_client.prompts import PromptLike, prompts_to_proto
from sam3_client.stream_events import EventReader, StreamEvent, StreamSummary

Request = stream_pb2.SegmentStreamRequest


class Stream(Iterator[StreamEvent]):
    """The events of a stream, and what can be done to it while it runs.

    One thread iterates; the other methods may be called by any thread. The
    source is pulled by a thread of gRPC's, one picture or piece at a time and
    only when the server takes it; events are taken from the network only when
    they are asked for. An exception in the source ends the input: what was
    sent is answered, then the exception is raised here. A stream that the
    server ends before its time raises Sam3Error.

    Leaving the `with` block, `close()`, or dropping the last reference cancels
    what is not finished.
    """

    summary: Optional[StreamSummary] = None
    """The account of every frame; there when the iteration has ended well."""

    def __init__(self, open_call: Callable[[Iterator[Request]], Any],
                 config: stream_pb2.StreamConfig,
                 inputs: Optional[Iterator[Request]]):
        self._requests = _Requests(Request(config=config), inputs)
        self._reader = EventReader()
        self._call = open_call(self._requests)

    def __next__(self) -> StreamEvent:
        try:
            for message in self._call:
                event = self._reader.read(message)
                if event is None:
                    continue
                if isinstance(event, StreamSummary):
                    self.summary = event
                    # The server waits a moment for those who still send.
                    self._requests.finish()
                return event
        except grpc.RpcError as error:
            if self._requests.closed:
                raise StopIteration from None
            self.close()
            # An input that broke off may be why the server complains.
            raise self._take_failure() or error_from_call(error) from None
        self.close()
        raise self._take_failure() or StopIteration

    def update_prompts(self,
                       add: Union[PromptLike, Sequence[PromptLike]] = (),
                       remove: Sequence[str] = ()) -> None:
        """Sent before the next picture; PromptsUpdated or PromptRejected
        answers. New prompts need ids that are new; `remove` takes ids.
        ValueError when the input has ended."""
        self._requests.send(Request(prompt_update=stream_pb2.PromptUpdate(
            add=prompts_to_proto(add), remove_prompt_ids=remove)))

    def finish(self) -> None:
        """Ends the input: what was sent is answered, the summary follows."""
        self._requests.finish()

    def close(self) -> None:
        """Cancels; the server forgets the stream. Does nothing at its end."""
        self._requests.close()
        self._call.cancel()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        # An exception in __init__ leaves no call.
        if hasattr(self, "_call"):
            self.close()

    def _take_failure(self) -> Optional[BaseException]:
        failure, self._requests.failure = self._requests.failure, None
        return failure


class _Requests(Iterator[Request]):
    """What the stream sends; gRPC's thread pulls it, one message at a time."""

    def __init__(self, first: Request, inputs: Optional[Iterator[Request]]):
        self.failure: Optional[BaseException] = None
        self.closed = False
        self._inputs = inputs
        self._changed = threading.Condition()
        self._waiting = deque([first])
        self._ended = False
        self._pulling = False

    def __next__(self) -> Request:
        with self._changed:
            while not self._waiting and not self._ended and (
                    self._inputs is None):
                self._changed.wait()
            if self.closed:
                raise StopIteration
            if self._waiting:
                return self._waiting.popleft()
            if self._ended or self._inputs is None:
                raise StopIteration
            self._pulling = True
        # Not under the lock: a camera takes its time.
        request, failure = None, None
        try:
            request = next(self._inputs, None)
        except BaseException as error:
            failure = error
        with self._changed:
            self._pulling = False
            if not self.closed:
                self.failure = failure
                if request is not None:
                    return request
                self._ended = True
                if self._waiting:
                    return self._waiting.popleft()
        self._close_inputs()
        raise StopIteration

    def send(self, request: Request) -> None:
        with self._changed:
            if self._ended:
                raise ValueError("the stream's input has ended")
            self._waiting.append(request)
            self._changed.notify()

    def finish(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            if self.closed:
                return
            self.closed = self._ended = True
            self._changed.notify()
            # Whoever pulls closes them when it is back.
            if self._pulling:
                return
        self._close_inputs()

    def _close_inputs(self) -> None:
        inputs, self._inputs = self._inputs, None
        if inputs is not None:
            inputs.close()  # type: ignore[attr-defined]
