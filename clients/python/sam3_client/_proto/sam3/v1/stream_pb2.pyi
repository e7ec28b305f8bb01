from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from sam3_client._proto.sam3.v1 import mask_pb2 as _mask_pb2
from sam3_client._proto.sam3.v1 import prompt_pb2 as _prompt_pb2
from sam3_client._proto.sam3.v1 import result_pb2 as _result_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DropReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DROP_REASON_UNSPECIFIED: _ClassVar[DropReason]
    DROP_REASON_STALE: _ClassVar[DropReason]
    DROP_REASON_SAMPLED_OUT: _ClassVar[DropReason]
    DROP_REASON_UNDECODABLE: _ClassVar[DropReason]
    DROP_REASON_SLOW_CONSUMER: _ClassVar[DropReason]
    DROP_REASON_ENGINE: _ClassVar[DropReason]
    DROP_REASON_CANCELLED: _ClassVar[DropReason]
DROP_REASON_UNSPECIFIED: DropReason
DROP_REASON_STALE: DropReason
DROP_REASON_SAMPLED_OUT: DropReason
DROP_REASON_UNDECODABLE: DropReason
DROP_REASON_SLOW_CONSUMER: DropReason
DROP_REASON_ENGINE: DropReason
DROP_REASON_CANCELLED: DropReason

class SegmentStreamRequest(_message.Message):
    __slots__ = ("config", "frame", "chunk", "prompt_update")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    PROMPT_UPDATE_FIELD_NUMBER: _ClassVar[int]
    config: StreamConfig
    frame: Frame
    chunk: MediaChunk
    prompt_update: PromptUpdate
    def __init__(self, config: _Optional[_Union[StreamConfig, _Mapping]] = ..., frame: _Optional[_Union[Frame, _Mapping]] = ..., chunk: _Optional[_Union[MediaChunk, _Mapping]] = ..., prompt_update: _Optional[_Union[PromptUpdate, _Mapping]] = ...) -> None: ...

class StreamConfig(_message.Message):
    __slots__ = ("pushed_frames", "pushed_chunks", "file", "url", "delivery", "task", "prompts", "score_threshold", "nms", "max_instances_per_prompt", "mask_options", "analyse_fps", "every_nth_frame", "fields", "model_id", "confirmation_delay_frames", "max_objects", "resume_token", "objects", "detect_every")
    class Delivery(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        DELIVERY_UNSPECIFIED: _ClassVar[StreamConfig.Delivery]
        DELIVERY_LATEST: _ClassVar[StreamConfig.Delivery]
        DELIVERY_EVERY: _ClassVar[StreamConfig.Delivery]
    DELIVERY_UNSPECIFIED: StreamConfig.Delivery
    DELIVERY_LATEST: StreamConfig.Delivery
    DELIVERY_EVERY: StreamConfig.Delivery
    class Task(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TASK_UNSPECIFIED: _ClassVar[StreamConfig.Task]
        TASK_DETECT: _ClassVar[StreamConfig.Task]
        TASK_TRACK: _ClassVar[StreamConfig.Task]
    TASK_UNSPECIFIED: StreamConfig.Task
    TASK_DETECT: StreamConfig.Task
    TASK_TRACK: StreamConfig.Task
    class PushedFrames(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class PushedChunks(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    PUSHED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    PUSHED_CHUNKS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    SCORE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    NMS_FIELD_NUMBER: _ClassVar[int]
    MAX_INSTANCES_PER_PROMPT_FIELD_NUMBER: _ClassVar[int]
    MASK_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ANALYSE_FPS_FIELD_NUMBER: _ClassVar[int]
    EVERY_NTH_FRAME_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATION_DELAY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    MAX_OBJECTS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    DETECT_EVERY_FIELD_NUMBER: _ClassVar[int]
    pushed_frames: StreamConfig.PushedFrames
    pushed_chunks: StreamConfig.PushedChunks
    file: str
    url: str
    delivery: StreamConfig.Delivery
    task: StreamConfig.Task
    prompts: _containers.RepeatedCompositeFieldContainer[_prompt_pb2.ConceptPrompt]
    score_threshold: float
    nms: _prompt_pb2.NonMaximumSuppression
    max_instances_per_prompt: int
    mask_options: _mask_pb2.MaskOptions
    analyse_fps: float
    every_nth_frame: int
    fields: _field_mask_pb2.FieldMask
    model_id: str
    confirmation_delay_frames: int
    max_objects: int
    resume_token: bytes
    objects: _containers.RepeatedCompositeFieldContainer[_prompt_pb2.GivenObject]
    detect_every: int
    def __init__(self, pushed_frames: _Optional[_Union[StreamConfig.PushedFrames, _Mapping]] = ..., pushed_chunks: _Optional[_Union[StreamConfig.PushedChunks, _Mapping]] = ..., file: _Optional[str] = ..., url: _Optional[str] = ..., delivery: _Optional[_Union[StreamConfig.Delivery, str]] = ..., task: _Optional[_Union[StreamConfig.Task, str]] = ..., prompts: _Optional[_Iterable[_Union[_prompt_pb2.ConceptPrompt, _Mapping]]] = ..., score_threshold: _Optional[float] = ..., nms: _Optional[_Union[_prompt_pb2.NonMaximumSuppression, _Mapping]] = ..., max_instances_per_prompt: _Optional[int] = ..., mask_options: _Optional[_Union[_mask_pb2.MaskOptions, _Mapping]] = ..., analyse_fps: _Optional[float] = ..., every_nth_frame: _Optional[int] = ..., fields: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., model_id: _Optional[str] = ..., confirmation_delay_frames: _Optional[int] = ..., max_objects: _Optional[int] = ..., resume_token: _Optional[bytes] = ..., objects: _Optional[_Iterable[_Union[_prompt_pb2.GivenObject, _Mapping]]] = ..., detect_every: _Optional[int] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("content", "capture_time")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    capture_time: _timestamp_pb2.Timestamp
    def __init__(self, content: _Optional[bytes] = ..., capture_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MediaChunk(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class PromptUpdate(_message.Message):
    __slots__ = ("add", "remove_prompt_ids", "describe", "drop_object_ids", "preview", "commit")
    ADD_FIELD_NUMBER: _ClassVar[int]
    REMOVE_PROMPT_IDS_FIELD_NUMBER: _ClassVar[int]
    DESCRIBE_FIELD_NUMBER: _ClassVar[int]
    DROP_OBJECT_IDS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    add: _containers.RepeatedCompositeFieldContainer[_prompt_pb2.ConceptPrompt]
    remove_prompt_ids: _containers.RepeatedScalarFieldContainer[str]
    describe: _containers.RepeatedCompositeFieldContainer[_prompt_pb2.GivenObject]
    drop_object_ids: _containers.RepeatedScalarFieldContainer[int]
    preview: _containers.RepeatedCompositeFieldContainer[_prompt_pb2.GivenObject]
    commit: _containers.RepeatedCompositeFieldContainer[_prompt_pb2.GivenObject]
    def __init__(self, add: _Optional[_Iterable[_Union[_prompt_pb2.ConceptPrompt, _Mapping]]] = ..., remove_prompt_ids: _Optional[_Iterable[str]] = ..., describe: _Optional[_Iterable[_Union[_prompt_pb2.GivenObject, _Mapping]]] = ..., drop_object_ids: _Optional[_Iterable[int]] = ..., preview: _Optional[_Iterable[_Union[_prompt_pb2.GivenObject, _Mapping]]] = ..., commit: _Optional[_Iterable[_Union[_prompt_pb2.GivenObject, _Mapping]]] = ...) -> None: ...

class SegmentStreamResponse(_message.Message):
    __slots__ = ("started", "result", "dropped", "refused", "rejected", "prompts_updated", "source_event", "heartbeat", "going_away", "summary", "preview")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_UPDATED_FIELD_NUMBER: _ClassVar[int]
    SOURCE_EVENT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    GOING_AWAY_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    started: StreamStarted
    result: FrameResult
    dropped: FramesDropped
    refused: FrameRefused
    rejected: PromptRejected
    prompts_updated: PromptsUpdated
    source_event: SourceEvent
    heartbeat: Heartbeat
    going_away: GoingAway
    summary: StreamSummary
    preview: ObjectPreview
    def __init__(self, started: _Optional[_Union[StreamStarted, _Mapping]] = ..., result: _Optional[_Union[FrameResult, _Mapping]] = ..., dropped: _Optional[_Union[FramesDropped, _Mapping]] = ..., refused: _Optional[_Union[FrameRefused, _Mapping]] = ..., rejected: _Optional[_Union[PromptRejected, _Mapping]] = ..., prompts_updated: _Optional[_Union[PromptsUpdated, _Mapping]] = ..., source_event: _Optional[_Union[SourceEvent, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., going_away: _Optional[_Union[GoingAway, _Mapping]] = ..., summary: _Optional[_Union[StreamSummary, _Mapping]] = ..., preview: _Optional[_Union[ObjectPreview, _Mapping]] = ...) -> None: ...

class StreamStarted(_message.Message):
    __slots__ = ("stream_id", "width_px", "height_px", "frame_rate", "policy", "limits", "resumed")
    class Policy(_message.Message):
        __slots__ = ("delivery", "task", "score_threshold", "nms", "max_instances_per_prompt", "mask_options", "analyse_fps", "every_nth_frame", "confirmation_delay_frames", "max_objects", "detect_every")
        DELIVERY_FIELD_NUMBER: _ClassVar[int]
        TASK_FIELD_NUMBER: _ClassVar[int]
        SCORE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
        NMS_FIELD_NUMBER: _ClassVar[int]
        MAX_INSTANCES_PER_PROMPT_FIELD_NUMBER: _ClassVar[int]
        MASK_OPTIONS_FIELD_NUMBER: _ClassVar[int]
        ANALYSE_FPS_FIELD_NUMBER: _ClassVar[int]
        EVERY_NTH_FRAME_FIELD_NUMBER: _ClassVar[int]
        CONFIRMATION_DELAY_FRAMES_FIELD_NUMBER: _ClassVar[int]
        MAX_OBJECTS_FIELD_NUMBER: _ClassVar[int]
        DETECT_EVERY_FIELD_NUMBER: _ClassVar[int]
        delivery: StreamConfig.Delivery
        task: StreamConfig.Task
        score_threshold: float
        nms: _prompt_pb2.NonMaximumSuppression
        max_instances_per_prompt: int
        mask_options: _mask_pb2.MaskOptions
        analyse_fps: float
        every_nth_frame: int
        confirmation_delay_frames: int
        max_objects: int
        detect_every: int
        def __init__(self, delivery: _Optional[_Union[StreamConfig.Delivery, str]] = ..., task: _Optional[_Union[StreamConfig.Task, str]] = ..., score_threshold: _Optional[float] = ..., nms: _Optional[_Union[_prompt_pb2.NonMaximumSuppression, _Mapping]] = ..., max_instances_per_prompt: _Optional[int] = ..., mask_options: _Optional[_Union[_mask_pb2.MaskOptions, _Mapping]] = ..., analyse_fps: _Optional[float] = ..., every_nth_frame: _Optional[int] = ..., confirmation_delay_frames: _Optional[int] = ..., max_objects: _Optional[int] = ..., detect_every: _Optional[int] = ...) -> None: ...
    class Limits(_message.Message):
        __slots__ = ("max_prompts", "max_frame_size_bytes", "max_frame_pixels", "max_chunk_size_bytes", "max_unsent_frame_count", "max_unsent_size_bytes", "slow_consumer_timeout", "heartbeat_interval")
        MAX_PROMPTS_FIELD_NUMBER: _ClassVar[int]
        MAX_FRAME_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
        MAX_FRAME_PIXELS_FIELD_NUMBER: _ClassVar[int]
        MAX_CHUNK_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
        MAX_UNSENT_FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
        MAX_UNSENT_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
        SLOW_CONSUMER_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
        HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
        max_prompts: int
        max_frame_size_bytes: int
        max_frame_pixels: int
        max_chunk_size_bytes: int
        max_unsent_frame_count: int
        max_unsent_size_bytes: int
        slow_consumer_timeout: _duration_pb2.Duration
        heartbeat_interval: _duration_pb2.Duration
        def __init__(self, max_prompts: _Optional[int] = ..., max_frame_size_bytes: _Optional[int] = ..., max_frame_pixels: _Optional[int] = ..., max_chunk_size_bytes: _Optional[int] = ..., max_unsent_frame_count: _Optional[int] = ..., max_unsent_size_bytes: _Optional[int] = ..., slow_consumer_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., heartbeat_interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    class Resumed(_message.Message):
        __slots__ = ("object_count", "frames_before_count")
        OBJECT_COUNT_FIELD_NUMBER: _ClassVar[int]
        FRAMES_BEFORE_COUNT_FIELD_NUMBER: _ClassVar[int]
        object_count: int
        frames_before_count: int
        def __init__(self, object_count: _Optional[int] = ..., frames_before_count: _Optional[int] = ...) -> None: ...
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    FRAME_RATE_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    stream_id: str
    width_px: int
    height_px: int
    frame_rate: float
    policy: StreamStarted.Policy
    limits: StreamStarted.Limits
    resumed: StreamStarted.Resumed
    def __init__(self, stream_id: _Optional[str] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., frame_rate: _Optional[float] = ..., policy: _Optional[_Union[StreamStarted.Policy, _Mapping]] = ..., limits: _Optional[_Union[StreamStarted.Limits, _Mapping]] = ..., resumed: _Optional[_Union[StreamStarted.Resumed, _Mapping]] = ...) -> None: ...

class ObjectEvent(_message.Message):
    __slots__ = ("object_id", "state")
    OBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    object_id: int
    state: _result_pb2.ObjectState
    def __init__(self, object_id: _Optional[int] = ..., state: _Optional[_Union[_result_pb2.ObjectState, str]] = ...) -> None: ...

class FrameResult(_message.Message):
    __slots__ = ("frame_index", "start_offset", "capture_time", "width_px", "height_px", "result", "last_in_frame", "timings", "discontinuity", "object_events", "tracked_only", "objects_not_taken_count")
    FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    LAST_IN_FRAME_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    DISCONTINUITY_FIELD_NUMBER: _ClassVar[int]
    OBJECT_EVENTS_FIELD_NUMBER: _ClassVar[int]
    TRACKED_ONLY_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_NOT_TAKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    frame_index: int
    start_offset: _duration_pb2.Duration
    capture_time: _timestamp_pb2.Timestamp
    width_px: int
    height_px: int
    result: _result_pb2.PromptResult
    last_in_frame: bool
    timings: _result_pb2.Timings
    discontinuity: bool
    object_events: _containers.RepeatedCompositeFieldContainer[ObjectEvent]
    tracked_only: bool
    objects_not_taken_count: int
    def __init__(self, frame_index: _Optional[int] = ..., start_offset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., capture_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., result: _Optional[_Union[_result_pb2.PromptResult, _Mapping]] = ..., last_in_frame: bool = ..., timings: _Optional[_Union[_result_pb2.Timings, _Mapping]] = ..., discontinuity: bool = ..., object_events: _Optional[_Iterable[_Union[ObjectEvent, _Mapping]]] = ..., tracked_only: bool = ..., objects_not_taken_count: _Optional[int] = ...) -> None: ...

class FramesDropped(_message.Message):
    __slots__ = ("first_frame_index", "last_frame_index", "reason")
    FIRST_FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    LAST_FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    first_frame_index: int
    last_frame_index: int
    reason: DropReason
    def __init__(self, first_frame_index: _Optional[int] = ..., last_frame_index: _Optional[int] = ..., reason: _Optional[_Union[DropReason, str]] = ...) -> None: ...

class FrameRefused(_message.Message):
    __slots__ = ("frame_index", "status")
    FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    frame_index: int
    status: _status_pb2.Status
    def __init__(self, frame_index: _Optional[int] = ..., status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class ObjectPreview(_message.Message):
    __slots__ = ("frame_index", "instance", "committed")
    FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    frame_index: int
    instance: _result_pb2.Instance
    committed: bool
    def __init__(self, frame_index: _Optional[int] = ..., instance: _Optional[_Union[_result_pb2.Instance, _Mapping]] = ..., committed: bool = ...) -> None: ...

class PromptRejected(_message.Message):
    __slots__ = ("prompt_id", "status")
    PROMPT_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    prompt_id: str
    status: _status_pb2.Status
    def __init__(self, prompt_id: _Optional[str] = ..., status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class PromptsUpdated(_message.Message):
    __slots__ = ("effective_frame_index",)
    EFFECTIVE_FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    effective_frame_index: int
    def __init__(self, effective_frame_index: _Optional[int] = ...) -> None: ...

class SourceEvent(_message.Message):
    __slots__ = ("kind", "frame_index", "message", "width_px", "height_px", "frame_rate", "failure", "attempt", "retry_delay", "outage")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[SourceEvent.Kind]
        KIND_OPENED: _ClassVar[SourceEvent.Kind]
        KIND_RESOLUTION_CHANGED: _ClassVar[SourceEvent.Kind]
        KIND_DAMAGED: _ClassVar[SourceEvent.Kind]
        KIND_ENDED: _ClassVar[SourceEvent.Kind]
        KIND_STALLED: _ClassVar[SourceEvent.Kind]
        KIND_RECONNECTING: _ClassVar[SourceEvent.Kind]
        KIND_BACK: _ClassVar[SourceEvent.Kind]
    KIND_UNSPECIFIED: SourceEvent.Kind
    KIND_OPENED: SourceEvent.Kind
    KIND_RESOLUTION_CHANGED: SourceEvent.Kind
    KIND_DAMAGED: SourceEvent.Kind
    KIND_ENDED: SourceEvent.Kind
    KIND_STALLED: SourceEvent.Kind
    KIND_RECONNECTING: SourceEvent.Kind
    KIND_BACK: SourceEvent.Kind
    class Failure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FAILURE_UNSPECIFIED: _ClassVar[SourceEvent.Failure]
        FAILURE_CONNECTION: _ClassVar[SourceEvent.Failure]
        FAILURE_AUTH: _ClassVar[SourceEvent.Failure]
        FAILURE_TLS_CERTIFICATE: _ClassVar[SourceEvent.Failure]
        FAILURE_TLS_HANDSHAKE: _ClassVar[SourceEvent.Failure]
        FAILURE_TIMEOUT: _ClassVar[SourceEvent.Failure]
        FAILURE_NOT_FOUND: _ClassVar[SourceEvent.Failure]
        FAILURE_CODEC_UNSUPPORTED: _ClassVar[SourceEvent.Failure]
    FAILURE_UNSPECIFIED: SourceEvent.Failure
    FAILURE_CONNECTION: SourceEvent.Failure
    FAILURE_AUTH: SourceEvent.Failure
    FAILURE_TLS_CERTIFICATE: SourceEvent.Failure
    FAILURE_TLS_HANDSHAKE: SourceEvent.Failure
    FAILURE_TIMEOUT: SourceEvent.Failure
    FAILURE_NOT_FOUND: SourceEvent.Failure
    FAILURE_CODEC_UNSUPPORTED: SourceEvent.Failure
    KIND_FIELD_NUMBER: _ClassVar[int]
    FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    FRAME_RATE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    OUTAGE_FIELD_NUMBER: _ClassVar[int]
    kind: SourceEvent.Kind
    frame_index: int
    message: str
    width_px: int
    height_px: int
    frame_rate: float
    failure: SourceEvent.Failure
    attempt: int
    retry_delay: _duration_pb2.Duration
    outage: _duration_pb2.Duration
    def __init__(self, kind: _Optional[_Union[SourceEvent.Kind, str]] = ..., frame_index: _Optional[int] = ..., message: _Optional[str] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., frame_rate: _Optional[float] = ..., failure: _Optional[_Union[SourceEvent.Failure, str]] = ..., attempt: _Optional[int] = ..., retry_delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., outage: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GoingAway(_message.Message):
    __slots__ = ("within", "resume_token")
    WITHIN_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    within: _duration_pb2.Duration
    resume_token: bytes
    def __init__(self, within: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., resume_token: _Optional[bytes] = ...) -> None: ...

class StreamSummary(_message.Message):
    __slots__ = ("frames_in_count", "answered_count", "dropped", "refused_count", "resume_token")
    class Dropped(_message.Message):
        __slots__ = ("reason", "frame_count")
        REASON_FIELD_NUMBER: _ClassVar[int]
        FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
        reason: DropReason
        frame_count: int
        def __init__(self, reason: _Optional[_Union[DropReason, str]] = ..., frame_count: _Optional[int] = ...) -> None: ...
    FRAMES_IN_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_COUNT_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    frames_in_count: int
    answered_count: int
    dropped: _containers.RepeatedCompositeFieldContainer[StreamSummary.Dropped]
    refused_count: int
    resume_token: bytes
    def __init__(self, frames_in_count: _Optional[int] = ..., answered_count: _Optional[int] = ..., dropped: _Optional[_Iterable[_Union[StreamSummary.Dropped, _Mapping]]] = ..., refused_count: _Optional[int] = ..., resume_token: _Optional[bytes] = ...) -> None: ...
