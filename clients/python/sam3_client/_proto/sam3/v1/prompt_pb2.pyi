from sam3_client._proto.sam3.v1 import geometry_pb2 as _geometry_pb2
from sam3_client._proto.sam3.v1 import mask_pb2 as _mask_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConceptPrompt(_message.Message):
    __slots__ = ("prompt_id", "text", "exemplars", "score_threshold", "allow_truncation")
    PROMPT_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EXEMPLARS_FIELD_NUMBER: _ClassVar[int]
    SCORE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    ALLOW_TRUNCATION_FIELD_NUMBER: _ClassVar[int]
    prompt_id: str
    text: str
    exemplars: _containers.RepeatedCompositeFieldContainer[Exemplar]
    score_threshold: float
    allow_truncation: bool
    def __init__(self, prompt_id: _Optional[str] = ..., text: _Optional[str] = ..., exemplars: _Optional[_Iterable[_Union[Exemplar, _Mapping]]] = ..., score_threshold: _Optional[float] = ..., allow_truncation: bool = ...) -> None: ...

class NonMaximumSuppression(_message.Message):
    __slots__ = ("iou_threshold",)
    IOU_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    iou_threshold: float
    def __init__(self, iou_threshold: _Optional[float] = ...) -> None: ...

class Exemplar(_message.Message):
    __slots__ = ("box", "label")
    class Label(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        LABEL_UNSPECIFIED: _ClassVar[Exemplar.Label]
        LABEL_POSITIVE: _ClassVar[Exemplar.Label]
        LABEL_NEGATIVE: _ClassVar[Exemplar.Label]
    LABEL_UNSPECIFIED: Exemplar.Label
    LABEL_POSITIVE: Exemplar.Label
    LABEL_NEGATIVE: Exemplar.Label
    BOX_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    box: _geometry_pb2.Box
    label: Exemplar.Label
    def __init__(self, box: _Optional[_Union[_geometry_pb2.Box, _Mapping]] = ..., label: _Optional[_Union[Exemplar.Label, str]] = ...) -> None: ...

class ObjectPrompt(_message.Message):
    __slots__ = ("prompt_id", "points", "box", "logits_handle")
    PROMPT_ID_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    LOGITS_HANDLE_FIELD_NUMBER: _ClassVar[int]
    prompt_id: str
    points: _containers.RepeatedCompositeFieldContainer[Point]
    box: _geometry_pb2.Box
    logits_handle: str
    def __init__(self, prompt_id: _Optional[str] = ..., points: _Optional[_Iterable[_Union[Point, _Mapping]]] = ..., box: _Optional[_Union[_geometry_pb2.Box, _Mapping]] = ..., logits_handle: _Optional[str] = ...) -> None: ...

class GivenObject(_message.Message):
    __slots__ = ("object_id", "points", "box", "mask")
    OBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    object_id: int
    points: _containers.RepeatedCompositeFieldContainer[Point]
    box: _geometry_pb2.Box
    mask: _mask_pb2.Mask
    def __init__(self, object_id: _Optional[int] = ..., points: _Optional[_Iterable[_Union[Point, _Mapping]]] = ..., box: _Optional[_Union[_geometry_pb2.Box, _Mapping]] = ..., mask: _Optional[_Union[_mask_pb2.Mask, _Mapping]] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("x", "y", "label", "normalized")
    class Label(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        LABEL_UNSPECIFIED: _ClassVar[Point.Label]
        LABEL_POSITIVE: _ClassVar[Point.Label]
        LABEL_NEGATIVE: _ClassVar[Point.Label]
    LABEL_UNSPECIFIED: Point.Label
    LABEL_POSITIVE: Point.Label
    LABEL_NEGATIVE: Point.Label
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    label: Point.Label
    normalized: bool
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., label: _Optional[_Union[Point.Label, str]] = ..., normalized: bool = ...) -> None: ...
