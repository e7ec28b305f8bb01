"""The client: one connection, the service's calls as methods."""

from __future__ import annotations

import ipaddress
import os
import time
from dataclasses import dataclass
from types import TracebackType
from typing import (Any, Callable, Iterator, Literal, Optional, Sequence, Type,
                    TypeVar, Union)

import grpc

from sam3_client._proto.sam3.v1 import prompt_pb2
from sam3_client._proto.sam3.v1 import segmentation_service_pb2 as service_pb2
from sam3_client._proto.sam3.v1 import segmentation_service_pb2_grpc as stubs
from sam3_client._proto.sam3.v1 import stream_pb2
from sam3_client.images import ImageLike, image_to_proto
from sam3_client.masks import MaskFormat, MaskOptions, mask_options_to_proto
from sam3_client.picture_files import FileFormat, Picture
from sam3_client.prompts import (BoxLike, GivenObject, ObjectPrompt, PointLike,
                                 PromptLike, given_objects_to_proto,
                                 object_prompt_to_proto, prompts_to_proto)
from sam3_client.results import (EmbeddedImage, ObjectResult, ObjectsResult,
                                 SegmentResult, embedded_image_from_proto,
                                 objects_result_from_proto,
                                 segment_result_from_proto)
from sam3_client.retry import RetryPolicy, call_with_retries
from sam3_client.server_info import (Explanation, ServerInfo,
                                     explanation_from_proto,
                                     server_info_from_proto)
from sam3_client.stream import Stream
from sam3_client.stream_sources import (StreamSource, describe_source,
                                        pull_requests)

_Answer = TypeVar("_Answer")
_Prompts = Union[PromptLike, Sequence[PromptLike]]
_UPLOAD_CHUNK_BYTES = 256 * 1024
_DELIVERIES = {
    None: stream_pb2.StreamConfig.DELIVERY_UNSPECIFIED,
    "latest": stream_pb2.StreamConfig.DELIVERY_LATEST,
    "every": stream_pb2.StreamConfig.DELIVERY_EVERY,
}


@dataclass(frozen=True)
class Tls:
    """Files in PEM for a connection that is encrypted."""

    ca_file: Optional[str] = None
    """Who may have signed the server's certificate; None is the system's
    list."""
    cert_file: Optional[str] = None
    """The client's own certificate, where the server asks for one."""
    key_file: Optional[str] = None


class Client:
    """A connection to a server; opened by the first call, shared by threads.

    Every method raises Sam3Error for what the server refuses, and repeats what
    it asks to repeat (see RetryPolicy). `timeout` is in seconds and counts over
    all attempts of a call.
    """

    def __init__(self, address: str = "localhost:50051", *,
                 api_key: Optional[str] = None,
                 tls: Union[bool, Tls, None] = None,
                 timeout: Optional[float] = 60.0,
                 retry: RetryPolicy = RetryPolicy()):
        """
        `api_key` defaults to the environment's SAM3_API_KEY. `tls`: True or a
        Tls encrypts, False does not; None, the default, does not either, but
        refuses to send a key unencrypted to another machine.
        """
        key = api_key if api_key is not None else os.environ.get(
            "SAM3_API_KEY", "")
        if key and tls is None and not _is_loopback(address):
            raise ValueError(
                f"the key would travel to {address} unencrypted; pass tls=True "
                "or tls=Tls(...), or tls=False if that is meant")
        self._metadata = (("x-api-key", key.strip()),) if key else ()
        self._timeout = timeout
        self._retry = retry
        self._channel = _open_channel(address, tls)
        self._stub: Any = stubs.SegmentationServiceStub(
            self._channel)  # type: ignore[no-untyped-call]

    def segment(self, image: ImageLike, prompts: _Prompts, *,
                threshold: Optional[float] = None,
                nms: Optional[float] = None,
                max_instances: int = 0,
                mask_format: Union[MaskFormat, MaskOptions] = "rle",
                image_id: str = "", model_id: str = "", request_id: str = "",
                timeout: Optional[float] = None) -> SegmentResult:
        """Finds every instance of each concept.

        `prompts`: one or several texts or Prompts. `threshold`: what scores
        must exceed, 0..1, 0.5 by default. `nms`: of two instances that overlap
        with a greater IoU the lower score is left out; None leaves out none.
        `max_instances` per prompt, best first; 0 is no limit. `image_id` binds
        a name of the caller's to the picture. `model_id` pins the model,
        `request_id` appears in the server's logs.
        """
        request = _segment_request(image, prompts, threshold, nms,
                                   max_instances, mask_format, image_id,
                                   model_id, request_id)
        return segment_result_from_proto(
            self._call(self._stub.SegmentConcepts, request, timeout))

    def click(self, image: ImageLike, points: Sequence[PointLike] = (), *,
              box: Optional[BoxLike] = None, logits_handle: str = "",
              multimask: Optional[bool] = None, all_candidates: bool = False,
              save_logits: bool = False,
              mask_format: Union[MaskFormat, MaskOptions] = "rle",
              image_id: str = "", model_id: str = "", request_id: str = "",
              timeout: Optional[float] = None) -> ObjectResult:
        """Masks the one object under clicks, in a box, or both.

        `multimask`: True, the server's default, lets the model propose three
        masks and answers the best, good for one click; False is good for boxes
        and several clicks. `all_candidates` returns all proposals.
        `save_logits` keeps the mask's logits on the server: the answer's
        `logits_handle`, passed with the next click, refines that mask.
        """
        prompt = ObjectPrompt(points, box, logits_handle)
        return self.segment_objects(
            image, [prompt], multimask=multimask,
            all_candidates=all_candidates, save_logits=save_logits,
            mask_format=mask_format, image_id=image_id, model_id=model_id,
            request_id=request_id, timeout=timeout).results[0]

    def segment_objects(self, image: ImageLike,
                        prompts: Sequence[ObjectPrompt], *,
                        multimask: Optional[bool] = None,
                        all_candidates: bool = False,
                        save_logits: bool = False, load_logits: bool = False,
                        mask_format: Union[MaskFormat, MaskOptions] = "rle",
                        image_id: str = "", model_id: str = "",
                        request_id: str = "",
                        timeout: Optional[float] = None) -> ObjectsResult:
        """Masks several objects, each on its own; otherwise as `click`.

        `load_logits`: a prompt without a handle is refined from the logits
        that were saved for the same prompt with fewer points.
        """
        request = service_pb2.SegmentObjectsRequest(
            image=image_to_proto(image, image_id),
            prompts=[object_prompt_to_proto(prompt) for prompt in prompts],
            return_all_candidates=all_candidates, save_logits=save_logits,
            load_logits=load_logits,
            mask_options=mask_options_to_proto(mask_format),
            model_id=model_id, request_id=request_id)
        if multimask is not None:
            request.multimask_output = multimask
        return objects_result_from_proto(
            self._call(self._stub.SegmentObjects, request, timeout))

    def embed(self, image: ImageLike, *, image_id: str = "",
              model_id: str = "", request_id: str = "",
              timeout: Optional[float] = None) -> EmbeddedImage:
        """Encodes a picture once; the answer takes its place in later calls."""
        request = service_pb2.EmbedImageRequest(
            image=image_to_proto(image, image_id), model_id=model_id,
            request_id=request_id)
        return embedded_image_from_proto(
            self._call(self._stub.EmbedImage, request, timeout))

    def upload(self, path: Union[str, os.PathLike[str]], *,
               image_id: str = "", model_id: str = "",
               timeout: Optional[float] = None) -> EmbeddedImage:
        """Does what `embed` does, in pieces: for files that are larger than one
        message may be (ServerInfo.limits.max_message_size_bytes)."""

        def requests() -> Iterator[service_pb2.UploadImageRequest]:
            named = service_pb2.UploadImageRequest(image_id=image_id,
                                                   model_id=model_id)
            with open(path, "rb") as file:
                while data := file.read(_UPLOAD_CHUNK_BYTES):
                    named.data = data
                    yield named
                    named = service_pb2.UploadImageRequest()

        # gRPC would tell of a file that cannot be read as a cancelled call.
        with open(path, "rb"):
            pass
        return embedded_image_from_proto(self._repeat(
            lambda left: self._stub.UploadImage(
                requests(), timeout=left, metadata=self._metadata), timeout))

    def stream(self, source: StreamSource, prompts: _Prompts = (), *,
               objects: Union[GivenObject, Sequence[GivenObject]] = (),
               delivery: Optional[Literal["latest", "every"]] = None,
               threshold: Optional[float] = None, nms: Optional[float] = None,
               max_instances: int = 0,
               mask_format: Union[MaskFormat, MaskOptions] = "rle",
               analyse_fps: float = 0.0, every_nth_frame: int = 0,
               track: bool = False, confirmation_delay_frames: int = 0,
               detect_every: int = 0,
               max_objects: int = 0, resume: Optional[bool] = None,
               frame_format: FileFormat = "jpeg", frame_quality: int = 95,
               model_id: str = "", timeout: Optional[float] = None) -> Stream:
        """Answers prompts on every frame of a video; see Stream.

        `source`: an iterable of pictures, the path of a video file, and more
        (StreamSource). `delivery`: "every" answers every frame and slows the
        source down; "latest" answers the newest and reports the others.
        `analyse_fps` or `every_nth_frame` thin the frames out. `track` follows
        what is found: instances have an `object_id`, and frames tell
        `object_events`; a new object is tentative for
        `confirmation_delay_frames` (0..15), at most `max_objects` are
        followed at a time (0 is the server's 64), and the detector runs on
        every `detect_every`-th frame. `objects`, instead of
        prompts, are followed from the first frame on, without anything being
        looked for; Stream.describe, drop, preview and commit change them, and
        each frame has one result, with all of them. `resume`: a stream that
        tracks goes on elsewhere when its server stops (see Stream); None, the
        default, does so for pictures and addresses, whose stream can be cut,
        and True insists on it; a stream of `objects` ends with its server.
        Arrays become files of `frame_format`: a frame may have 4 MiB by
        default, which a PNG soon exceeds. `timeout` ends the whole stream;
        None is no limit.
        """
        if delivery not in _DELIVERIES:
            raise ValueError("delivery is \"latest\" or \"every\", not "
                             f"\"{delivery}\"")
        config = stream_pb2.StreamConfig(
            delivery=_DELIVERIES[delivery],
            prompts=prompts_to_proto(prompts), score_threshold=threshold,
            nms=_nms_to_proto(nms), max_instances_per_prompt=max_instances,
            mask_options=mask_options_to_proto(mask_format),
            analyse_fps=analyse_fps, every_nth_frame=every_nth_frame,
            objects=given_objects_to_proto(objects),
            task=(stream_pb2.StreamConfig.TASK_TRACK if track or objects
                  else stream_pb2.StreamConfig.TASK_DETECT),
            confirmation_delay_frames=confirmation_delay_frames,
            detect_every=detect_every,
            max_objects=max_objects, model_id=model_id)
        describe_source(source, config)
        can_resume = track and config.WhichOneof("source") in (
            "pushed_frames", "url")
        if resume and not can_resume:
            raise ValueError("only a stream of pictures or of an address that "
                             "tracks can resume")
        deadline = None if timeout is None else time.monotonic() + timeout
        return Stream(
            lambda requests: self._stub.SegmentStream(
                requests, metadata=self._metadata, timeout=None
                if deadline is None else max(0, deadline - time.monotonic())),
            config, pull_requests(source, frame_format, frame_quality),
            can_resume and resume is not False)

    def explain(self, prompts: _Prompts, image: Optional[ImageLike] = None, *,
                threshold: Optional[float] = None,
                nms: Optional[float] = None, max_instances: int = 0,
                mask_format: Union[MaskFormat, MaskOptions] = "rle",
                model_id: str = "",
                timeout: Optional[float] = None) -> Explanation:
        """Says what `segment` would do, without running the model. Violations
        are part of the answer, not an error."""
        request = service_pb2.ExplainRequest(request=_segment_request(
            image, prompts, threshold, nms, max_instances, mask_format, "",
            model_id, ""))
        return explanation_from_proto(
            self._call(self._stub.Explain, request, timeout))

    def info(self, *, timeout: Optional[float] = None) -> ServerInfo:
        """Describes the server: model, device, limits, capacity."""
        return server_info_from_proto(
            self._call(self._stub.GetServerInfo,
                       service_pb2.GetServerInfoRequest(), timeout))

    def close(self) -> None:
        """Ends the connection and the calls that run on it."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def _call(self, method: Any, request: Any,
              timeout: Optional[float]) -> Any:
        return self._repeat(
            lambda left: method(request, timeout=left,
                                metadata=self._metadata), timeout)

    def _repeat(self, attempt: Callable[[Optional[float]], _Answer],
                timeout: Optional[float]) -> _Answer:
        return call_with_retries(
            attempt, self._retry,
            self._timeout if timeout is None else timeout)


def _segment_request(
        image: Optional[ImageLike], prompts: _Prompts,
        threshold: Optional[float], nms: Optional[float], max_instances: int,
        mask_format: Union[MaskFormat, MaskOptions], image_id: str,
        model_id: str, request_id: str) -> service_pb2.SegmentConceptsRequest:
    return service_pb2.SegmentConceptsRequest(
        image=None if image is None else image_to_proto(image, image_id),
        prompts=prompts_to_proto(prompts), score_threshold=threshold,
        nms=_nms_to_proto(nms), max_instances_per_prompt=max_instances,
        mask_options=mask_options_to_proto(mask_format), model_id=model_id,
        request_id=request_id)


def _nms_to_proto(threshold: Optional[float]
                  ) -> Optional[prompt_pb2.NonMaximumSuppression]:
    if threshold is None:
        return None
    return prompt_pb2.NonMaximumSuppression(iou_threshold=threshold)


def _open_channel(address: str, tls: Union[bool, Tls, None]) -> grpc.Channel:
    # The server limits what it reads, and pictures what it sends.
    options = (("grpc.max_receive_message_length", -1),
               ("grpc.max_send_message_length", -1))
    if not tls:
        return grpc.insecure_channel(address, options)
    files = tls if isinstance(tls, Tls) else Tls()
    credentials = grpc.ssl_channel_credentials(
        _read(files.ca_file), _read(files.key_file), _read(files.cert_file))
    return grpc.secure_channel(address, credentials, options)


def _read(path: Optional[str]) -> Optional[bytes]:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def _is_loopback(address: str) -> bool:
    if address.startswith("unix:"):
        return True
    host = address.rsplit(":", 1)[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
