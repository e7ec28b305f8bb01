"""What the server answers on pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Optional, Union

import numpy as np
import numpy.typing as npt
from google.protobuf.duration_pb2 import Duration

from sam3_client._proto.sam3.v1 import geometry_pb2, image_pb2, result_pb2
from sam3_client._proto.sam3.v1 import segmentation_service_pb2 as service_pb2
from sam3_client.detections import make_detections
from sam3_client.masks import Mask

if TYPE_CHECKING:
    import supervision


@dataclass(frozen=True)
class ImageInfo:
    """The picture that was used."""

    width: int
    """Pixels after orientation."""
    height: int
    exif_orientation: int
    """1..8, what was applied; 1 means nothing."""
    digest: str
    """SHA-256 of the file, hexadecimal."""
    image_id: str
    """The caller's name for it, or empty."""


@dataclass(frozen=True)
class Timings:
    """Where the time went, in seconds."""

    fetch: float
    decode: float
    queue: float
    encode: float
    ground: float
    post: float
    total: float


@dataclass(frozen=True)
class EmbeddedImage:
    """A picture that the server holds ready; takes the place of the picture in
    later calls. The server forgets the oldest: then a call fails with reason
    IMAGE_NOT_CACHED, and the picture is to be embedded again."""

    info: ImageInfo
    timings: Timings
    cached: bool
    """True when it was there already."""

    @property
    def digest(self) -> str:
        return self.info.digest

    @property
    def image_id(self) -> str:
        return self.info.image_id


@dataclass(frozen=True, eq=False)
class Instance:
    """One found object."""

    score: float
    """0..1; what thresholds test: query_score times presence_score."""
    query_score: float
    """How well it matches, given that the concept is present."""
    presence_score: float
    """How sure the model is that the concept is in the picture."""
    box: npt.NDArray[np.float32]
    """x0, y0, x1, y1: tight around the mask, pixels, half-open."""
    detector_box: npt.NDArray[np.float32]
    """The model's own box; may reach beyond the picture."""
    area: int
    """Pixels inside the mask at full resolution."""
    encoded_mask: Optional[Mask]
    """The mask as it came; None with mask_format="none"."""
    object_id: Optional[int] = None
    """On a stream that tracks: the object's number, its own for good."""
    state: str = ""
    """On a stream that tracks: "TENTATIVE", "CONFIRMED" or "LOST"."""

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """H x W, True inside. ValueError with "none" and "polygon"."""
        return _pixels(self.encoded_mask)


@dataclass(frozen=True, eq=False)
class PromptResult:
    """The answer to one prompt."""

    prompt_index: int
    prompt_id: str
    text: str
    presence_score: float
    """How sure the model is that the concept is present, 0..1."""
    instances: list[Instance]
    """Best first; empty when there are none."""


@dataclass(frozen=True, eq=False)
class SegmentResult:
    """The answer to Client.segment."""

    results: list[PromptResult]
    """One per prompt, in order."""
    image: ImageInfo
    timings: Timings
    embedding_cached: bool
    """True when the picture did not have to be encoded."""
    warnings: list[str]
    """For people."""

    @property
    def instances(self) -> list[Instance]:
        """Of all prompts, in their order."""
        return [instance for result in self.results
                for instance in result.instances]

    def to_detections(self) -> supervision.Detections:
        """For supervision: class ids are prompt indexes, data["class_name"] the
        texts or prompt ids. Masks are included when they have pixels and the
        picture's size. Needs supervision."""
        return make_detections(self.results, self.image.width,
                               self.image.height)


@dataclass(frozen=True, eq=False)
class ObjectMask:
    """One way to mask the object that was pointed at."""

    predicted_iou: float
    """How good the model expects the mask to be, 0..1; no confidence that
    there is an object."""
    stability: float
    """How little the mask changes with its threshold, 0..1."""
    box: npt.NDArray[np.float32]
    """x0, y0, x1, y1: tight around the mask, pixels, half-open."""
    area: int
    """Pixels inside the mask at full resolution."""
    encoded_mask: Optional[Mask]
    """The mask as it came; None with mask_format="none"."""
    logits_handle: str
    """Refines this mask in a later call; empty without `save_logits`."""

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """H x W, True inside. ValueError with "none" and "polygon"."""
        return _pixels(self.encoded_mask)


@dataclass(frozen=True, eq=False)
class ObjectResult:
    """The answer to one object prompt."""

    prompt_index: int
    prompt_id: str
    object_score: float
    """How sure the model is that there is an object, 0..1."""
    masks: list[ObjectMask]
    """The best; with `all_candidates` all, best first."""
    refined: bool
    """True when earlier logits took part."""

    @property
    def best(self) -> ObjectMask:
        return self.masks[0]


@dataclass(frozen=True, eq=False)
class ObjectsResult:
    """The answer to Client.segment_objects."""

    results: list[ObjectResult]
    """One per prompt, in order."""
    image: ImageInfo
    timings: Timings
    embedding_cached: bool
    """True when the picture did not have to be encoded."""
    warnings: list[str]
    """For people."""


def _pixels(mask: Optional[Mask]) -> npt.NDArray[np.bool_]:
    if mask is None:
        raise ValueError("there is no mask; ask for mask_format=\"rle\"")
    return mask.to_array()


def seconds_of(duration: Duration) -> float:
    return float(duration.seconds + duration.nanos * 1e-9)


def _corners(box: geometry_pb2.Box) -> npt.NDArray[np.float32]:
    corners = box.xyxy
    return np.array([corners.x0, corners.y0, corners.x1, corners.y1],
                    np.float32)


def image_info_from_proto(info: image_pb2.ImageInfo) -> ImageInfo:
    return ImageInfo(info.width_px, info.height_px, info.exif_orientation,
                     info.digest, info.image_id)


def timings_from_proto(timings: result_pb2.Timings) -> Timings:
    return Timings(*(seconds_of(getattr(timings, stage)) for stage in (
        "fetch", "decode", "queue", "encode", "ground", "post", "total")))


def was_cached(cache: result_pb2.EmbeddingCache) -> bool:
    return cache == result_pb2.EMBEDDING_CACHE_HIT


def embedded_image_from_proto(
        answer: Union[service_pb2.EmbedImageResponse,
                      service_pb2.UploadImageResponse]) -> EmbeddedImage:
    return EmbeddedImage(image_info_from_proto(answer.image_info),
                         timings_from_proto(answer.timings),
                         was_cached(answer.embedding_cache))


def _mask_from_proto(found: Union[result_pb2.Instance, result_pb2.ObjectMask]
                     ) -> Optional[Mask]:
    return Mask(found.mask) if found.HasField("mask") else None


def object_state_name(state: int) -> str:
    """"" for what is not followed; a later version's state is its number."""
    if state == result_pb2.OBJECT_STATE_UNSPECIFIED:
        return ""
    if state not in result_pb2.ObjectState.values():
        return str(state)
    name = result_pb2.ObjectState.Name(result_pb2.ObjectState.ValueType(state))
    return str(name.removeprefix("OBJECT_STATE_"))


def instance_from_proto(found: result_pb2.Instance) -> Instance:
    return Instance(
        found.score, found.query_score, found.presence_score,
        _corners(found.box), _corners(found.detector_box), found.area_px,
        _mask_from_proto(found),
        found.object_id if found.HasField("object_id") else None,
        object_state_name(found.state))


def prompt_result_from_proto(result: result_pb2.PromptResult) -> PromptResult:
    return PromptResult(
        result.prompt_index, result.prompt_id, result.text,
        result.presence_score,
        [instance_from_proto(found) for found in result.instances])


def segment_result_from_proto(
        answer: service_pb2.SegmentConceptsResponse) -> SegmentResult:
    return SegmentResult(
        [prompt_result_from_proto(result) for result in answer.results],
        image_info_from_proto(answer.image_info),
        timings_from_proto(answer.timings),
        was_cached(answer.embedding_cache), list(answer.warnings))


def _object_result_from_proto(result: result_pb2.ObjectResult) -> ObjectResult:
    masks = [
        ObjectMask(found.predicted_iou, found.stability, _corners(found.box),
                   found.area_px, _mask_from_proto(found), found.logits_handle)
        for found in result.masks]
    return ObjectResult(result.prompt_index, result.prompt_id,
                        result.object_score, masks, result.refined)


def objects_result_from_proto(
        answer: service_pb2.SegmentObjectsResponse) -> ObjectsResult:
    return ObjectsResult(
        [_object_result_from_proto(result) for result in answer.results],
        image_info_from_proto(answer.image_info),
        timings_from_proto(answer.timings),
        was_cached(answer.embedding_cache), list(answer.warnings))
