"""Results as supervision.Detections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Sequence

import numpy as np
import numpy.typing as npt

from sam3_client.masks import Mask

if TYPE_CHECKING:
    import supervision

    from sam3_client.results import Instance, PromptResult


def make_detections(results: Sequence[PromptResult], width: int,
                    height: int) -> supervision.Detections:
    """Of a picture of `width` x `height` pixels."""
    try:
        import supervision
    except ImportError:
        raise ImportError("to_detections needs supervision: "
                          "pip install 'sam3-client[supervision]'") from None
    # Given objects that are not to be seen have no box.
    found = [(result, instance) for result in results
             for instance in result.instances
             if instance.state != "LOST" or instance.area > 0]
    if not found:
        return supervision.Detections.empty()
    ids = [instance.object_id for _, instance in found]
    return supervision.Detections(
        tracker_id=None if None in ids else np.array(ids),
        xyxy=np.stack([instance.box for _, instance in found]),
        mask=_masks([instance for _, instance in found], width, height),
        confidence=np.array([instance.score for _, instance in found],
                            np.float32),
        class_id=np.array([result.prompt_index for result, _ in found]),
        data={"class_name": np.array([result.text or result.prompt_id
                                      for result, _ in found])})


def _masks(instances: Sequence[Instance], width: int,
           height: int) -> Optional[npt.NDArray[np.bool_]]:
    def has_pixels(mask: Optional[Mask]) -> bool:
        return (mask is not None and mask.format != "polygon"
                and (mask.width, mask.height) == (width, height))

    if not all(has_pixels(instance.encoded_mask) for instance in instances):
        return None
    return np.stack([instance.mask for instance in instances])
