from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Image(_message.Message):
    __slots__ = ("content", "url", "file", "image_id")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    url: str
    file: str
    image_id: str
    def __init__(self, content: _Optional[bytes] = ..., url: _Optional[str] = ..., file: _Optional[str] = ..., image_id: _Optional[str] = ...) -> None: ...

class ImageInfo(_message.Message):
    __slots__ = ("width_px", "height_px", "exif_orientation", "digest", "image_id")
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    EXIF_ORIENTATION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    width_px: int
    height_px: int
    exif_orientation: int
    digest: str
    image_id: str
    def __init__(self, width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., exif_orientation: _Optional[int] = ..., digest: _Optional[str] = ..., image_id: _Optional[str] = ...) -> None: ...
