"""A real server on free ports, and pictures in the colours that it knows."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.request

import numpy as np

from sam3_client import Client

LOCAL = "127.0.0.1"
SERVER = os.environ["SAM3_SERVER"]


class RunningServer:
    """Started with `flags`, ready when constructed, stopped at the end; at an
    address that is free unless one is given."""

    def __init__(self, *flags: str, address: str = f"{LOCAL}:0"):
        self.metrics_port = free_port()
        self.process = subprocess.Popen(
            [SERVER, "--fake-engine", "--listen", address,
             "--health-listen", f"{LOCAL}:0", "--metrics-listen",
             f"{LOCAL}:{self.metrics_port}", "--http-listen", "none", *flags],
            stderr=subprocess.PIPE, text=True)
        self.log: list[str] = []
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r" ready .*\(port (\d+)\)", line):
                self.address = f"{LOCAL}:{found[1]}"
                return
        raise RuntimeError("".join(self.log))

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        """Leaves its whole log and its status; once is enough."""
        if self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.log += self.process.stderr.readlines()
        self.process.stderr.close()
        self.process.wait(timeout=60)

    def client(self, **options) -> Client:
        return Client(self.address, **options)

    def metrics(self) -> str:
        return urllib.request.urlopen(
            f"http://{LOCAL}:{self.metrics_port}/metrics").read().decode()

    def gauges(self) -> dict[str, float]:
        return {name: float(value) for name, value in re.findall(
            r"^(sam3_\w+) ([\d.e+-]+)$", self.metrics(), re.MULTILINE)}

    def await_idle(self) -> dict[str, float]:
        """The gauges once nothing is held, or after ten seconds as they are."""
        deadline = time.monotonic() + 10
        while True:
            gauges = self.gauges()
            if time.monotonic() > deadline or not any(
                    gauges[f"sam3_{name}"] for name in
                    ("streams_active", "requests_active", "queued_jobs")):
                return gauges
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return probe.getsockname()[1]


def draw(width: int = 128, height: int = 96, **areas) -> np.ndarray:
    """RGB; `areas`: by colour, x0, y0, x1, y1."""
    colours = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255),
               "yellow": (255, 255, 0)}
    picture = np.full((height, width, 3), 90, np.uint8)
    for colour, (x0, y0, x1, y1) in areas.items():
        picture[y0:y1, x0:x1] = colours[colour]
    return picture
