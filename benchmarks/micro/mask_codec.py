"""RLE of a 1080p mask from 288 x 288 logits: ours against torch's upsampling,
a threshold and pycocotools' encoder, one thread each, taking turns in one run.

    python benchmarks/micro/mask_codec.py MASK_CODEC_TIMER [--rounds N]
"""

import argparse
import statistics
import subprocess
import time

import numpy as np
import torch
from pycocotools import mask as coco

WIDTH, HEIGHT, SIDE = 1920, 1080, 288


def blobs(count: int) -> np.ndarray:
    """Smooth logits: objects of several sizes, some with ragged borders."""
    generator = torch.Generator().manual_seed(4)
    result = []
    for i in range(count):
        coarse = torch.randn(1, 1, 6 + 3 * (i % 8), 6 + 3 * (i % 8),
                             generator=generator)
        smooth = torch.nn.functional.interpolate(
            coarse, (SIDE, SIDE), mode="bicubic")[0, 0] * 4 - 1.5
        result.append(smooth + torch.randn(SIDE, SIDE, generator=generator)
                      * 0.05)
    return torch.stack(result).numpy().astype(np.float32)


def naive(logits: np.ndarray) -> bytes:
    dense = torch.nn.functional.interpolate(
        torch.from_numpy(logits)[None, None], (HEIGHT, WIDTH),
        mode="bilinear")[0, 0] > 0
    return coco.encode(np.asfortranarray(
        dense.numpy().view(np.uint8)))["counts"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("timer")
    parser.add_argument("--rounds", type=int, default=7)
    flags = parser.parse_args()
    torch.set_num_threads(1)
    logits = blobs(16)
    timer = subprocess.Popen([flags.timer, str(len(logits)), str(SIDE),
                              str(WIDTH), str(HEIGHT)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    timer.stdin.write(logits.tobytes())
    timer.stdin.flush()
    expected = sum(len(naive(one)) for one in logits)
    ratios = []
    for _ in range(flags.rounds):
        timer.stdin.write(b"x")
        timer.stdin.flush()
        seconds, size = timer.stdout.readline().split()
        assert int(size) == expected, (int(size), expected)
        start = time.perf_counter()
        for one in logits:
            naive(one)
        theirs = time.perf_counter() - start
        ratios.append(float(seconds) / theirs)
        print(f"ours {float(seconds) / len(logits) * 1e3:.2f} ms, naive "
              f"{theirs / len(logits) * 1e3:.2f} ms a mask")
    timer.stdin.close()
    print(f"ours over naive: median {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
