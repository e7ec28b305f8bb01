"""A camera whose video crashes its decoder: its own stream has a gap, the others
see nothing of it, and the server serves on.

    decoder_crash_test.py

Needs PYTHONPATH, SAM3_SERVER and SAM3CTL as the Python client's tests do.
"""

import contextlib
import ctypes
import errno
import http.server
import os
import pathlib
import signal
import subprocess
import threading
import time

from running_server import LOCAL, RunningServer
from sam3_client import FrameResult, SourceEvent

FRAMES = 10


class Camera(http.server.BaseHTTPRequestHandler):
    """H.264 in a transport stream without end, with a red area that moves."""

    def do_GET(self):
        ffmpeg = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i",
             "color=gray:size=128x96:rate=10", "-f", "lavfi", "-i",
             "color=red:size=32x32:rate=10", "-filter_complex",
             "overlay=x=mod(n\\,24):y=8", "-c:v", "libx264", "-g", "5", "-bf",
             "0", "-f", "mpegts", "-"], stdout=subprocess.PIPE)
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        try:
            while chunk := ffmpeg.stdout.read1(4096):
                self.wfile.write(chunk)
        except OSError:
            pass
        finally:
            ffmpeg.kill()
            ffmpeg.communicate()

    def log_message(self, *_):
        pass


class Watcher(threading.Thread):
    """What comes on one stream."""

    def __init__(self, server: RunningServer, url: str):
        super().__init__(daemon=True)
        self._client = server.client()
        self._stream = self._client.stream(url, "red", track=True)
        self.frames = 0
        self.ids: set[int] = set()
        self.told: list[SourceEvent] = []

    def run(self):
        for event in self._stream:
            if isinstance(event, FrameResult):
                self.frames += 1
                self.ids |= {i.object_id for i in event.results[0].instances}
            elif isinstance(event, SourceEvent):
                self.told.append(event)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.told]

    def stop(self):
        self._stream.close()
        self._client.close()


def wait(holds, what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def children(pid: int, name: str) -> list[int]:
    """Processes of that name whose parent is `pid`."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            its_name, facts = stat.read_text().split("(", 1)[1].rsplit(")", 1)
            state, parent = facts.split()[:2]
            if its_name == name and int(parent) == pid and state != "Z":
                found.append(int(stat.parent.name))
    return found


def decoders(server: RunningServer) -> list[int]:
    return [decoder for zygote in children(server.process.pid, "sam3-zygote")
            for decoder in children(zygote, "sam3-decoder")]


def check_crash(url: str, flags: list[str]) -> None:
    with RunningServer(*flags) as server, contextlib.ExitStack() as stack:
        watchers = [Watcher(server, url) for _ in range(2)]
        for watcher in watchers:
            stack.callback(watcher.stop)
            watcher.start()
        for watcher in watchers:
            wait(lambda: watcher.frames >= FRAMES, "frames")
        crashing, other = decoders(server)
        os.kill(crashing, signal.SIGSEGV)
        wait(lambda: any("BACK" in watcher.kinds() for watcher in watchers),
             "its return")
        before = [watcher.frames for watcher in watchers]
        for watcher, frames in zip(watchers, before):
            wait(lambda: watcher.frames >= frames + FRAMES, "frames after it")
        hit, spared = sorted(watchers, key=lambda w: "BACK" not in w.kinds())
        assert "RECONNECTING" in hit.kinds(), hit.told
        assert any("decoder has crashed" in event.message
                   for event in hit.told), hit.told
        assert not {"RECONNECTING", "BACK"} & set(spared.kinds()), spared.told
        # The red area is the same object before and after.
        assert hit.ids == spared.ids == {0}, (hit.ids, spared.ids)
        now = decoders(server)
        assert len(now) == 2 and other in now and crashing not in now, now
    assert server.process.returncode == 0, "".join(server.log)


def check_without_processes(url: str, flags: list[str]) -> None:
    with RunningServer(*flags, "--decode-in-process") as server:
        watcher = Watcher(server, url)
        watcher.start()
        wait(lambda: watcher.frames >= FRAMES, "frames")
        assert not children(server.process.pid, "sam3-zygote")
        watcher.stop()


class Comparison(ctypes.Structure):
    """libseccomp's comparison of a call's argument with a value."""

    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int),
                ("value", ctypes.c_uint64), ("second", ctypes.c_uint64)]


def refuse_filters() -> None:
    """This thread, and the programs it starts, may not filter system calls from
    now on; some containers are like that."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    allow, refuse = 0x7fff0000, 0x00050000 | errno.EPERM
    equal, set_seccomp = 4, 22
    rules = ctypes.c_void_p(library.seccomp_init(allow))
    number = library.seccomp_syscall_resolve_name
    assert not library.seccomp_rule_add_array(rules, refuse, number(b"seccomp"), 0,
                                              None)
    assert not library.seccomp_rule_add_array(
        rules, refuse, number(b"prctl"), 1,
        ctypes.byref(Comparison(0, equal, set_seccomp, 0)))
    assert not library.seccomp_load(rules)


def check_not_confinable(url: str, flags: list[str]) -> None:
    """It says so, and serves all the same."""
    def check():
        refuse_filters()
        with RunningServer(*flags) as server:
            watcher = Watcher(server, url)
            watcher.start()
            wait(lambda: watcher.frames >= FRAMES, "frames")
            assert not children(server.process.pid, "sam3-zygote")
            metrics = server.metrics()
            assert ('sam3_insecure_option{name="decode_in_process"} 1'
                    in metrics), metrics
            watcher.stop()
        log = "".join(server.log)
        assert "decoders_not_confined" in log, log
        assert "system calls cannot be filtered" in log, log
        passed.append(True)

    # The filter stays with its thread.
    passed: list[bool] = []
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()
    assert passed


def check_zygote_lost(flags: list[str]) -> None:
    server = RunningServer(*flags)
    (zygote,) = children(server.process.pid, "sam3-zygote")
    os.kill(zygote, signal.SIGKILL)
    server.process.wait(timeout=60)
    log = server.process.stderr.read()
    server.process.stderr.close()
    assert server.process.returncode == 70, server.process.returncode
    assert "starts video decoders has gone" in log, log


def main() -> None:
    camera = http.server.ThreadingHTTPServer((LOCAL, 0), Camera)
    camera.daemon_threads = True
    threading.Thread(target=camera.serve_forever, daemon=True).start()
    host = f"{LOCAL}:{camera.server_address[1]}"
    flags = ["--allow-url-host", host, "--allow-url-http", "--allow-url-cidr",
             "127.0.0.0/8"]
    check_crash(f"http://{host}/", flags)
    check_without_processes(f"http://{host}/", flags)
    check_not_confinable(f"http://{host}/", flags)
    check_zygote_lost(flags)
    camera.shutdown()


if __name__ == "__main__":
    main()
