"""What a camera that keeps its decoder fully busy costs the others.

    python benchmarks/load/busy_camera.py SAM3_SERVER [--seconds 30] [--rounds 3]

Starts the server with the fake engine and pushes ten pictures a second to it: how
long a picture's result takes, by itself and beside a camera whose video (1080p,
H.264) comes as fast as it can be decoded. In turns, so that what else the machine
does meets both; once with decoders in processes of their own, once without.
"""

import argparse
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import cv2
import numpy

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "clients/python"))
from sam3_client import Client, FrameResult

FPS = 10


class BusyCamera:
    """One transport stream over and over, for whoever connects."""

    def __init__(self):
        self._video = subprocess.run(
            ["ffmpeg", "-v", "error", "-f", "lavfi", "-i",
             "testsrc2=size=1920x1080:rate=25:duration=4", "-c:v", "libx264", "-b:v",
             "6M", "-g", "25", "-f", "mpegts", "-"], check=True,
            stdout=subprocess.PIPE).stdout
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection):
        try:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
            while True:
                connection.sendall(self._video)
        except OSError:
            connection.close()


def start(program: str, log: pathlib.Path, flags: list):
    """The process and its port."""
    process = subprocess.Popen(
        [program, "--fake-engine", *flags,
         *(part for name in ("listen", "health-listen", "metrics-listen")
           for part in (f"--{name}", "127.0.0.1:0")), "--http-listen", "none"],
        stderr=log.open("w"))
    while not (ready := re.search(r' ready listen="\S+ \(port (\d+)\)',
                                  log.read_text())):
        if process.poll() is not None:
            raise SystemExit(log.read_text())
        time.sleep(0.1)
    return process, int(ready[1])


def latencies(client: Client, seconds: float) -> list:
    """Milliseconds from a picture's sending to its result's coming."""
    picture = numpy.full((360, 640, 3), 90, numpy.uint8)
    picture[50:200, 50:200] = (0, 0, 255)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    sent = []

    def pictures():
        begun = time.monotonic()
        for i in range(int(seconds * FPS)):
            time.sleep(max(0.0, begun + i / FPS - time.monotonic()))
            sent.append(time.monotonic())
            yield jpeg

    took = []
    with client.stream(pictures(), "red", delivery="every") as stream:
        for event in stream:
            if isinstance(event, FrameResult):
                took.append(1e3 * (time.monotonic() - sent[event.frame_index]))
    return took


def beside(client: Client, url: str, seconds: float) -> tuple:
    """The same beside the camera, and how many of its pictures came a second."""
    frames = []
    with client.stream(url, "red") as camera:
        def watch():
            for event in camera:
                if isinstance(event, FrameResult):
                    frames.append(event.frame_index)
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        while not frames:
            time.sleep(0.05)
        first = frames[-1]
        took = latencies(client, seconds)
        decoded = (frames[-1] - first) / seconds
    watcher.join()
    return took, decoded


def told(name: str, took: list) -> str:
    cuts = statistics.quantiles(took, n=100)
    return (f"{name:24} p50 {cuts[49]:6.1f}  p90 {cuts[89]:6.1f}  "
            f"p99 {cuts[98]:6.1f} ms  of {len(took)}")


def compare(program: str, camera: BusyCamera, flags: list, seconds: float,
            rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        process, port = start(program, pathlib.Path(folder) / "log", [
            "--allow-url-host", camera.host, "--allow-url-http",
            "--allow-url-cidr", "127.0.0.0/8", *flags])
        alone, busy, decoded = [], [], []
        try:
            with Client(f"127.0.0.1:{port}") as client:
                for _ in range(rounds):
                    alone += latencies(client, seconds)
                    took, rate = beside(client, f"http://{camera.host}/", seconds)
                    busy += took
                    decoded.append(rate)
        finally:
            process.terminate()
            process.wait()
    print(told("by itself", alone))
    print(told("beside the busy camera", busy),
          f" {statistics.median(decoded):.0f} pictures/s decoded", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    flags = parser.parse_args()
    camera = BusyCamera()
    for name, more in (("decoders in processes of their own", []),
                       ("decoders in the server", ["--decode-in-process"])):
        print(name)
        compare(flags.server, camera, more, flags.seconds, flags.rounds)


if __name__ == "__main__":
    main()
