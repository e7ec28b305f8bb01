from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MaskOptions(_message.Message):
    __slots__ = ("format", "resolution", "max_side_px", "outer_only", "polygon_tolerance_px")
    class Format(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FORMAT_UNSPECIFIED: _ClassVar[MaskOptions.Format]
        FORMAT_RLE: _ClassVar[MaskOptions.Format]
        FORMAT_POLYGON: _ClassVar[MaskOptions.Format]
        FORMAT_PNG: _ClassVar[MaskOptions.Format]
        FORMAT_BITS: _ClassVar[MaskOptions.Format]
        FORMAT_NONE: _ClassVar[MaskOptions.Format]
        FORMAT_LOGITS: _ClassVar[MaskOptions.Format]
    FORMAT_UNSPECIFIED: MaskOptions.Format
    FORMAT_RLE: MaskOptions.Format
    FORMAT_POLYGON: MaskOptions.Format
    FORMAT_PNG: MaskOptions.Format
    FORMAT_BITS: MaskOptions.Format
    FORMAT_NONE: MaskOptions.Format
    FORMAT_LOGITS: MaskOptions.Format
    class Resolution(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RESOLUTION_UNSPECIFIED: _ClassVar[MaskOptions.Resolution]
        RESOLUTION_FULL: _ClassVar[MaskOptions.Resolution]
        RESOLUTION_MAX_SIDE: _ClassVar[MaskOptions.Resolution]
        RESOLUTION_MODEL: _ClassVar[MaskOptions.Resolution]
    RESOLUTION_UNSPECIFIED: MaskOptions.Resolution
    RESOLUTION_FULL: MaskOptions.Resolution
    RESOLUTION_MAX_SIDE: MaskOptions.Resolution
    RESOLUTION_MODEL: MaskOptions.Resolution
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    MAX_SIDE_PX_FIELD_NUMBER: _ClassVar[int]
    OUTER_ONLY_FIELD_NUMBER: _ClassVar[int]
    POLYGON_TOLERANCE_PX_FIELD_NUMBER: _ClassVar[int]
    format: MaskOptions.Format
    resolution: MaskOptions.Resolution
    max_side_px: int
    outer_only: bool
    polygon_tolerance_px: float
    def __init__(self, format: _Optional[_Union[MaskOptions.Format, str]] = ..., resolution: _Optional[_Union[MaskOptions.Resolution, str]] = ..., max_side_px: _Optional[int] = ..., outer_only: bool = ..., polygon_tolerance_px: _Optional[float] = ...) -> None: ...

class Mask(_message.Message):
    __slots__ = ("width_px", "height_px", "rle", "polygon", "png", "bits", "logits")
    class Rle(_message.Message):
        __slots__ = ("counts",)
        COUNTS_FIELD_NUMBER: _ClassVar[int]
        counts: str
        def __init__(self, counts: _Optional[str] = ...) -> None: ...
    class Polygon(_message.Message):
        __slots__ = ("rings",)
        class Ring(_message.Message):
            __slots__ = ("xy", "parent_index")
            XY_FIELD_NUMBER: _ClassVar[int]
            PARENT_INDEX_FIELD_NUMBER: _ClassVar[int]
            xy: _containers.RepeatedScalarFieldContainer[int]
            parent_index: int
            def __init__(self, xy: _Optional[_Iterable[int]] = ..., parent_index: _Optional[int] = ...) -> None: ...
        RINGS_FIELD_NUMBER: _ClassVar[int]
        rings: _containers.RepeatedCompositeFieldContainer[Mask.Polygon.Ring]
        def __init__(self, rings: _Optional[_Iterable[_Union[Mask.Polygon.Ring, _Mapping]]] = ...) -> None: ...
    class Png(_message.Message):
        __slots__ = ("data",)
        DATA_FIELD_NUMBER: _ClassVar[int]
        data: bytes
        def __init__(self, data: _Optional[bytes] = ...) -> None: ...
    class Bits(_message.Message):
        __slots__ = ("data", "crop_x", "crop_y", "crop_width", "crop_height")
        DATA_FIELD_NUMBER: _ClassVar[int]
        CROP_X_FIELD_NUMBER: _ClassVar[int]
        CROP_Y_FIELD_NUMBER: _ClassVar[int]
        CROP_WIDTH_FIELD_NUMBER: _ClassVar[int]
        CROP_HEIGHT_FIELD_NUMBER: _ClassVar[int]
        data: bytes
        crop_x: int
        crop_y: int
        crop_width: int
        crop_height: int
        def __init__(self, data: _Optional[bytes] = ..., crop_x: _Optional[int] = ..., crop_y: _Optional[int] = ..., crop_width: _Optional[int] = ..., crop_height: _Optional[int] = ...) -> None: ...
    class Logits(_message.Message):
        __slots__ = ("data",)
        DATA_FIELD_NUMBER: _ClassVar[int]
        data: bytes
        def __init__(self, data: _Optional[bytes] = ...) -> None: ...
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    RLE_FIELD_NUMBER: _ClassVar[int]
    POLYGON_FIELD_NUMBER: _ClassVar[int]
    PNG_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    LOGITS_FIELD_NUMBER: _ClassVar[int]
    width_px: int
    height_px: int
    rle: Mask.Rle
    polygon: Mask.Polygon
    png: Mask.Png
    bits: Mask.Bits
    logits: Mask.Logits
    def __init__(self, width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., rle: _Optional[_Union[Mask.Rle, _Mapping]] = ..., polygon: _Optional[_Union[Mask.Polygon, _Mapping]] = ..., png: _Optional[_Union[Mask.Png, _Mapping]] = ..., bits: _Optional[_Union[Mask.Bits, _Mapping]] = ..., logits: _Optional[_Union[Mask.Logits, _Mapping]] = ...) -> None: ...
