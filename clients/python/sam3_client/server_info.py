"""What a server is, and what it would do with a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
import numpy.typing as npt

from sam3_client._proto.sam3.v1 import segmentation_service_pb2 as service_pb2
from sam3_client.errors import Violation
from sam3_client.results import ImageInfo, image_info_from_proto, seconds_of
from sam3_client.results import was_cached


@dataclass(frozen=True)
class Model:
    name: str
    fingerprint: str
    """Hash over configuration and weights; pins them as `model_id`."""
    parameter_count: int
    image_size: int
    """Side of the square that the model sees, in pixels."""
    mask_size: int
    """Side of its low-resolution masks, in pixels."""
    embedded_demo: bool
    """True for the small built-in model that knows coloured shapes only."""
    takes_clicks: bool
    """True when Client.click is offered."""
    tracks: bool
    """True when Client.stream can track."""


@dataclass(frozen=True)
class Device:
    id: str
    name: str
    dtype: str


@dataclass(frozen=True)
class Limits:
    """What requests are checked against."""

    max_image_size_bytes: int
    max_image_pixels: int
    max_image_side: int
    max_prompts: int
    max_exemplars: int
    max_text_tokens: int
    max_message_size_bytes: int
    max_chunk_size_bytes: int
    max_streams: int
    max_points: int


@dataclass(frozen=True)
class Capacity:
    """What the server can carry, as measured at its start."""

    seconds_per_image: float
    """One picture and one prompt."""
    seconds_per_prompt: float
    """Each further prompt on the same picture."""
    stream_slots_free: int
    queued_jobs: int


@dataclass(frozen=True)
class ServerInfo:
    """The answer to Client.info."""

    version: str
    model: Model
    device: Device
    limits: Limits
    capacity: Capacity


@dataclass(frozen=True, eq=False)
class ExplainedPrompt:
    """How one prompt is read."""

    prompt_index: int
    token_ids: list[int]
    """Begin and end included."""
    words: list[str]
    """What the ids stand for, without begin and end."""
    truncated: bool
    """True when the text is longer than the model reads."""
    unknown_words: list[str]
    """Words that the vocabulary hardly knows; the model reads English."""
    boxes: npt.NDArray[np.float32]
    """N x 4: x0, y0, x1, y1 in pixels, after clamping."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """The answer to Client.explain."""

    prompts: list[ExplainedPrompt]
    image: Optional[ImageInfo]
    """None without a readable picture."""
    embedding_cached: bool
    estimated_seconds: float
    """Without waiting."""
    estimated_bytes: int
    violations: list[Violation]
    """Everything that would make the real request fail."""
    warnings: list[str]


def server_info_from_proto(
        answer: service_pb2.GetServerInfoResponse) -> ServerInfo:
    model, limits, capacity = answer.model, answer.limits, answer.capacity
    return ServerInfo(
        answer.version,
        Model(model.name, model.fingerprint, model.parameter_count,
              model.image_size_px, model.mask_size_px, model.embedded_demo,
              model.takes_clicks, model.tracks),
        Device(answer.device.id, answer.device.name, answer.device.dtype),
        Limits(limits.max_image_size_bytes, limits.max_image_pixels,
               limits.max_image_side_px, limits.max_prompts,
               limits.max_exemplars, limits.max_text_tokens,
               limits.max_message_size_bytes, limits.max_chunk_size_bytes,
               limits.max_streams, limits.max_points),
        Capacity(seconds_of(capacity.per_image),
                 seconds_of(capacity.per_prompt),
                 capacity.stream_slots_free_count,
                 capacity.queued_jobs_count))


def explanation_from_proto(
        answer: service_pb2.ExplainResponse) -> Explanation:
    prompts = [
        ExplainedPrompt(
            prompt.prompt_index, list(prompt.token_ids), list(prompt.words),
            prompt.truncated, list(prompt.unknown_words),
            np.array([[box.x0, box.y0, box.x1, box.y1]
                      for box in prompt.boxes], np.float32).reshape(-1, 4))
        for prompt in answer.prompts]
    return Explanation(
        prompts,
        image_info_from_proto(answer.image_info)
        if answer.image_info.width_px else None,
        was_cached(answer.embedding_cache), seconds_of(answer.estimated_time),
        answer.estimated_bytes,
        [Violation(v.field, v.description) for v in answer.violations],
        list(answer.warnings))
