"""How soon a stream tells that its camera has fallen silent, and how soon it goes
on when the camera comes back.

    python benchmarks/load/camera_outage.py SAM3_SERVER [--rounds 10] [--down 3]

Starts the server with the fake engine, and two cameras: multipart JPEGs over HTTP,
and H.264 over RTSP from GStreamer's server where that is installed. In each round a
camera that is watched

  - falls silent with its connection open: the seconds from its last picture to
    STALLED, which must be 2 at most;
  - is gone for some seconds: the seconds from when it listens again to the next
    result, which must be no more than the last wait between two attempts and 3.

Ends with 1 where a limit was broken.
"""

import argparse
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

import cv2
import numpy

ROOT = pathlib.Path(__file__).parents[2]
STALL_SECONDS, RETURN_SECONDS = 2.0, 3.0
# Between pictures of the camera over HTTP.
INTERVAL = 0.05
# What is sent before it hangs, so that streams have settled.
SETTLED_RESULTS = 10


def jpeg() -> bytes:
    picture = numpy.full((96, 128, 3), 90, numpy.uint8)
    picture[20:60, 20:60] = (0, 0, 255)
    return cv2.imencode(".jpg", picture)[1].tobytes()


class MultipartCamera:
    """A process's worth of camera in threads: pictures without end for whoever
    connects, on one port for good."""

    name = "multipart JPEG over HTTP"

    def __init__(self):
        self._part = (b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "
                      b"%d\r\n\r\n%s\r\n" % (len(jpeg()), jpeg()))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._sending = threading.Event()
        self._connections: list[socket.socket] = []
        self.start()

    def start(self) -> None:
        self._sending.set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,),
                         daemon=True).start()

    def silence(self) -> None:
        self._sending.clear()

    def go_on(self) -> None:
        self._sending.set()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: "
                b"multipart/x-mixed-replace; boundary=frame\r\n\r\n")
            while True:
                self._sending.wait()
                connection.sendall(self._part)
                time.sleep(INTERVAL)
        except OSError:
            pass
        finally:
            connection.close()


class RtspCamera:
    """GStreamer's server as a process, which is stopped to fall silent and killed
    to be gone."""

    name = "H.264 over RTSP (GStreamer)"

    def __init__(self):
        self.port = 0
        self.start()
        self.url = f"rtsp://user:pw@127.0.0.1:{self.port}/live"

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["/usr/bin/python3", ROOT / "tests/e2e/gstreamer_camera.py", "user",
             "pw", str(self.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = self._process.stdout.readline().strip()
        if not port:
            raise FileNotFoundError("GStreamer's RTSP server is not there")
        self.port = int(port)

    def silence(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class Watcher:
    """Reads a stream and keeps when what came."""

    def __init__(self, stream):
        self._condition = threading.Condition()
        self._log: list[tuple[float, object]] = []
        self._failure = None
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream) -> None:
        try:
            for event in stream:
                with self._condition:
                    self._log.append((time.monotonic(), event))
                    self._condition.notify_all()
        except Exception as error:  # told to whoever waits
            self._failure = error
        with self._condition:
            self._failure = self._failure or EOFError("the stream has ended")
            self._condition.notify_all()

    def mark(self) -> int:
        with self._condition:
            return len(self._log)

    def wait(self, since: int, wanted, count: int = 1) -> float:
        """When the `count`-th event that is `wanted` came."""
        def found():
            times = [at for at, event in self._log[since:] if wanted(event)]
            return times[count - 1] if len(times) >= count else None
        with self._condition:
            self._condition.wait_for(lambda: found() or self._failure, 120)
            if found() is None:
                raise SystemExit(self._failure or "nothing came for 120 s")
            return found()

    def last(self, wanted):
        with self._condition:
            return next((at, event) for at, event in reversed(self._log)
                        if wanted(event))


def measure(camera, server, rounds: int, down: float) -> bool:
    from sam3_client import FrameResult, SourceEvent

    def result(event) -> bool:
        return isinstance(event, FrameResult)

    def told(kind: str):
        return lambda event: (isinstance(event, SourceEvent)
                              and event.kind == kind)

    silences, returns, excesses = [], [], []
    with server.client() as client, client.stream(camera.url, "red") as stream:
        watcher = Watcher(stream)
        watcher.wait(0, result, SETTLED_RESULTS)
        for _ in range(rounds):
            # Not always at the same moment of an interval.
            time.sleep(random.uniform(0, INTERVAL))
            since = watcher.mark()
            camera.silence()
            stalled = watcher.wait(since, told("STALLED"))
            silences.append(stalled - watcher.last(result)[0])
            since = watcher.mark()
            camera.go_on()
            watcher.wait(since, result, SETTLED_RESULTS)

            since = watcher.mark()
            camera.stop()
            watcher.wait(since, told("RECONNECTING"))
            time.sleep(down)
            camera.start()
            back, since = time.monotonic(), watcher.mark()
            returned = watcher.wait(since, result)
            returns.append(returned - back)
            step = watcher.last(told("RECONNECTING"))[1].retry_delay
            excesses.append(returns[-1] - step)
            watcher.wait(since, result, SETTLED_RESULTS)
    print(f"{camera.name}, {rounds} rounds: STALLED after "
          f"{statistics.median(silences):.2f} s, at most {max(silences):.2f}; "
          f"{down:g} s down, first result after "
          f"{statistics.median(returns):.2f} s, at most {max(returns):.2f}; "
          f"less the last wait at most {max(excesses):.2f}", flush=True)
    return max(silences) <= STALL_SECONDS and max(excesses) <= RETURN_SECONDS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--down", type=float, default=3)
    flags = parser.parse_args()
    os.environ["SAM3_SERVER"] = flags.server
    sys.path += [str(ROOT / "clients/python"), str(ROOT / "clients/python/tests")]
    from running_server import RunningServer

    good = True
    for kind in (MultipartCamera, RtspCamera):
        try:
            camera = kind()
        except FileNotFoundError as error:
            print(f"{kind.name}: {error}")
            continue
        scheme = "rtsp://" if camera.url.startswith("rtsp") else ""
        with RunningServer("--allow-url-http", "--allow-url-cidr", "127.0.0.0/8",
                           "--allow-url-host",
                           f"{scheme}127.0.0.1:{camera.port}") as server:
            good &= measure(camera, server, flags.rounds, flags.down)
        camera.stop()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
