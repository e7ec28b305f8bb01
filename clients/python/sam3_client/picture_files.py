"""Pictures: whatever callers have, as the file that the server reads."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Literal, Union

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import PIL.Image

FileFormat = Literal["png", "jpeg"]

Picture = Union[str, "os.PathLike[str]", bytes, npt.NDArray[np.uint8],
                "PIL.Image.Image"]
"""A path, the bytes of a file (JPEG, PNG, WebP, BMP), an array (H x W x 3 RGB,
H x W x 4 RGBA or H x W grey; for OpenCV's BGR pass `frame[..., ::-1]`), or a
Pillow image."""


def encode_picture(picture: Picture, file_format: FileFormat = "png",
                   quality: int = 95) -> bytes:
    """The bytes of a file; paths and bytes are taken as they are.

    Arrays and Pillow images become `file_format`: "png" loses nothing, "jpeg"
    (of `quality` 1..100) is far smaller and faster. Needs Pillow or OpenCV.
    """
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, (str, os.PathLike)):
        with open(picture, "rb") as file:
            return file.read()
    if isinstance(picture, np.ndarray):
        return _encode_array(picture, file_format, quality)
    if hasattr(picture, "save") and hasattr(picture, "mode"):
        return _encode_with_pillow(picture, file_format, quality)
    raise TypeError(f"{type(picture).__name__} is no picture; pass a path, "
                    "bytes, a NumPy array or a Pillow image")


def _encode_array(array: npt.NDArray[np.uint8], file_format: FileFormat,
                  quality: int) -> bytes:
    if array.dtype != np.uint8:
        raise TypeError(f"pictures are arrays of uint8, not {array.dtype}")
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (3, 4)):
        raise ValueError("pictures are H x W, H x W x 3 or H x W x 4, not "
                         f"{' x '.join(map(str, array.shape))}")
    array = np.ascontiguousarray(array)
    try:
        import PIL.Image
    except ImportError:
        return _encode_with_opencv(array, file_format, quality)
    return _encode_with_pillow(PIL.Image.fromarray(array), file_format, quality)


def _encode_with_pillow(image: PIL.Image.Image, file_format: FileFormat,
                        quality: int) -> bytes:
    if image.mode not in (("L", "RGB") if file_format == "jpeg"
                          else ("L", "RGB", "RGBA")):
        image = image.convert("RGB")
    file = io.BytesIO()
    options = {"quality": quality} if file_format == "jpeg" else {}
    image.save(file, file_format.upper(), **options)
    return file.getvalue()


def _encode_with_opencv(array: npt.NDArray[np.uint8], file_format: FileFormat,
                        quality: int) -> bytes:
    try:
        import cv2
    except ImportError:
        raise ImportError(
            "sending an array needs Pillow or OpenCV to make a file of it: "
            "pip install pillow, or opencv-python; or pass the bytes of a "
            "JPEG or PNG file") from None
    if array.ndim == 3:
        array = array[..., [2, 1, 0, 3][:array.shape[2]]]
    if file_format == "jpeg":
        encoded, data = cv2.imencode(".jpg", array[..., :3]
                                     if array.ndim == 3 else array,
                                     [cv2.IMWRITE_JPEG_QUALITY, quality])
    else:
        encoded, data = cv2.imencode(".png", array)
    if not encoded:
        raise ValueError("OpenCV cannot encode this picture")
    return bytes(data)


def decode_grey_png(data: bytes) -> npt.NDArray[np.uint8]:
    """H x W. Needs Pillow or OpenCV."""
    try:
        import PIL.Image
    except ImportError:
        try:
            import cv2
        except ImportError:
            raise ImportError(
                "decoding a PNG mask needs Pillow or OpenCV: pip install "
                "pillow; or ask for mask_format=\"rle\", which needs neither"
            ) from None
        return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8),
                                       cv2.IMREAD_GRAYSCALE))
    return np.asarray(PIL.Image.open(io.BytesIO(data)))
