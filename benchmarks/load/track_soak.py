"""Memory of a server that follows many objects for long.

    python benchmarks/load/track_soak.py SAM3_SERVER [--frames 3000]

Starts the server with the demo model, points at some fifty shapes and sends it
frames on which they move a little; tells the server's resident memory on the way, how
many objects are seen, and by how much the most that it has held grew after frame 200.
"""

import argparse
import math
import pathlib
import re
import sys
import time

import cv2
import numpy

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "clients/python"))
from sam3_client import Client, FrameResult, GivenObject
from server_process import serving

SIDE, ROWS = 560, 7
COLOURS = ((49, 48, 214), (214, 92, 44), (74, 168, 46))
WARM = 200  # frames


def place(i: int, frame: int) -> tuple:
    """Centre and radius of a shape."""
    cell = SIDE / ROWS
    sway = 0.08 * cell * math.sin(frame / 9 + i)
    return ((i % ROWS + 0.5) * cell + sway, (i // ROWS + 0.5) * cell - sway,
            0.33 * cell)


def draw(frame: int) -> bytes:
    """A PNG of ROWS x ROWS shapes, of three kinds in turn."""
    picture = numpy.full((SIDE, SIDE, 3), 205, numpy.uint8)
    for i in range(ROWS * ROWS):
        x, y, radius = place(i, frame)
        corners = (64, 4, 3)[i % 3]
        angle = 2 * math.pi * numpy.arange(corners) / corners + (
            math.pi / 4 if corners == 4 else -math.pi / 2)
        points = numpy.stack([x + radius * numpy.cos(angle),
                              y + radius * numpy.sin(angle)], 1)
        cv2.fillPoly(picture, [numpy.round(points * 16).astype(numpy.int32)],
                     COLOURS[i % 3], cv2.LINE_AA, 4)
    return cv2.imencode(".png", picture)[1].tobytes()


def resident_mb(pid: int) -> tuple:
    """Now, which is any moment of a frame, and at most since the start."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return tuple(int(re.search(rf"{name}:\s+(\d+)", status)[1]) * 1024 / 1e6
                 for name in ("VmRSS", "VmHWM"))


def soak(process, port: int, frames: int):
    first = None
    begun = time.monotonic()
    given = []
    for i in range(ROWS * ROWS):
        x, y, radius = place(i, 0)
        given.append(GivenObject(i, box=(x - radius, y - radius, x + radius,
                                         y + radius)))
    with Client(f"127.0.0.1:{port}") as client, client.stream(
            (draw(i) for i in range(frames)), objects=given,
            delivery="every") as stream:
        for event in stream:
            if not isinstance(event, FrameResult):
                continue
            count = event.frame_index + 1
            if count != WARM and count % max(1, frames // 10):
                continue
            now, most = resident_mb(process.pid)
            if count == WARM:
                first = most
            seen = sum(instance.area > 0 for instance in event.results[0].instances)
            print(f"{count:6} frames  {seen} objects  {now:.1f} MB, "
                  f"at most {most:.1f}  "
                  f"{count / (time.monotonic() - begun):.1f}/s", flush=True)
    if first is not None:
        print(f"growth of the most after {WARM} frames: {most - first:.1f} MB")
    print(stream.summary)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--frames", type=int, default=3000)
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    with serving(flags.server) as (process, port):
        soak(process, port, flags.frames)


if __name__ == "__main__":
    main()
