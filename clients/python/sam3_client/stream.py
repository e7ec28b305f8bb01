"""A stream: pulls its source, yields events, over one call or several."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Any, Callable, Iterator, Optional, Sequence, Type, Union

import grpc

from sam3_client._proto.sam3.v1 import stream_pb2
from sam3_client.errors import Sam3Error, error_from_call
from sam3_client.prompts import (GivenObject, PromptLike,
                                 given_objects_to_proto, prompts_to_proto)
from sam3_client.resumable_frames import ResumableFrames
from sam3_client.stream_account import StreamAccount
from sam3_client.stream_events import (EventReader, FrameRefused, GoingAway,
                                       StreamEvent, StreamStarted,
                                       StreamSummary)

Request = stream_pb2.SegmentStreamRequest
_DRAINING = "DRAINING"
_SECONDS_BETWEEN_ATTEMPTS = 0.2
# A token is good for a minute.
_MOST_SECONDS_BETWEEN_CALLS = 50.0


class Stream(Iterator[StreamEvent]):
    """The events of a stream, and what can be done to it while it runs.

    One thread iterates; the other methods may be called by any thread. The
    source is pulled by a thread of its own, one picture or piece at a time and
    only when the server takes it; what the methods send does not wait for it.
    Events are taken from the network only when they are asked for. An exception
    in the source ends the input: what was sent is answered, then the exception
    is raised here. A stream that the server ends before its time raises
    Sam3Error.

    A stream that resumes survives its server. When that is about to stop, what
    it took is answered, and the stream goes on at the same address: prompts and
    object ids stay, frames are counted on, each is answered once, and another
    StreamStarted names the new call. Where no other server takes it in time,
    Sam3Error is raised.

    Leaving the `with` block, `close()`, or dropping the last reference cancels
    what is not finished.
    """

    summary: Optional[StreamSummary] = None
    """The account of every frame; there when the iteration has ended well."""

    def __init__(self, open_call: Callable[[Iterator[Request]], Any],
                 config: stream_pb2.StreamConfig,
                 inputs: Optional[Iterator[Request]], resumes: bool = False):
        self._open_call = open_call
        self._config = config
        self._inputs = inputs
        self._resumes = resumes
        self._frames = (ResumableFrames(inputs)
                        if resumes and inputs is not None else None)
        self._account = StreamAccount()
        self._opened_at = time.monotonic()
        self._changing = threading.Lock()
        # Set from the moment that the server says it stops until another call
        # has begun: what that needs, by when, and what is to be sent on it.
        self._token = b""
        self._begin_until = 0.0
        self._attempts = 0
        self._held: list[Request] = []
        # Of a call that another one is to follow.
        self._kept_summary: Optional[StreamSummary] = None
        self._finished = self._closed = False
        self._start_call(config)

    def __next__(self) -> StreamEvent:
        while True:
            failed = None
            try:
                for message in self._call:
                    event = self._take(message)
                    if event is not None:
                        return event
            except grpc.RpcError as error:
                failed = error_from_call(error)
            if self._closed:
                raise StopIteration
            if self._is_to_go_on(failed):
                self._resume()
                continue
            if failed is None and self._kept_summary is not None:
                self.summary, self._kept_summary = self._kept_summary, None
                return self.summary
            self.close()
            # A call that was told to end has ended well with its summary.
            if self._token and self.summary is not None:
                failed = None
            # An input that broke off may be why the server complains.
            raise self._take_failure() or failed or StopIteration

    def update_prompts(self,
                       add: Union[PromptLike, Sequence[PromptLike]] = (),
                       remove: Sequence[str] = ()) -> None:
        """Sent before the next picture that the source gives; PromptsUpdated or
        PromptRejected answers. New prompts need ids that are new; `remove`
        takes ids. ValueError when the input has ended."""
        request = Request(prompt_update=stream_pb2.PromptUpdate(
            add=prompts_to_proto(add), remove_prompt_ids=remove))
        with self._changing:
            if self._token and not self._finished:
                self._held.append(request)
            else:
                self._requests.send(request)

    def describe(self, objects: Union[GivenObject, Sequence[GivenObject]]
                 ) -> None:
        """Says what objects are on the coming picture: new ones are followed
        from there on, others are corrected. PromptsUpdated names the frame."""
        self._update_objects(describe=given_objects_to_proto(objects))

    def drop(self, object_ids: Sequence[int]) -> None:
        """Ends the following of objects."""
        self._update_objects(drop_object_ids=object_ids)

    def preview(self, objects: Union[GivenObject, Sequence[GivenObject]]
                ) -> None:
        """Asks what followed objects would be on the newest frame with these
        clicks, this box or this mask; ObjectPreview answers, and nothing is
        remembered."""
        self._update_objects(preview=given_objects_to_proto(objects))

    def commit(self, objects: Union[GivenObject, Sequence[GivenObject]]
               ) -> None:
        """Does what `preview` does, and the answer is remembered."""
        self._update_objects(commit=given_objects_to_proto(objects))

    def finish(self) -> None:
        """Ends the input: what was sent is answered, the summary follows."""
        with self._changing:
            self._finished = True
            if self._frames is not None:
                self._frames.end()
            self._requests.finish()

    def close(self) -> None:
        """Cancels; the server forgets the stream. Does nothing at its end."""
        with self._changing:
            self._closed = True
            requests, call = self._requests, self._call
        # First: requests that end would half-close the call, and a server that
        # is quick would take that for a good end.
        call.cancel()
        requests.close()
        if self._frames is not None:
            self._frames.close()

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

    def _start_call(self, config: stream_pb2.StreamConfig) -> None:
        self._reader = EventReader()
        inputs = (self._inputs if self._frames is None
                  else self._frames.next_call())
        self._requests = _Requests(Request(config=config), inputs)
        self._call = self._open_call(self._requests)

    def _take(self, message: stream_pb2.SegmentStreamResponse
              ) -> Optional[StreamEvent]:
        event = self._reader.read(message)
        if event is None:
            return None
        if self._resumes:
            event = self._take_in_chain(message, event)
        if isinstance(event, StreamSummary):
            self.summary = event
            # The server waits a moment for those who still send.
            self._requests.finish()
        return event

    def _take_in_chain(self, message: stream_pb2.SegmentStreamResponse,
                       event: StreamEvent) -> Optional[StreamEvent]:
        """None for what concerns one call of several."""
        if isinstance(event, GoingAway) and message.going_away.resume_token:
            self._leave(message.going_away.resume_token)
            return None
        if isinstance(event, StreamStarted):
            self._arrive()
            return event
        if (self._token and isinstance(event, FrameRefused)
                and event.error.reason == _DRAINING):
            # It came too late, and goes to the next server.
            return None
        event = self._account.add(event)
        if self._frames is not None:
            self._frames.account_for(self._account.last_in_call())
        if isinstance(event, StreamSummary) and self._token:
            self._remember(message.summary.resume_token or self._token)
            if self._has_more():
                self._requests.finish()
                self._kept_summary = event
                return None
        return event

    def _leave(self, token: bytes) -> None:
        with self._changing:
            self._remember(token)
            # A server that reads its source itself serves as long as it can.
            if self._frames is not None:
                self._requests.finish()

    def _remember(self, token: bytes) -> None:
        self._token = token
        self._begin_until = time.monotonic() + _MOST_SECONDS_BETWEEN_CALLS

    def _arrive(self) -> None:
        with self._changing:
            self._token, self._kept_summary, self._attempts = b"", None, 0
            held, self._held = self._held, []
            # The last frame may have been sent already.
            with suppress(ValueError):
                for request in held:
                    self._requests.send(request)

    def _has_more(self) -> bool:
        return (self._frames.left if self._frames is not None
                else not self._finished)

    def _is_to_go_on(self, failed: Optional[Sam3Error]) -> bool:
        if not self._token or self.summary is not None:
            return False
        goes_on = self._kept_summary is not None
        if failed is None:
            # A source that the server reads itself has come to its end.
            return goes_on and self._frames is not None
        passes = failed.code == grpc.StatusCode.UNAVAILABLE or (
            failed.code == grpc.StatusCode.RESOURCE_EXHAUSTED
            and failed.reason != "SLOW_CONSUMER")
        return (passes and time.monotonic() < self._begin_until
                and (goes_on or self._has_more()))

    def _resume(self) -> None:
        if self._attempts > 0:
            time.sleep(_SECONDS_BETWEEN_ATTEMPTS)
        self._attempts += 1
        self._account.next_call(time.monotonic() - self._opened_at)
        config = stream_pb2.StreamConfig()
        config.CopyFrom(self._config)
        config.ClearField("prompts")
        config.resume_token = self._token
        with self._changing:
            if not self._closed:
                self._start_call(config)

    def _update_objects(self, **changes: Any) -> None:
        self._requests.send(
            Request(prompt_update=stream_pb2.PromptUpdate(**changes)))

    def _take_failure(self) -> Optional[BaseException]:
        failure, self._requests.failure = self._requests.failure, None
        if failure is None and self._frames is not None:
            failure, self._frames.failure = self._frames.failure, None
        return failure


class _Requests(Iterator[Request]):
    """What the stream sends; gRPC's thread takes it, one message at a time.

    The source is pulled by a thread of its own, and only when a message is
    asked for: what the caller says does not wait for a source that takes its
    time."""

    def __init__(self, first: Request, inputs: Optional[Iterator[Request]]):
        self.failure: Optional[BaseException] = None
        self.closed = False
        self._changed = threading.Condition()
        self._waiting = deque([first])
        self._pulled: Optional[Request] = None
        self._pulling = False
        self._ended = False
        self._inputs = inputs
        self._source: Optional[threading.Thread] = None

    def __next__(self) -> Request:
        with self._changed:
            while not self.closed:
                if self._waiting:
                    return self._waiting.popleft()
                if self._pulled is not None:
                    request, self._pulled = self._pulled, None
                    return request
                if not self._pulling:
                    if self._ended:
                        break
                    self._ask_source()
                self._changed.wait()
        raise StopIteration

    def _ask_source(self) -> None:
        if self._inputs is not None:
            self._source = threading.Thread(
                target=self._pull, args=(self._inputs,), name="sam3-source",
                daemon=True)
            self._inputs = None
            self._source.start()
        self._pulling = self._source is not None
        self._changed.notify_all()

    def _pull(self, inputs: Iterator[Request]) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pulling or self._ended)
                if not self._pulling:
                    break
            request, failure = None, None
            try:
                request = next(inputs, None)
            except BaseException as error:
                failure = error
            with self._changed:
                self._pulling = False
                if not self.closed:
                    self._pulled, self.failure = request, failure
                if request is None:
                    self._ended = True
                self._changed.notify_all()
        inputs.close()  # type: ignore[attr-defined]

    def send(self, request: Request) -> None:
        with self._changed:
            if self._ended:
                raise ValueError("the stream's input has ended")
            self._waiting.append(request)
            self._changed.notify_all()

    def finish(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self.closed = self._ended = True
            self._changed.notify_all()
            inputs, self._inputs = self._inputs, None
            # A source that takes its time is closed when it is back.
            source = None if self._pulling else self._source
        if inputs is not None:
            inputs.close()  # type: ignore[attr-defined]
        if source is not None and source is not threading.current_thread():
            source.join()
