"""The picture of a request: pixels, an address, a file, or a name."""

from __future__ import annotations

from typing import Union

from sam3_client._proto.sam3.v1 import image_pb2
from sam3_client.picture_files import Picture, encode_picture
from sam3_client.results import EmbeddedImage
from sam3_client.server_files import ServerFile

ImageLike = Union[Picture, ServerFile, EmbeddedImage]
"""A picture, an http(s) address that the server fetches if it is allowed to, a
file on the server, or what Client.embed and Client.upload answered, which sends
no pixels again."""


def image_to_proto(image: ImageLike, image_id: str = "") -> image_pb2.Image:
    if isinstance(image, EmbeddedImage):
        return image_pb2.Image(image_id=image.image_id or image.digest)
    if isinstance(image, ServerFile):
        return image_pb2.Image(file=image.path, image_id=image_id)
    if isinstance(image, str) and image.startswith(("http://", "https://")):
        return image_pb2.Image(url=image, image_id=image_id)
    return image_pb2.Image(content=encode_picture(image), image_id=image_id)
