"""Compares the mask codec with torch, pycocotools and OpenCV on many masks.

    python tests/pipeline/mask_codec_oracle.py PATH_OF_mask_codec_driver
"""

import base64
import json
import subprocess
import sys

import cv2
import numpy as np
import torch
from pycocotools import mask as coco

# libtorch has a second kernel, with another order of rounding, for targets
# whose sides sum to 128 or less; the codec follows the one for pictures.
SIZES = [(288, 288, 1920, 1080), (64, 64, 640, 360), (72, 72, 333, 517),
         (33, 47, 200, 101), (64, 64, 129, 3), (288, 288, 150, 201),
         (16, 16, 1, 400), (64, 64, 64, 65)]


def masks(rng: np.random.Generator):
    """Noise, smooth blobs, blobs with holes, saturated, constant, edge on the
    threshold."""
    for width, height, out_width, out_height in SIZES:
        noise = rng.standard_normal((height, width)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 3) * 20
        ring = np.abs(smooth) - np.float32(0.8)
        probability = 1 / (1 + np.exp(-smooth * 4))
        cases = [(noise, 0.0), (smooth, 0.0), (ring, 0.0), (probability, 0.5),
                 (np.where(smooth > 0, 1, 0), 0.5),
                 (np.zeros_like(noise), 0.0), (np.ones_like(noise), 0.5),
                 (np.full_like(noise, 0.5), 0.5),
                 (np.round(smooth), 1.0), (noise * 1e4, 3.0),
                 (smooth - 5, 0.0)]
        for values, threshold in cases:
            yield (values.astype(np.float32), np.float32(threshold), out_width,
                   out_height)


def upsampled(values, width, height) -> np.ndarray:
    return torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], (height, width),
        mode="bilinear")[0, 0].numpy()


def check_logits(case: dict, numbers: np.ndarray, threshold: float):
    logits = np.frombuffer(base64.b64decode(case["logits"]),
                           "<f4").reshape(numbers.shape)
    if threshold == 0:
        assert (logits == numbers).all(), "logits"
    elif threshold == 0.5 and 0 <= numbers.min() and numbers.max() <= 1:
        # Where the mask is, to the pixel; and the way back.
        assert ((logits > 0) == (numbers > 0.5)).all(), "sign of logits"
        assert np.abs(1 / (1 + np.exp(-logits.astype(np.float64)))
                      - numbers).max() < 1e-6, "probabilities"


def check(case: dict, numbers: np.ndarray, threshold: float):
    dense = (numbers > threshold).astype(np.uint8)
    if "logits" in case:
        check_logits(case, numbers, threshold)
    counts = coco.encode(np.asfortranarray(dense))["counts"]
    assert base64.b64decode(case["counts"]) == counts, "COCO string"
    assert case["round_trip"], "round trip"
    assert case["area"] == int(dense.sum()), "area"
    rows, columns = np.nonzero(dense)
    box = [0, 0, 0, 0]
    if len(rows):
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert case["box"] == [int(v) for v in box], f"box {case['box']} {box}"
    for key, mode in (("outer", cv2.RETR_EXTERNAL), ("rings", cv2.RETR_TREE)):
        contours, hierarchy = cv2.findContours(dense, mode,
                                               cv2.CHAIN_APPROX_NONE)
        mine = sorted(ring["xy"] for ring in case[key])
        theirs = sorted(c.reshape(-1).tolist() for c in contours)
        assert mine == theirs, f"{key}: {len(mine)} rings, not {len(theirs)}"
    if len(contours):
        parents = sorted(int(h[3] >= 0) for h in hierarchy[0])
        assert sorted(int(r["parent"] >= 0) for r in case["rings"]) == parents
    png = cv2.imdecode(
        np.frombuffer(base64.b64decode(case["png"]), np.uint8),
        cv2.IMREAD_UNCHANGED)
    assert (png == dense * 255).all(), "PNG"
    x, y, width, height = case["crop"]
    if width:
        packed = np.frombuffer(base64.b64decode(case["bits"]), np.uint8)
        bits = np.unpackbits(packed.reshape(height, -1), axis=1)[:, :width]
        assert (bits == dense[y:y + height, x:x + width]).all(), "bits"


def main():
    rng = np.random.default_rng(11)
    cases = [case for _ in range(4) for case in masks(rng)]
    payload = b"".join(
        np.array([v.shape[1], v.shape[0], w, h], np.int32).tobytes()
        + t.tobytes() + np.ascontiguousarray(v).tobytes()
        for v, t, w, h in cases)
    run = subprocess.run([sys.argv[1]], input=payload, capture_output=True,
                         check=True)
    lines = run.stdout.decode().splitlines()
    assert len(lines) == len(cases), f"{len(lines)} answers to {len(cases)}"
    for i, (line, case) in enumerate(zip(lines, cases)):
        try:
            values, threshold, width, height = case
            check(json.loads(line), upsampled(values, width, height),
                  threshold)
        except AssertionError as error:
            sys.exit(f"case {i} ({case[0].shape} to {case[2]}x{case[3]}): "
                     f"{error}")
    print(f"{len(cases)} masks equal")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
