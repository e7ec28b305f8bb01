"""Streams from live HLS playlists that ffmpeg writes and nginx serves: one that
breaks off, and one that ends.

    nginx_hls_test.py

Needs PYTHONPATH and SAM3_SERVER as the Python client's tests do. Exits with 77
where nginx is not installed.
"""

import collections
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from running_server import RunningServer, free_port
from sam3_client import FrameResult, SourceEvent

FRAMES = 75
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")


class Nginx:
    """Serves `folder`; `log` gets a line for each answer."""

    def __init__(self, folder: pathlib.Path):
        self.port = free_port()
        self.log = folder / "nginx.log"
        places = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in
            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = folder / "nginx.conf"
        config.write_text(f"""
            {"user root;" if os.geteuid() == 0 else ""}
            daemon off;
            pid {folder}/nginx.pid;
            error_log {folder}/nginx.errors;
            events {{}}
            http {{
              {places}
              types {{ application/vnd.apple.mpegurl m3u8; }}
              log_format line "$uri $status";
              access_log {self.log} line;
              server {{
                listen 127.0.0.1:{self.port};
                root {folder};
              }}
            }}""")
        self.process = subprocess.Popen([NGINX, "-c", config],
                                        stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def answers(self, suffix: str) -> dict[str, int]:
        """How often each file of that kind was given; nothing else came."""
        count = collections.Counter()
        for line in self.log.read_text().splitlines():
            uri, status = line.split()
            assert status in ("200", "206"), line
            if uri.endswith(suffix):
                count[uri] += 1
        return count


def record(playlist: pathlib.Path, *options: str) -> subprocess.Popen:
    """Starts a recording of red pictures, and waits until it can be played."""
    recording = subprocess.Popen(
        ["ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i",
         "color=red:size=320x240:rate=25", "-c:v", "libx264", "-preset",
         "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", *options, "-f", "hls",
         "-hls_time", "1", "-hls_list_size", "60", "-hls_flags", "temp_file",
         playlist])
    while not playlist.exists() or playlist.read_text().count("#EXTINF") < 3:
        assert recording.poll() is None, recording.returncode
        time.sleep(0.05)
    return recording


def read(nginx: Nginx, playlist: pathlib.Path, *options: str, delivery=None,
         breaks_off: bool) -> tuple[list, list]:
    """Frames and source events of a recording, which breaks off after so many
    frames or ends; up to the first reconnecting."""
    frames, events = [], []
    with RunningServer("--allow-url-cidr", "127.0.0.0/8", "--allow-url-http",
                       "--allow-url-host", f"127.0.0.1:{nginx.port}",
                       "--stall-seconds", "4") as server:
        recording = record(playlist, *options)
        try:
            url = f"http://127.0.0.1:{nginx.port}/{playlist.name}"
            with server.client().stream(url, "red",
                                        delivery=delivery) as stream:
                for event in stream:
                    if isinstance(event, FrameResult):
                        frames.append(event)
                        if breaks_off and len(frames) == FRAMES:
                            recording.kill()
                    elif isinstance(event, SourceEvent):
                        events.append(event)
                        if event.kind == "RECONNECTING":
                            break
        finally:
            recording.kill()
            recording.wait()
    return frames, events


def check_frames(frames: list) -> None:
    assert len(frames) >= FRAMES, len(frames)
    for frame in frames:
        instances = frame.results[0].instances
        assert len(instances) == 1, frame
        assert instances[0].area > 0.95 * 320 * 240, instances[0].area
    offsets = [frame.start_offset for frame in frames]
    assert offsets == sorted(set(offsets)), offsets
    # The times are the recording's, although it comes in bursts.
    steps = [later - earlier for earlier, later in zip(offsets, offsets[1:])]
    assert all(abs(step / 0.04 - round(step / 0.04)) < 0.05
               for step in steps), steps
    assert not any(frame.discontinuity for frame in frames)


def breaks_off(nginx: Nginx, folder: pathlib.Path) -> None:
    frames, events = read(nginx, folder / "broken.m3u8", breaks_off=True)
    check_frames(frames)
    kinds = [event.kind for event in events]
    assert kinds[0] == "OPENED" and kinds[-1] == "RECONNECTING", events
    assert "STALLED" in kinds, events
    assert (events[0].width, events[0].height) == (320, 240), events[0]
    assert events[-1].failure == "TIMEOUT", events[-1]
    assert set(nginx.answers(".ts").values()) == {1}, nginx.answers(".ts")


def ends(nginx: Nginx, folder: pathlib.Path) -> None:
    frames, events = read(nginx, folder / "ends.m3u8", "-hls_segment_type",
                          "fmp4", "-t", "8", delivery="every", breaks_off=False)
    check_frames(frames)
    kinds = [event.kind for event in events]
    assert kinds[0] == "OPENED" and kinds[-1] == "ENDED", events
    assert "RECONNECTING" not in kinds, events
    assert set(nginx.answers(".m4s").values()) == {1}, nginx.answers(".m4s")
    assert set(nginx.answers(".mp4").values()) == {1}, nginx.answers(".mp4")


def main() -> None:
    if NGINX is None:
        print("skipped: nginx is not installed (see scripts/deps)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with Nginx(folder) as nginx:
            breaks_off(nginx, folder)
            ends(nginx, folder)


if __name__ == "__main__":
    main()
