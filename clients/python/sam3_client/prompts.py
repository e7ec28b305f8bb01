"""What is looked for: phrases, example boxes, clicks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Optional, Sequence, Tuple, Union

import numpy.typing as npt

from sam3_client._proto.sam3.v1 import geometry_pb2, prompt_pb2
from sam3_client.masks import Mask, mask_to_proto


@dataclass(frozen=True)
class Box:
    """Two corners in pixels of the oriented picture, or fractions of it."""

    x0: float
    y0: float
    x1: float
    y1: float
    normalized: bool = False
    """True: all four are fractions of width and height, 0..1."""

    @classmethod
    def from_xywh(cls, x: float, y: float, width: float, height: float,
                  normalized: bool = False) -> Box:
        """Of the top-left corner and the size."""
        return cls(x, y, x + width, y + height, normalized)

    @classmethod
    def from_center(cls, cx: float, cy: float, width: float, height: float,
                    normalized: bool = False) -> Box:
        """Of the centre and the size."""
        return cls(cx - width / 2, cy - height / 2, cx + width / 2,
                   cy + height / 2, normalized)


BoxLike = Union[Box, Sequence[float]]
"""A Box, or x0, y0, x1, y1 in pixels."""


@dataclass(frozen=True)
class Point:
    """A click: on the object, or (`positive=False`) beside it."""

    x: float
    y: float
    positive: bool = True
    normalized: bool = False
    """True: fractions of width and height, 0..1."""


PointLike = Union[Point, Tuple[float, float], Tuple[float, float, bool]]
"""A Point, or x, y and possibly whether it is positive, in pixels."""


@dataclass(frozen=True)
class Prompt:
    """One concept: a short English phrase, example boxes, or both."""

    text: str = ""
    boxes: Sequence[BoxLike] = ()
    """Things like these."""
    negative_boxes: Sequence[BoxLike] = ()
    """Not things like these."""
    threshold: Optional[float] = None
    """Instead of the request's, 0..1."""
    prompt_id: str = ""
    """The caller's name for it; results carry it."""
    allow_truncation: bool = False
    """True: a text of more than 32 tokens is cut, not refused."""


@dataclass(frozen=True)
class ObjectPrompt:
    """One object: clicks, a box, an earlier mask of it, or several of these."""

    points: Sequence[PointLike] = ()
    box: Optional[BoxLike] = None
    logits_handle: str = ""
    """ObjectMask.logits_handle of an earlier answer about the same object on
    the same picture; the mask is refined from there."""
    prompt_id: str = ""


@dataclass(frozen=True, eq=False)
class GivenObject:
    """One object of a video, as the caller points it out on a frame."""

    object_id: int
    """The caller's number for it, 0..2147483647, unique on the stream."""
    points: Sequence[PointLike] = ()
    """All clicks that count on the frame; they are not added to earlier ones."""
    box: Optional[BoxLike] = None
    mask: Union[Mask, npt.ArrayLike, None] = None
    """In place of points and box: H x W of the frame's size, true inside."""


PromptLike = Union[str, Prompt]
"""A Prompt, or its text."""


def box_to_proto(box: BoxLike) -> geometry_pb2.Box:
    if not isinstance(box, Box):
        if len(box) != 4:
            raise ValueError(f"a box is x0, y0, x1, y1, not {len(box)} numbers")
        x0, y0, x1, y1 = (float(number) for number in box)
        box = Box(x0, y0, x1, y1)
    return geometry_pb2.Box(
        xyxy=geometry_pb2.Box.Xyxy(x0=box.x0, y0=box.y0, x1=box.x1, y1=box.y1),
        normalized=box.normalized)


def prompt_to_proto(prompt: PromptLike) -> prompt_pb2.ConceptPrompt:
    if isinstance(prompt, str):
        prompt = Prompt(prompt)
    label = prompt_pb2.Exemplar.Label
    exemplars = [
        prompt_pb2.Exemplar(box=box_to_proto(box), label=kind)
        for boxes, kind in ((prompt.boxes, label.LABEL_POSITIVE),
                            (prompt.negative_boxes, label.LABEL_NEGATIVE))
        for box in boxes]
    return prompt_pb2.ConceptPrompt(
        prompt_id=prompt.prompt_id, text=prompt.text, exemplars=exemplars,
        score_threshold=prompt.threshold,
        allow_truncation=prompt.allow_truncation)


def prompts_to_proto(prompts: Union[PromptLike, Sequence[PromptLike]]
                     ) -> list[prompt_pb2.ConceptPrompt]:
    if isinstance(prompts, (str, Prompt)):
        prompts = [prompts]
    return [prompt_to_proto(prompt) for prompt in prompts]


def _point_to_proto(point: PointLike) -> prompt_pb2.Point:
    if not isinstance(point, Point):
        point = Point(*point)
    label = prompt_pb2.Point.Label
    return prompt_pb2.Point(
        x=float(point.x), y=float(point.y), normalized=point.normalized,
        label=label.LABEL_POSITIVE if point.positive else label.LABEL_NEGATIVE)


def object_prompt_to_proto(prompt: ObjectPrompt) -> prompt_pb2.ObjectPrompt:
    return prompt_pb2.ObjectPrompt(
        prompt_id=prompt.prompt_id,
        points=[_point_to_proto(point) for point in prompt.points],
        box=None if prompt.box is None else box_to_proto(prompt.box),
        logits_handle=prompt.logits_handle)


def given_object_to_proto(given: GivenObject) -> prompt_pb2.GivenObject:
    return prompt_pb2.GivenObject(
        object_id=given.object_id,
        points=[_point_to_proto(point) for point in given.points],
        box=None if given.box is None else box_to_proto(given.box),
        mask=None if given.mask is None else mask_to_proto(given.mask))


def given_objects_to_proto(
        objects: Union[GivenObject, Iterable[GivenObject]]
) -> list[prompt_pb2.GivenObject]:
    if isinstance(objects, GivenObject):
        objects = [objects]
    return [given_object_to_proto(given) for given in objects]
