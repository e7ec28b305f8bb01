"""Streams from a real RTSP server, GStreamer's, with a password; in plain text
and, through a forwarder, over TLS.

    gstreamer_rtsp_test.py

Needs PYTHONPATH and SAM3_SERVER as the Python client's tests do. Exits with 77
where GStreamer's server is not installed.
"""

import contextlib
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

from running_server import RunningServer
from sam3_client import FrameResult, Sam3Error, SourceEvent

FRAMES = 40
PASSWORD = "s3:cret"
CAMERA = pathlib.Path(__file__).with_name("gstreamer_camera.py")


class Camera:
    """GStreamer's server as a process of its own."""

    def __init__(self):
        # The system's Python is the one that its GStreamer packages are for.
        self.process = subprocess.Popen(
            ["/usr/bin/python3", CAMERA, "user", PASSWORD],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = self.process.stdout.readline().strip()
        if not port:
            sys.exit(self.process.wait())
        self.port = int(port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class TlsForwarder:
    """Takes connections over TLS and passes their bytes on to `port`."""

    def __init__(self, port: int, folder: str):
        self.certificate = f"{folder}/cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-days", "1", "-subj", "/CN=camera", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key.pem",
             "-out", self.certificate], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, f"{folder}/key.pem")
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            plain, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(plain,),
                             daemon=True).start()

    def _serve(self, plain: socket.socket):
        with contextlib.suppress(OSError):
            client = self.context.wrap_socket(plain, server_side=True)
            camera = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self._copy, args=(client, camera),
                             daemon=True).start()
            self._copy(camera, client)

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def read(url: str, *flags: str, stop=None) -> tuple[list, list, str]:
    """Frames and source events up to FRAMES, or to the first reconnecting once
    `stop` was called there; and all that was told for people."""
    frames, events = [], []
    server = RunningServer("--allow-url-cidr", "127.0.0.0/8", *flags)
    try:
        with server.client().stream(url, "red") as stream:
            for event in stream:
                if isinstance(event, FrameResult):
                    frames.append(event)
                    if len(frames) == FRAMES:
                        if stop is None:
                            break
                        stop()
                elif isinstance(event, SourceEvent):
                    events.append(event)
                    if event.kind == "RECONNECTING":
                        break
    finally:
        server.stop()
    return frames, events, "".join(server.log) + "".join(
        event.message for event in events)


def check_frames(frames: list) -> None:
    assert len(frames) >= FRAMES, len(frames)
    # Every picture is red all over; a damaged one would be grey or green.
    for frame in frames:
        instances = frame.results[0].instances
        assert len(instances) == 1, frame
        assert instances[0].area > 0.95 * 320 * 240, instances[0].area
    offsets = [frame.start_offset for frame in frames]
    assert offsets == sorted(set(offsets)), offsets
    assert not any(frame.discontinuity for frame in frames)


def plain_text(camera: Camera) -> None:
    frames, events, told = read(
        f"rtsp://user:s3%3Acret@127.0.0.1:{camera.port}/live",
        "--allow-url-host", f"rtsp://127.0.0.1:{camera.port}",
        stop=camera.kill)
    assert [e.kind for e in events] == ["OPENED", "RECONNECTING"], events
    assert (events[0].width, events[0].height) == (320, 240), events[0]
    assert events[1].failure == "CONNECTION", events[1]
    assert events[1].attempt == 1 and events[1].retry_delay >= 0.8, events[1]
    check_frames(frames)
    assert PASSWORD not in told and "s3%3Acret" not in told, told


def over_tls(camera: Camera, folder: str) -> None:
    forwarder = TlsForwarder(camera.port, folder)
    url = f"rtsps://user:s3%3Acret@127.0.0.1:{forwarder.port}/live"
    rule = ("--allow-url-host", f"rtsps://127.0.0.1:{forwarder.port}")
    frames, events, _ = read(url, *rule, "--url-ca", forwarder.certificate)
    assert [e.kind for e in events] == ["OPENED"], events
    check_frames(frames)
    try:
        read(url, *rule)
    except Sam3Error as error:
        assert error.reason == "MEDIA_UNREACHABLE", error
        assert "certificate" in str(error), error
    else:
        raise AssertionError("a certificate of nobody's was believed")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Camera() as camera:
        over_tls(camera, folder)
        plain_text(camera)


if __name__ == "__main__":
    main()
