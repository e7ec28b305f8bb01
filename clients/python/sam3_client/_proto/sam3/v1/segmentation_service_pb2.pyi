from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from sam3_client._proto.sam3.v1 import image_pb2 as _image_pb2
from sam3_client._proto.sam3.v1 import mask_pb2 as _mask_pb2
from sam3_client._proto.sam3.v1 import prompt_pb2 as _prompt_pb2
from sam3_client._proto.sam3.v1 import result_pb2 as _result_pb2
from sam3_client._proto.sam3.v1 import stream_pb2 as _stream_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SegmentConceptsRequest(_message.Message):
    __slots__ = ("image", "prompts", "score_threshold", "nms", "max_instances_per_prompt", "mask_options", "request_id", "model_id", "fields")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    SCORE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    NMS_FIELD_NUMBER: _ClassVar[int]
    MAX_INSTANCES_PER_PROMPT_FIELD_NUMBER: _ClassVar[int]
    MASK_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    image: _image_pb2.Image
    prompts: _containers.RepeatedCompositeFieldContainer[_prompt_pb2.ConceptPrompt]
    score_threshold: float
    nms: _prompt_pb2.NonMaximumSuppression
    max_instances_per_prompt: int
    mask_options: _mask_pb2.MaskOptions
    request_id: str
    model_id: str
    fields: _field_mask_pb2.FieldMask
    def __init__(self, image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., prompts: _Optional[_Iterable[_Union[_prompt_pb2.ConceptPrompt, _Mapping]]] = ..., score_threshold: _Optional[float] = ..., nms: _Optional[_Union[_prompt_pb2.NonMaximumSuppression, _Mapping]] = ..., max_instances_per_prompt: _Optional[int] = ..., mask_options: _Optional[_Union[_mask_pb2.MaskOptions, _Mapping]] = ..., request_id: _Optional[str] = ..., model_id: _Optional[str] = ..., fields: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class SegmentConceptsResponse(_message.Message):
    __slots__ = ("results", "image_info", "timings", "embedding_cache", "warnings")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_INFO_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_CACHE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_result_pb2.PromptResult]
    image_info: _image_pb2.ImageInfo
    timings: _result_pb2.Timings
    embedding_cache: _result_pb2.EmbeddingCache
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, results: _Optional[_Iterable[_Union[_result_pb2.PromptResult, _Mapping]]] = ..., image_info: _Optional[_Union[_image_pb2.ImageInfo, _Mapping]] = ..., timings: _Optional[_Union[_result_pb2.Timings, _Mapping]] = ..., embedding_cache: _Optional[_Union[_result_pb2.EmbeddingCache, str]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class SegmentObjectsRequest(_message.Message):
    __slots__ = ("image", "prompts", "multimask_output", "return_all_candidates", "save_logits", "load_logits", "mask_options", "request_id", "model_id", "fields")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    MULTIMASK_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RETURN_ALL_CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    SAVE_LOGITS_FIELD_NUMBER: _ClassVar[int]
    LOAD_LOGITS_FIELD_NUMBER: _ClassVar[int]
    MASK_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    image: _image_pb2.Image
    prompts: _containers.RepeatedCompositeFieldContainer[_prompt_pb2.ObjectPrompt]
    multimask_output: bool
    return_all_candidates: bool
    save_logits: bool
    load_logits: bool
    mask_options: _mask_pb2.MaskOptions
    request_id: str
    model_id: str
    fields: _field_mask_pb2.FieldMask
    def __init__(self, image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., prompts: _Optional[_Iterable[_Union[_prompt_pb2.ObjectPrompt, _Mapping]]] = ..., multimask_output: bool = ..., return_all_candidates: bool = ..., save_logits: bool = ..., load_logits: bool = ..., mask_options: _Optional[_Union[_mask_pb2.MaskOptions, _Mapping]] = ..., request_id: _Optional[str] = ..., model_id: _Optional[str] = ..., fields: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class SegmentObjectsResponse(_message.Message):
    __slots__ = ("results", "image_info", "timings", "embedding_cache", "warnings")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_INFO_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_CACHE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_result_pb2.ObjectResult]
    image_info: _image_pb2.ImageInfo
    timings: _result_pb2.Timings
    embedding_cache: _result_pb2.EmbeddingCache
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, results: _Optional[_Iterable[_Union[_result_pb2.ObjectResult, _Mapping]]] = ..., image_info: _Optional[_Union[_image_pb2.ImageInfo, _Mapping]] = ..., timings: _Optional[_Union[_result_pb2.Timings, _Mapping]] = ..., embedding_cache: _Optional[_Union[_result_pb2.EmbeddingCache, str]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class EmbedImageRequest(_message.Message):
    __slots__ = ("image", "request_id", "model_id")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    image: _image_pb2.Image
    request_id: str
    model_id: str
    def __init__(self, image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., request_id: _Optional[str] = ..., model_id: _Optional[str] = ...) -> None: ...

class EmbedImageResponse(_message.Message):
    __slots__ = ("image_info", "timings", "embedding_cache")
    IMAGE_INFO_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_CACHE_FIELD_NUMBER: _ClassVar[int]
    image_info: _image_pb2.ImageInfo
    timings: _result_pb2.Timings
    embedding_cache: _result_pb2.EmbeddingCache
    def __init__(self, image_info: _Optional[_Union[_image_pb2.ImageInfo, _Mapping]] = ..., timings: _Optional[_Union[_result_pb2.Timings, _Mapping]] = ..., embedding_cache: _Optional[_Union[_result_pb2.EmbeddingCache, str]] = ...) -> None: ...

class UploadImageRequest(_message.Message):
    __slots__ = ("image_id", "data", "model_id")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    data: bytes
    model_id: str
    def __init__(self, image_id: _Optional[str] = ..., data: _Optional[bytes] = ..., model_id: _Optional[str] = ...) -> None: ...

class UploadImageResponse(_message.Message):
    __slots__ = ("image_info", "timings", "embedding_cache")
    IMAGE_INFO_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_CACHE_FIELD_NUMBER: _ClassVar[int]
    image_info: _image_pb2.ImageInfo
    timings: _result_pb2.Timings
    embedding_cache: _result_pb2.EmbeddingCache
    def __init__(self, image_info: _Optional[_Union[_image_pb2.ImageInfo, _Mapping]] = ..., timings: _Optional[_Union[_result_pb2.Timings, _Mapping]] = ..., embedding_cache: _Optional[_Union[_result_pb2.EmbeddingCache, str]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: SegmentConceptsRequest
    def __init__(self, request: _Optional[_Union[SegmentConceptsRequest, _Mapping]] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("prompts", "image_info", "embedding_cache", "estimated_time", "estimated_bytes", "violations", "warnings")
    class Prompt(_message.Message):
        __slots__ = ("prompt_index", "token_ids", "words", "truncated", "unknown_words", "boxes")
        PROMPT_INDEX_FIELD_NUMBER: _ClassVar[int]
        TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
        WORDS_FIELD_NUMBER: _ClassVar[int]
        TRUNCATED_FIELD_NUMBER: _ClassVar[int]
        UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
        BOXES_FIELD_NUMBER: _ClassVar[int]
        prompt_index: int
        token_ids: _containers.RepeatedScalarFieldContainer[int]
        words: _containers.RepeatedScalarFieldContainer[str]
        truncated: bool
        unknown_words: _containers.RepeatedScalarFieldContainer[str]
        boxes: _containers.RepeatedCompositeFieldContainer[ExplainResponse.ExplainedBox]
        def __init__(self, prompt_index: _Optional[int] = ..., token_ids: _Optional[_Iterable[int]] = ..., words: _Optional[_Iterable[str]] = ..., truncated: bool = ..., unknown_words: _Optional[_Iterable[str]] = ..., boxes: _Optional[_Iterable[_Union[ExplainResponse.ExplainedBox, _Mapping]]] = ...) -> None: ...
    class ExplainedBox(_message.Message):
        __slots__ = ("x0", "y0", "x1", "y1", "clamped")
        X0_FIELD_NUMBER: _ClassVar[int]
        Y0_FIELD_NUMBER: _ClassVar[int]
        X1_FIELD_NUMBER: _ClassVar[int]
        Y1_FIELD_NUMBER: _ClassVar[int]
        CLAMPED_FIELD_NUMBER: _ClassVar[int]
        x0: float
        y0: float
        x1: float
        y1: float
        clamped: bool
        def __init__(self, x0: _Optional[float] = ..., y0: _Optional[float] = ..., x1: _Optional[float] = ..., y1: _Optional[float] = ..., clamped: bool = ...) -> None: ...
    class Violation(_message.Message):
        __slots__ = ("field", "description")
        FIELD_FIELD_NUMBER: _ClassVar[int]
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        field: str
        description: str
        def __init__(self, field: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_INFO_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_CACHE_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_TIME_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_BYTES_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    prompts: _containers.RepeatedCompositeFieldContainer[ExplainResponse.Prompt]
    image_info: _image_pb2.ImageInfo
    embedding_cache: _result_pb2.EmbeddingCache
    estimated_time: _duration_pb2.Duration
    estimated_bytes: int
    violations: _containers.RepeatedCompositeFieldContainer[ExplainResponse.Violation]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, prompts: _Optional[_Iterable[_Union[ExplainResponse.Prompt, _Mapping]]] = ..., image_info: _Optional[_Union[_image_pb2.ImageInfo, _Mapping]] = ..., embedding_cache: _Optional[_Union[_result_pb2.EmbeddingCache, str]] = ..., estimated_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., estimated_bytes: _Optional[int] = ..., violations: _Optional[_Iterable[_Union[ExplainResponse.Violation, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "model", "device", "limits", "capacity")
    class Model(_message.Message):
        __slots__ = ("name", "fingerprint", "parameter_count", "image_size_px", "mask_size_px", "embedded_demo", "takes_clicks", "tracks")
        NAME_FIELD_NUMBER: _ClassVar[int]
        FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
        PARAMETER_COUNT_FIELD_NUMBER: _ClassVar[int]
        IMAGE_SIZE_PX_FIELD_NUMBER: _ClassVar[int]
        MASK_SIZE_PX_FIELD_NUMBER: _ClassVar[int]
        EMBEDDED_DEMO_FIELD_NUMBER: _ClassVar[int]
        TAKES_CLICKS_FIELD_NUMBER: _ClassVar[int]
        TRACKS_FIELD_NUMBER: _ClassVar[int]
        name: str
        fingerprint: str
        parameter_count: int
        image_size_px: int
        mask_size_px: int
        embedded_demo: bool
        takes_clicks: bool
        tracks: bool
        def __init__(self, name: _Optional[str] = ..., fingerprint: _Optional[str] = ..., parameter_count: _Optional[int] = ..., image_size_px: _Optional[int] = ..., mask_size_px: _Optional[int] = ..., embedded_demo: bool = ..., takes_clicks: bool = ..., tracks: bool = ...) -> None: ...
    class Device(_message.Message):
        __slots__ = ("id", "name", "dtype")
        ID_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        DTYPE_FIELD_NUMBER: _ClassVar[int]
        id: str
        name: str
        dtype: str
        def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., dtype: _Optional[str] = ...) -> None: ...
    class Limits(_message.Message):
        __slots__ = ("max_image_size_bytes", "max_image_pixels", "max_image_side_px", "max_prompts", "max_exemplars", "max_text_tokens", "max_message_size_bytes", "max_chunk_size_bytes", "max_streams", "max_points")
        MAX_IMAGE_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
        MAX_IMAGE_PIXELS_FIELD_NUMBER: _ClassVar[int]
        MAX_IMAGE_SIDE_PX_FIELD_NUMBER: _ClassVar[int]
        MAX_PROMPTS_FIELD_NUMBER: _ClassVar[int]
        MAX_EXEMPLARS_FIELD_NUMBER: _ClassVar[int]
        MAX_TEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
        MAX_MESSAGE_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
        MAX_CHUNK_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
        MAX_STREAMS_FIELD_NUMBER: _ClassVar[int]
        MAX_POINTS_FIELD_NUMBER: _ClassVar[int]
        max_image_size_bytes: int
        max_image_pixels: int
        max_image_side_px: int
        max_prompts: int
        max_exemplars: int
        max_text_tokens: int
        max_message_size_bytes: int
        max_chunk_size_bytes: int
        max_streams: int
        max_points: int
        def __init__(self, max_image_size_bytes: _Optional[int] = ..., max_image_pixels: _Optional[int] = ..., max_image_side_px: _Optional[int] = ..., max_prompts: _Optional[int] = ..., max_exemplars: _Optional[int] = ..., max_text_tokens: _Optional[int] = ..., max_message_size_bytes: _Optional[int] = ..., max_chunk_size_bytes: _Optional[int] = ..., max_streams: _Optional[int] = ..., max_points: _Optional[int] = ...) -> None: ...
    class Capacity(_message.Message):
        __slots__ = ("per_image", "per_prompt", "stream_slots_free_count", "queued_jobs_count")
        PER_IMAGE_FIELD_NUMBER: _ClassVar[int]
        PER_PROMPT_FIELD_NUMBER: _ClassVar[int]
        STREAM_SLOTS_FREE_COUNT_FIELD_NUMBER: _ClassVar[int]
        QUEUED_JOBS_COUNT_FIELD_NUMBER: _ClassVar[int]
        per_image: _duration_pb2.Duration
        per_prompt: _duration_pb2.Duration
        stream_slots_free_count: int
        queued_jobs_count: int
        def __init__(self, per_image: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., per_prompt: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., stream_slots_free_count: _Optional[int] = ..., queued_jobs_count: _Optional[int] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    version: str
    model: GetServerInfoResponse.Model
    device: GetServerInfoResponse.Device
    limits: GetServerInfoResponse.Limits
    capacity: GetServerInfoResponse.Capacity
    def __init__(self, version: _Optional[str] = ..., model: _Optional[_Union[GetServerInfoResponse.Model, _Mapping]] = ..., device: _Optional[_Union[GetServerInfoResponse.Device, _Mapping]] = ..., limits: _Optional[_Union[GetServerInfoResponse.Limits, _Mapping]] = ..., capacity: _Optional[_Union[GetServerInfoResponse.Capacity, _Mapping]] = ...) -> None: ...
