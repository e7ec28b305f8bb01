from google.protobuf import duration_pb2 as _duration_pb2
from sam3_client._proto.sam3.v1 import geometry_pb2 as _geometry_pb2
from sam3_client._proto.sam3.v1 import mask_pb2 as _mask_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ObjectState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OBJECT_STATE_UNSPECIFIED: _ClassVar[ObjectState]
    OBJECT_STATE_TENTATIVE: _ClassVar[ObjectState]
    OBJECT_STATE_CONFIRMED: _ClassVar[ObjectState]
    OBJECT_STATE_LOST: _ClassVar[ObjectState]
    OBJECT_STATE_RECOVERED: _ClassVar[ObjectState]
    OBJECT_STATE_RETRACTED: _ClassVar[ObjectState]
    OBJECT_STATE_ENDED: _ClassVar[ObjectState]

class EmbeddingCache(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EMBEDDING_CACHE_UNSPECIFIED: _ClassVar[EmbeddingCache]
    EMBEDDING_CACHE_HIT: _ClassVar[EmbeddingCache]
    EMBEDDING_CACHE_MISS: _ClassVar[EmbeddingCache]
OBJECT_STATE_UNSPECIFIED: ObjectState
OBJECT_STATE_TENTATIVE: ObjectState
OBJECT_STATE_CONFIRMED: ObjectState
OBJECT_STATE_LOST: ObjectState
OBJECT_STATE_RECOVERED: ObjectState
OBJECT_STATE_RETRACTED: ObjectState
OBJECT_STATE_ENDED: ObjectState
EMBEDDING_CACHE_UNSPECIFIED: EmbeddingCache
EMBEDDING_CACHE_HIT: EmbeddingCache
EMBEDDING_CACHE_MISS: EmbeddingCache

class Instance(_message.Message):
    __slots__ = ("score", "query_score", "presence_score", "detector_box", "box", "area_px", "mask", "object_id", "state")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    QUERY_SCORE_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_SCORE_FIELD_NUMBER: _ClassVar[int]
    DETECTOR_BOX_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    AREA_PX_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    OBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    score: float
    query_score: float
    presence_score: float
    detector_box: _geometry_pb2.Box
    box: _geometry_pb2.Box
    area_px: int
    mask: _mask_pb2.Mask
    object_id: int
    state: ObjectState
    def __init__(self, score: _Optional[float] = ..., query_score: _Optional[float] = ..., presence_score: _Optional[float] = ..., detector_box: _Optional[_Union[_geometry_pb2.Box, _Mapping]] = ..., box: _Optional[_Union[_geometry_pb2.Box, _Mapping]] = ..., area_px: _Optional[int] = ..., mask: _Optional[_Union[_mask_pb2.Mask, _Mapping]] = ..., object_id: _Optional[int] = ..., state: _Optional[_Union[ObjectState, str]] = ...) -> None: ...

class PromptResult(_message.Message):
    __slots__ = ("prompt_index", "prompt_id", "text", "presence_score", "instances")
    PROMPT_INDEX_FIELD_NUMBER: _ClassVar[int]
    PROMPT_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_SCORE_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    prompt_index: int
    prompt_id: str
    text: str
    presence_score: float
    instances: _containers.RepeatedCompositeFieldContainer[Instance]
    def __init__(self, prompt_index: _Optional[int] = ..., prompt_id: _Optional[str] = ..., text: _Optional[str] = ..., presence_score: _Optional[float] = ..., instances: _Optional[_Iterable[_Union[Instance, _Mapping]]] = ...) -> None: ...

class ObjectMask(_message.Message):
    __slots__ = ("predicted_iou", "stability", "box", "area_px", "mask", "logits_handle")
    PREDICTED_IOU_FIELD_NUMBER: _ClassVar[int]
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    AREA_PX_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    LOGITS_HANDLE_FIELD_NUMBER: _ClassVar[int]
    predicted_iou: float
    stability: float
    box: _geometry_pb2.Box
    area_px: int
    mask: _mask_pb2.Mask
    logits_handle: str
    def __init__(self, predicted_iou: _Optional[float] = ..., stability: _Optional[float] = ..., box: _Optional[_Union[_geometry_pb2.Box, _Mapping]] = ..., area_px: _Optional[int] = ..., mask: _Optional[_Union[_mask_pb2.Mask, _Mapping]] = ..., logits_handle: _Optional[str] = ...) -> None: ...

class ObjectResult(_message.Message):
    __slots__ = ("prompt_index", "prompt_id", "object_score", "masks", "refined")
    PROMPT_INDEX_FIELD_NUMBER: _ClassVar[int]
    PROMPT_ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_SCORE_FIELD_NUMBER: _ClassVar[int]
    MASKS_FIELD_NUMBER: _ClassVar[int]
    REFINED_FIELD_NUMBER: _ClassVar[int]
    prompt_index: int
    prompt_id: str
    object_score: float
    masks: _containers.RepeatedCompositeFieldContainer[ObjectMask]
    refined: bool
    def __init__(self, prompt_index: _Optional[int] = ..., prompt_id: _Optional[str] = ..., object_score: _Optional[float] = ..., masks: _Optional[_Iterable[_Union[ObjectMask, _Mapping]]] = ..., refined: bool = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("decode", "queue", "encode", "ground", "post", "total", "fetch")
    DECODE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    ENCODE_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    POST_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    FETCH_FIELD_NUMBER: _ClassVar[int]
    decode: _duration_pb2.Duration
    queue: _duration_pb2.Duration
    encode: _duration_pb2.Duration
    ground: _duration_pb2.Duration
    post: _duration_pb2.Duration
    total: _duration_pb2.Duration
    fetch: _duration_pb2.Duration
    def __init__(self, decode: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., queue: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., encode: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., ground: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., post: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., total: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., fetch: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...
