"""Rolling restarts under load: two servers with one secret and two keys behind a
proxy, some streams that track, and a SIGTERM for one server after the other.

    rolling_restart_test.py

No result may be lost or come twice, and every object keeps its id. Needs
PYTHONPATH, SAM3_SERVER and SAM3CTL as the Python client's tests do, and haproxy;
exits with 77 where that is not installed.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from running_server import LOCAL, RunningServer, draw, free_port
from sam3_client import (Client, FrameResult, FramesDropped, StreamStarted,
                         StreamSummary, encode_picture)

STREAMS = 4
ROUNDS = 3
FRAMES_A_SECOND = 25
# What a client may wait for the old ids on the new server; a loose bound, since
# machines that run tests are busy. The times are printed.
MOST_SECONDS = 10.0
# A picture for every step of the objects' walk, there and back.
STEPS = 16
PICTURES = [
    encode_picture(draw(red=(8 + 3 * x, 8, 32 + 3 * x, 32),
                        blue=(80 - 3 * x, 60, 110 - 3 * x, 84)))
    for x in [*range(STEPS), *range(STEPS - 2, 0, -1)]]


class Proxy:
    """haproxy in TCP mode; takes what is reachable, and new connections only
    go there."""

    def __init__(self, folder: pathlib.Path, ports: list[int]):
        self.port = free_port()
        backends = "\n".join(
            f"    server s{i} {LOCAL}:{port} check inter 50ms fall 1 rise 1"
            for i, port in enumerate(ports))
        config = folder / "haproxy.cfg"
        config.write_text(f"""
global
    maxconn 200
defaults
    mode tcp
    timeout connect 2s
    timeout client 5m
    timeout server 5m
    retries 3
    option redispatch 1
listen sam3
    bind {LOCAL}:{self.port}
    balance roundrobin
{backends}
""")
        self.process = subprocess.Popen(
            ["haproxy", "-q", "-db", "-f", config], stderr=subprocess.DEVNULL)
        while True:
            assert self.process.poll() is None, "haproxy does not start"
            try:
                socket.create_connection((LOCAL, self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.02)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Streamer(threading.Thread):
    """One client: pushes pictures at a camera's pace and checks what it gets."""

    def __init__(self, port: int, number: int, key: str):
        super().__init__()
        self.number = number
        self.over = threading.Event()
        self.started: list[StreamStarted] = []
        self.frames: list[FrameResult] = []
        self.dropped: list[FramesDropped] = []
        self.pushed = 0
        self.gaps: list[float] = []
        self.failure: BaseException | None = None
        self._port = port
        self._key = key

    def pictures(self):
        while not self.over.is_set():
            self.pushed += 1
            yield PICTURES[self.pushed % len(PICTURES)]
            time.sleep(1 / FRAMES_A_SECOND)

    def run(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.failure = error

    def _run(self) -> None:
        last = None
        with Client(f"{LOCAL}:{self._port}", api_key=self._key) as client:
            self.stream = client.stream(self.pictures(), ["red", "blue"],
                                        track=True, mask_format="none")
            for event in self.stream:
                if isinstance(event, StreamStarted):
                    self.started.append(event)
                    opened = time.monotonic()
                    last = None
                elif isinstance(event, FrameResult):
                    if last is None and len(self.started) > 1:
                        self.gaps.append(time.monotonic() - opened)
                    last = time.monotonic()
                    self.frames.append(event)
                elif isinstance(event, FramesDropped):
                    self.dropped.append(event)

    def check(self) -> None:
        if self.failure is not None:
            raise self.failure
        name = f"stream {self.number}"
        indexes = [frame.frame_index for frame in self.frames]
        assert indexes == list(range(self.pushed)), (
            name, self.pushed, [i for i in range(self.pushed)
                                if indexes.count(i) != 1])
        assert not self.dropped, (name, self.dropped)
        assert self.stream.summary == StreamSummary(
            self.pushed, self.pushed, {}, 0), (name, self.stream.summary)
        for frame in self.frames:
            ids = [[i.object_id for i in result.instances]
                   for result in frame.results]
            assert ids == [[0], [1]], (name, frame.frame_index, ids)
        events = [(e.object_id, e.state) for frame in self.frames
                  for e in frame.object_events]
        assert events == [(0, "CONFIRMED"), (1, "CONFIRMED")], (name, events)
        offsets = [frame.start_offset for frame in self.frames]
        assert offsets == sorted(offsets), name
        for started in self.started[1:]:
            assert started.resumed_objects == 2, (name, started)


def restart(servers: list[RunningServer], at: int, flags: list[str]) -> None:
    """Stops one server and starts another in its place."""
    address = servers[at].address
    servers[at].stop()
    assert servers[at].process.returncode == 0, servers[at].log
    servers[at] = RunningServer(*flags, address=address)


def make_key(file: pathlib.Path, name: str) -> str:
    return subprocess.run(
        [os.environ["SAM3CTL"], "keys", "new", "--file", file, "--id", name],
        check=True, capture_output=True, text=True).stdout.strip()


def await_frames(streamers: list[Streamer]) -> None:
    """Until every stream has a second's more results."""
    wanted = [len(s.frames) + FRAMES_A_SECOND for s in streamers]
    deadline = time.monotonic() + 60
    for streamer, count in zip(streamers, wanted):
        while len(streamer.frames) < count and streamer.failure is None:
            assert time.monotonic() < deadline, streamer.number
            time.sleep(0.02)


def main() -> None:
    if shutil.which("haproxy") is None:
        print("haproxy is not installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        secret = folder / "secret"
        secret.write_text("s" * 32)
        key_file = folder / "keys.json"
        keys = [make_key(key_file, name) for name in ("one", "two")]
        flags = ["--resume-secret-file", str(secret), "--drain-seconds", "20",
                 "--keys", str(key_file)]
        servers = [RunningServer(*flags), RunningServer(*flags)]
        proxy = Proxy(folder, [int(s.address.split(":")[1]) for s in servers])
        streamers = [Streamer(proxy.port, i, keys[i % len(keys)])
                     for i in range(STREAMS)]
        try:
            for streamer in streamers:
                streamer.start()
            for i in range(2 * ROUNDS):
                await_frames(streamers)
                restart(servers, i % 2, flags)
            await_frames(streamers)
        finally:
            for streamer in streamers:
                streamer.over.set()
            for streamer in streamers:
                streamer.join(60)
            for server in servers:
                server.stop()
            proxy.stop()
    for streamer in streamers:
        streamer.check()
    gaps = sorted(gap for s in streamers for gap in s.gaps)
    moves = sum(len(s.started) - 1 for s in streamers)
    # Whoever is on a server when it stops moves, so that all do in a round.
    assert moves >= STREAMS * ROUNDS, moves
    assert gaps[-1] < MOST_SECONDS, gaps
    print(f"{STREAMS} streams, {sum(s.pushed for s in streamers)} frames, "
          f"{moves} moves; old ids came back after {gaps[len(gaps) // 2]:.3f} s"
          f" (median), {gaps[-1]:.3f} s (longest)")


if __name__ == "__main__":
    main()
