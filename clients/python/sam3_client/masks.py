"""Masks: how they are asked for, and how they become arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional, TypedDict, Union

import numpy as np
import numpy.typing as npt

from sam3_client._proto.sam3.v1 import mask_pb2
from sam3_client.picture_files import decode_grey_png

MaskFormat = Literal["rle", "polygon", "png", "bits", "none", "logits"]

_FORMATS = {
    "rle": mask_pb2.MaskOptions.FORMAT_RLE,
    "polygon": mask_pb2.MaskOptions.FORMAT_POLYGON,
    "png": mask_pb2.MaskOptions.FORMAT_PNG,
    "bits": mask_pb2.MaskOptions.FORMAT_BITS,
    "none": mask_pb2.MaskOptions.FORMAT_NONE,
    "logits": mask_pb2.MaskOptions.FORMAT_LOGITS,
}


@dataclass(frozen=True)
class MaskOptions:
    """Form of the masks; a format alone may stand for it."""

    format: MaskFormat = "rle"
    max_side: Optional[int] = None
    """Scaled down until the longer side has this many pixels."""
    model_resolution: bool = False
    """True: the model's own low resolution; excludes `max_side`."""
    outer_only: bool = False
    """Polygons: without holes."""
    tolerance: float = 0.0
    """Polygons: how far in pixels simplification may move a ring."""


class CocoRle(TypedDict):
    """A mask as pycocotools takes it."""

    size: list[int]
    counts: str


@dataclass(frozen=True, eq=False)
class Ring:
    """One closed ring of a polygon."""

    points: npt.NDArray[np.int32]
    """N x 2, pixels of the mask."""
    parent_index: int
    """Of the ring around this one; -1 for an outer ring. Rings at odd depth are
    holes."""


class Mask:
    """One mask as it came; decodes when asked. Immutable."""

    def __init__(self, proto: mask_pb2.Mask):
        self._proto = proto

    def __repr__(self) -> str:
        return f"Mask({self.format}, {self.width} x {self.height})"

    @property
    def proto(self) -> mask_pb2.Mask:
        """As it came."""
        return self._proto

    @property
    def width(self) -> int:
        """Smaller than the picture's when MaskOptions said so."""
        return self._proto.width_px

    @property
    def height(self) -> int:
        return self._proto.height_px

    @property
    def format(self) -> str:
        return self._proto.WhichOneof("format") or "none"

    @property
    def rle(self) -> CocoRle:
        """For pycocotools and COCO files; format "rle" only."""
        self._require("rle")
        return {"size": [self.height, self.width],
                "counts": self._proto.rle.counts}

    @property
    def rings(self) -> list[Ring]:
        """Parents before children; format "polygon" only."""
        self._require("polygon")
        return [Ring(np.array(ring.xy, np.int32).reshape(-1, 2),
                     ring.parent_index)
                for ring in self._proto.polygon.rings]

    @property
    def logits(self) -> npt.NDArray[np.float32]:
        """H x W; format "logits" only."""
        self._require("logits")
        return np.frombuffer(self._proto.logits.data, "<f4").reshape(
            self.height, self.width)

    @property
    def png(self) -> bytes:
        """A file, 255 inside; format "png" only."""
        self._require("png")
        return self._proto.png.data

    def to_array(self) -> npt.NDArray[np.bool_]:
        """H x W, True inside. Of every format but "polygon"."""
        kind = self.format
        if kind == "rle":
            return decode_rle(self._proto.rle.counts, self.height, self.width)
        if kind == "bits":
            return self._decode_bits()
        if kind == "logits":
            return self.logits > 0
        if kind == "png":
            return decode_grey_png(self._proto.png.data) > 127
        raise ValueError("polygons stay polygons, see Mask.rings; ask for "
                         "mask_format=\"rle\" to have pixels")

    def _require(self, kind: str) -> None:
        if self.format != kind:
            raise ValueError(f"this mask is of format \"{self.format}\"; ask "
                             f"for mask_format=\"{kind}\"")

    def _decode_bits(self) -> npt.NDArray[np.bool_]:
        bits = self._proto.bits
        mask = np.zeros((self.height, self.width), np.bool_)
        if bits.crop_width > 0 and bits.crop_height > 0:
            rows = np.frombuffer(bits.data, np.uint8).reshape(
                bits.crop_height, -1)
            mask[bits.crop_y:bits.crop_y + bits.crop_height,
                 bits.crop_x:bits.crop_x + bits.crop_width] = np.unpackbits(
                     rows, axis=1, count=bits.crop_width)
        return mask


def decode_rle(counts: Union[str, bytes], height: int,
               width: int) -> npt.NDArray[np.bool_]:
    """H x W of COCO's compressed counts; ValueError if they do not fit.

    A count is written in digits of five bits, lowest first, each plus 48 and
    plus 32 where more follow; the last digit's highest bit is the sign. From
    the fourth on, a count is told as the difference to the last but one.
    """
    text = counts.encode("ascii") if isinstance(counts, str) else counts
    digits = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if (digits.size == 0 or digits.min() < 0 or digits.max() > 63
            or digits[-1] & 32):
        raise ValueError("these are no COCO counts")
    last = np.flatnonzero((digits & 32) == 0)
    first = np.concatenate(([0], last[:-1] + 1))
    place = np.arange(digits.size) - np.repeat(first, last - first + 1)
    if place.max() > 8:
        raise ValueError("these are no COCO counts")
    runs = np.add.reduceat((digits & 31) << (5 * place), first)
    runs -= ((digits[last] & 16) << 1) << (5 * place[last])
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    if (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"these counts are not of {width} x {height} pixels")
    inside = np.zeros(runs.size, np.bool_)
    inside[1::2] = True
    return np.ascontiguousarray(
        np.repeat(inside, runs).reshape(width, height).T)


def mask_options_to_proto(
        options: Union[MaskFormat, MaskOptions]) -> mask_pb2.MaskOptions:
    if not isinstance(options, MaskOptions):
        options = MaskOptions(options)
    if options.format not in _FORMATS:
        raise ValueError(f"mask_format is one of {', '.join(_FORMATS)}, not "
                         f"\"{options.format}\"")
    if options.max_side is not None and options.model_resolution:
        raise ValueError("max_side and model_resolution exclude each other")
    kinds = mask_pb2.MaskOptions.Resolution
    resolution = kinds.RESOLUTION_FULL
    if options.model_resolution:
        resolution = kinds.RESOLUTION_MODEL
    elif options.max_side is not None:
        resolution = kinds.RESOLUTION_MAX_SIDE
    return mask_pb2.MaskOptions(
        format=_FORMATS[options.format], resolution=resolution,
        max_side_px=options.max_side or 0, outer_only=options.outer_only,
        polygon_tolerance_px=options.tolerance)


def mask_to_proto(mask: Union[Mask, npt.ArrayLike]) -> mask_pb2.Mask:
    """H x W, true inside; packed bits but for masks that came as RLE or PNG."""
    if isinstance(mask, Mask):
        if mask.format in ("rle", "png", "bits"):
            return mask.proto
        mask = mask.to_array()
    inside = np.asarray(mask)
    if inside.ndim != 2:
        raise ValueError(f"a mask is H x W, not {inside.shape}")
    inside = inside.astype(np.bool_)
    height, width = inside.shape
    rows = np.flatnonzero(inside.any(axis=1))
    columns = np.flatnonzero(inside.any(axis=0))
    top, bottom = (rows[0], rows[-1] + 1) if rows.size else (0, 0)
    left, right = (columns[0], columns[-1] + 1) if rows.size else (0, 0)
    crop = np.packbits(inside[top:bottom, left:right], axis=1)
    return mask_pb2.Mask(
        width_px=width, height_px=height, bits=mask_pb2.Mask.Bits(
            data=crop.tobytes(), crop_x=int(left), crop_y=int(top),
            crop_width=int(right - left), crop_height=int(bottom - top)))
