"""Where the frames of a stream come from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Iterable, Iterator, Optional, Union

from sam3_client._proto.sam3.v1 import stream_pb2
from sam3_client.picture_files import FileFormat, Picture, encode_picture
from sam3_client.server_files import ServerFile

_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Frame:
    """A picture of a stream, and when it was taken."""

    picture: Picture
    capture_time: Optional[datetime] = None
    """With a time zone, or local. Comes back with the frame's result."""


@dataclass(frozen=True)
class VideoChunks:
    """The bytes of a video file (mp4, mkv, ts, ...), in pieces of any size."""

    chunks: Iterable[bytes]


StreamSource = Union[str, "os.PathLike[str]", VideoChunks, ServerFile,
                     Iterable[Union[Picture, Frame]]]
"""Pictures; or the path of a video file, which is sent in pieces; or the bytes
of one; or a file on the server; or an address (rtsp://, https://, ...) that the
server reads if it is allowed to."""


def describe_source(source: StreamSource,
                    config: stream_pb2.StreamConfig) -> None:
    if isinstance(source, str) and "://" in source:
        config.url = source
    elif isinstance(source, ServerFile):
        config.file = source.path
    elif isinstance(source, (str, os.PathLike, VideoChunks)):
        config.pushed_chunks.SetInParent()
    else:
        config.pushed_frames.SetInParent()


def pull_requests(
        source: StreamSource, file_format: FileFormat, quality: int
) -> Optional[Iterator[stream_pb2.SegmentStreamRequest]]:
    """What is to be sent, made one by one; None when the server reads itself.

    Closes the source's iterator, if it is a generator, when it is closed."""
    if isinstance(source, ServerFile) or (
            isinstance(source, str) and "://" in source):
        return None
    if isinstance(source, (str, os.PathLike)):
        return _pull_file(source)
    if isinstance(source, VideoChunks):
        return _pull_chunks(source.chunks)
    return _pull_frames(source, file_format, quality)


def _pull_file(path: Union[str, os.PathLike[str]]
               ) -> Iterator[stream_pb2.SegmentStreamRequest]:
    with open(path, "rb") as file:
        while data := file.read(_CHUNK_BYTES):
            yield _chunk(data)


def _pull_chunks(chunks: Iterable[bytes]
                 ) -> Iterator[stream_pb2.SegmentStreamRequest]:
    iterator = iter(chunks)
    try:
        for data in iterator:
            for at in range(0, len(data), _CHUNK_BYTES):
                yield _chunk(data[at:at + _CHUNK_BYTES])
    finally:
        _close(iterator)


def _pull_frames(frames: Iterable[Union[Picture, Frame]],
                 file_format: FileFormat, quality: int
                 ) -> Iterator[stream_pb2.SegmentStreamRequest]:
    iterator = iter(frames)
    try:
        for frame in iterator:
            if not isinstance(frame, Frame):
                frame = Frame(frame)
            request = stream_pb2.SegmentStreamRequest()
            request.frame.content = encode_picture(frame.picture, file_format,
                                                   quality)
            if frame.capture_time is not None:
                request.frame.capture_time.FromDatetime(
                    frame.capture_time.astimezone())
            yield request
    finally:
        _close(iterator)


def _chunk(data: bytes) -> stream_pb2.SegmentStreamRequest:
    request = stream_pb2.SegmentStreamRequest()
    request.chunk.data = data
    return request


def _close(iterator: object) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
