"""A camera that servers fetch, and a server that is replaced: the Python client
and sam3ctl go on with the next one, with the same ids and frame numbers.

    camera_restart_test.py

Needs PYTHONPATH, SAM3_SERVER and SAM3CTL as the Python client's tests do.
"""

import contextlib
import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time

from running_server import LOCAL, RunningServer, draw
from sam3_client import (FrameResult, FramesDropped, StreamStarted,
                         encode_picture)

PICTURES = [encode_picture(draw(red=(8 + x, 8, 40 + x, 40)), "jpeg")
            for x in [*range(24), *range(24, 0, -1)]]
FRAMES_BEFORE, FRAMES_AFTER = 15, 15


class Camera(http.server.BaseHTTPRequestHandler):
    """Pictures without end, as multipart/x-mixed-replace; the scene goes on
    whoever looks."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type",
                         "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            while True:
                at = int(time.monotonic() * 20) % len(PICTURES)
                self.wfile.write(
                    b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "
                    b"%d\r\n\r\n%s\r\n" % (len(PICTURES[at]), PICTURES[at]))
                time.sleep(0.05)
        except OSError:
            pass

    def log_message(self, *_):
        pass


class Watcher(threading.Thread):
    """Indexes of frames and ids of objects, in the order of their coming."""

    def __init__(self):
        super().__init__(daemon=True)
        self.indexes: list[int] = []
        self.ids: set[int] = set()
        self.told: list[int] = []  # answered or dropped
        self.calls = 0

    def await_frames(self, count: int, calls: int) -> None:
        deadline = time.monotonic() + 60
        start = len(self.indexes)
        while len(self.indexes) < start + count or self.calls < calls:
            assert self.is_alive() and time.monotonic() < deadline, (
                type(self), self.calls, self.indexes)
            time.sleep(0.05)

    def check(self) -> None:
        assert self.ids == {0}, (type(self), self.ids)
        assert self.calls == 2, (type(self), self.calls)
        # None is missing and none comes twice.
        assert self.told == list(range(len(self.told))), (type(self),
                                                          self.told)


class PythonWatcher(Watcher):
    def __init__(self, server: RunningServer, url: str):
        super().__init__()
        self._client = server.client()
        self._stream = self._client.stream(url, "red", track=True,
                                           delivery="every")

    def run(self):
        for event in self._stream:
            if isinstance(event, StreamStarted):
                self.calls += 1
            elif isinstance(event, FrameResult):
                self.indexes.append(event.frame_index)
                self.told.append(event.frame_index)
                self.ids |= {i.object_id for i in event.results[0].instances}
            elif isinstance(event, FramesDropped):
                self.told += range(event.first_frame_index,
                                   event.last_frame_index + 1)

    def stop(self):
        self._stream.close()
        self._client.close()


class ProgramWatcher(Watcher):
    def __init__(self, server: RunningServer, url: str):
        super().__init__()
        self._program = subprocess.Popen(
            [os.environ["SAM3CTL"], "stream", url, "--server", server.address,
             "--text", "red", "--track", "--every", "--json"],
            stdout=subprocess.PIPE, text=True)

    def run(self):
        for line in self._program.stdout:
            message = json.loads(line)
            if "started" in message:
                self.calls += 1
            elif "result" in message:
                result = message["result"]
                self.indexes.append(int(result.get("frameIndex", 0)))
                self.told.append(self.indexes[-1])
                self.ids |= {int(i.get("objectId", 0)) for i in
                             result["result"].get("instances", [])}
            elif "dropped" in message:
                self.told += range(
                    int(message["dropped"].get("firstFrameIndex", 0)),
                    int(message["dropped"]["lastFrameIndex"]) + 1)

    def stop(self):
        self._program.kill()
        self._program.wait()
        self._program.stdout.close()


def main() -> None:
    camera = http.server.ThreadingHTTPServer((LOCAL, 0), Camera)
    camera.daemon_threads = True
    threading.Thread(target=camera.serve_forever, daemon=True).start()
    host = f"{LOCAL}:{camera.server_address[1]}"
    with contextlib.ExitStack() as stack:
        secret = pathlib.Path(
            stack.enter_context(tempfile.TemporaryDirectory())) / "secret"
        secret.write_text("s" * 32)
        flags = ["--resume-secret-file", str(secret), "--allow-url-host", host,
                 "--allow-url-http", "--allow-url-cidr", "127.0.0.0/8",
                 "--drain-seconds", "2"]
        first = RunningServer(*flags)
        stack.callback(first.stop)
        watchers = [watch(first, f"http://{host}/")
                    for watch in (PythonWatcher, ProgramWatcher)]
        for watcher in watchers:
            stack.callback(watcher.stop)
            watcher.start()
        for watcher in watchers:
            watcher.await_frames(FRAMES_BEFORE, 1)
        first.stop()
        second = RunningServer(*flags, address=first.address)
        stack.callback(second.stop)
        for watcher in watchers:
            watcher.await_frames(FRAMES_AFTER, 2)
    camera.shutdown()
    for watcher in watchers:
        watcher.join(10)
        watcher.check()


if __name__ == "__main__":
    main()
