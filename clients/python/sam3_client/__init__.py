"""Client of sam3-server: finds and masks what a phrase, a box or a click
describes, in pictures and in video.

    from sam3_client import Client

    with Client("localhost:50051") as client:
        result = client.segment("photo.jpg", ["truck", "wheel"])
        for instance in result.instances:
            print(instance.score, instance.box, instance.mask.sum())
"""

from sam3_client.client import Client, Tls
from sam3_client.errors import Sam3Error, Violation
from sam3_client.images import ImageLike
from sam3_client.masks import (CocoRle, Mask, MaskFormat, MaskOptions, Ring,
                               decode_rle)
from sam3_client.picture_files import Picture, encode_picture
from sam3_client.prompts import (Box, BoxLike, GivenObject, ObjectPrompt,
                                 Point, PointLike, Prompt, PromptLike)
from sam3_client.results import (EmbeddedImage, ImageInfo, Instance,
                                 ObjectMask, ObjectResult, ObjectsResult,
                                 PromptResult, SegmentResult, Timings)
from sam3_client.retry import RetryPolicy
from sam3_client.server_files import ServerFile
from sam3_client.server_info import Explanation, ServerInfo
from sam3_client.stream import Stream
from sam3_client.stream_events import (FrameRefused, FrameResult,
                                       FramesDropped, GoingAway, ObjectEvent,
                                       ObjectPreview, PromptRejected,
                                       PromptsUpdated, SourceEvent,
                                       StreamEvent, StreamStarted,
                                       StreamSummary)
from sam3_client.stream_sources import Frame, StreamSource, VideoChunks

__all__ = [
    "Box", "BoxLike", "Client", "CocoRle", "EmbeddedImage", "Explanation",
    "Frame", "FrameRefused", "FrameResult", "FramesDropped", "GivenObject",
    "GoingAway", "ImageInfo", "ImageLike", "Instance", "Mask", "MaskFormat",
    "MaskOptions", "ObjectEvent", "ObjectMask", "ObjectPreview",
    "ObjectPrompt", "ObjectResult", "ObjectsResult", "Picture", "Point",
    "PointLike", "Prompt", "PromptLike", "PromptRejected", "PromptResult",
    "PromptsUpdated", "RetryPolicy", "Ring", "Sam3Error", "SegmentResult",
    "ServerFile", "ServerInfo", "SourceEvent", "Stream", "StreamEvent",
    "StreamSource", "StreamStarted", "StreamSummary", "Timings", "Tls",
    "VideoChunks", "Violation", "decode_rle", "encode_picture",
]
