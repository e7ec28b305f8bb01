"""What a camera that keeps its decoder fully busy costs the others.

    python benchmarks/load/busy_camera.py SAM3_SERVER [--seconds 30] [--rounds 3]

Starts the server with the fake engine and pushes ten pictures a second to it: how
long a picture's result takes, by itself and beside a camera whose video (1080p,
H.264) comes as fast as it can be decoded. In turns, so that what else the machine
does meets both; once with decoders in processes of their own, once without.
"""

import argparse
import multiprocessing
import pathlib
import socket
import statistics
import subprocess
import sys
import threading
import time

import cv2
import numpy

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "clients/python"))
from sam3_client import Client, FrameResult
from server_process import serving

FPS = 10
# Of the camera's: the engine, which all share, is not what this measures.
ANALYSED_FPS = 2
PROCESSES = multiprocessing.get_context("spawn")


def serve_camera(video: bytes, port) -> None:
    """A process: one transport stream over and over, for whoever connects."""
    listener = socket.create_server(("127.0.0.1", 0))
    port.put(listener.getsockname()[1])

    def serve(connection):
        try:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
            while True:
                connection.sendall(video)
        except OSError:
            connection.close()

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def watch_camera(address: str, url: str, frames) -> None:
    """A process: looks at few of the camera's pictures, all of which are decoded,
    and tells the number of the newest."""
    with Client(address) as client, client.stream(
            url, "red", analyse_fps=ANALYSED_FPS) as camera:
        for event in camera:
            if isinstance(event, FrameResult):
                frames.value = event.frame_index


def start_camera() -> str:
    """Its host and port. In a process of its own, so that the interpreter's lock
    keeps nobody waiting who measures."""
    video = subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i",
         "testsrc2=size=1920x1080:rate=25:duration=4", "-c:v", "libx264", "-b:v",
         "6M", "-g", "25", "-f", "mpegts", "-"], check=True,
        stdout=subprocess.PIPE).stdout
    port = PROCESSES.Queue()
    PROCESSES.Process(target=serve_camera, args=(video, port), daemon=True).start()
    return f"127.0.0.1:{port.get()}"


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


def beside(client: Client, address: str, url: str, seconds: float) -> tuple:
    """The same beside the camera, and how many of its pictures came a second."""
    frames = PROCESSES.Value("q", 0)
    watcher = PROCESSES.Process(target=watch_camera, args=(address, url, frames))
    watcher.start()
    try:
        while not frames.value:
            time.sleep(0.05)
        first = frames.value
        took = latencies(client, seconds)
        return took, (frames.value - first) / seconds
    finally:
        watcher.terminate()
        watcher.join()


def told(name: str, took: list) -> str:
    cuts = statistics.quantiles(took, n=100)
    return (f"{name:24} p50 {cuts[49]:6.1f}  p90 {cuts[89]:6.1f}  "
            f"p99 {cuts[98]:6.1f} ms  of {len(took)}")


def compare(program: str, camera: str, flags: list, seconds: float,
            rounds: int) -> None:
    alone, busy, decoded = [], [], []
    with serving(program, "--fake-engine", "--allow-url-host", camera,
                 "--allow-url-http", "--allow-url-cidr", "127.0.0.0/8",
                 *flags) as (_, port), Client(f"127.0.0.1:{port}") as client:
        for _ in range(rounds):
            alone += latencies(client, seconds)
            took, rate = beside(client, f"127.0.0.1:{port}",
                                f"http://{camera}/", seconds)
            busy += took
            decoded.append(rate)
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
    camera = start_camera()
    for name, more in (("decoders in processes of their own", []),
                       ("decoders in the server", ["--decode-in-process"])):
        print(name)
        compare(flags.server, camera, more, flags.seconds, flags.rounds)


if __name__ == "__main__":
    main()
