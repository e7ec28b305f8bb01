from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Box(_message.Message):
    __slots__ = ("xyxy", "xywh", "cxcywh", "normalized")
    class Xyxy(_message.Message):
        __slots__ = ("x0", "y0", "x1", "y1")
        X0_FIELD_NUMBER: _ClassVar[int]
        Y0_FIELD_NUMBER: _ClassVar[int]
        X1_FIELD_NUMBER: _ClassVar[int]
        Y1_FIELD_NUMBER: _ClassVar[int]
        x0: float
        y0: float
        x1: float
        y1: float
        def __init__(self, x0: _Optional[float] = ..., y0: _Optional[float] = ..., x1: _Optional[float] = ..., y1: _Optional[float] = ...) -> None: ...
    class Xywh(_message.Message):
        __slots__ = ("x", "y", "width", "height")
        X_FIELD_NUMBER: _ClassVar[int]
        Y_FIELD_NUMBER: _ClassVar[int]
        WIDTH_FIELD_NUMBER: _ClassVar[int]
        HEIGHT_FIELD_NUMBER: _ClassVar[int]
        x: float
        y: float
        width: float
        height: float
        def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., width: _Optional[float] = ..., height: _Optional[float] = ...) -> None: ...
    class Cxcywh(_message.Message):
        __slots__ = ("cx", "cy", "width", "height")
        CX_FIELD_NUMBER: _ClassVar[int]
        CY_FIELD_NUMBER: _ClassVar[int]
        WIDTH_FIELD_NUMBER: _ClassVar[int]
        HEIGHT_FIELD_NUMBER: _ClassVar[int]
        cx: float
        cy: float
        width: float
        height: float
        def __init__(self, cx: _Optional[float] = ..., cy: _Optional[float] = ..., width: _Optional[float] = ..., height: _Optional[float] = ...) -> None: ...
    XYXY_FIELD_NUMBER: _ClassVar[int]
    XYWH_FIELD_NUMBER: _ClassVar[int]
    CXCYWH_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_FIELD_NUMBER: _ClassVar[int]
    xyxy: Box.Xyxy
    xywh: Box.Xywh
    cxcywh: Box.Cxcywh
    normalized: bool
    def __init__(self, xyxy: _Optional[_Union[Box.Xyxy, _Mapping]] = ..., xywh: _Optional[_Union[Box.Xywh, _Mapping]] = ..., cxcywh: _Optional[_Union[Box.Cxcywh, _Mapping]] = ..., normalized: bool = ...) -> None: ...
