"""One SegmentStream call: pulls its source, yields events."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import Any, Callable, Iterator, Optional, Sequence, Type, Union

import grpc

from sam3_client._proto.sam3.v1 import stream_pb2
from sam3_client.errors import error_from_call
from sam3_client.prompts import (GivenObject, PromptLike,
                                 given_objects_to_proto, prompts_to_proto)
from sam3_client.stream_events import EventReader, StreamEvent, StreamSummary

Request = stream_pb2.SegmentStreamRequest


class Stream(Iterator[StreamEvent]):
    """The events of a stream, and what can be done to it while it runs.

    One thread iterates; the other methods may be called by any thread. The
    source is pulled by a thread of its own, one picture or piece at a time and
    only when the server takes it; what the methods send does not wait for it.
    Events are taken from the network only when they are asked for. An exception
    in the source ends the input: what was sent is answered, then the exception
    is raised here. A stream that the server ends before its time raises
    Sam3Error.

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
        """Sent before the next picture that the source gives; PromptsUpdated or
        PromptRejected answers. New prompts need ids that are new; `remove`
        takes ids. ValueError when the input has ended."""
        self._requests.send(Request(prompt_update=stream_pb2.PromptUpdate(
            add=prompts_to_proto(add), remove_prompt_ids=remove)))

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

    def _update_objects(self, **changes: Any) -> None:
        self._requests.send(
            Request(prompt_update=stream_pb2.PromptUpdate(**changes)))

    def _take_failure(self) -> Optional[BaseException]:
        failure, self._requests.failure = self._requests.failure, None
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
