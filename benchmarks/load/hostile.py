"""What hostile requests cost the server: image bombs, wrong keys, brute force.

    python benchmarks/load/hostile.py SAM3_SERVER SAM3CTL

Starts the server with the demo model and a key file, and attacks it over HTTP and
gRPC. Tells, for every bomb, the slowest of five answers, the processor time of one
and how far the server's memory grew at its peak; how long wrong keys wait for
their answers, and whether anything of them is in the log; how much good traffic
suffers while a thousand wrong keys a second arrive.
"""

import argparse
import base64
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

import cv2
import grpc
import numpy

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "clients/python"))
from sam3_client._proto.sam3.v1 import (image_pb2, segmentation_service_pb2,
                                        segmentation_service_pb2_grpc)

LOCAL = "127.0.0.1"


def new_key(ctl: str, file: pathlib.Path) -> str:
    made = subprocess.run(
        [ctl, "keys", "new", "--file", file, "--id", "good", "--json"],
        check=True, capture_output=True)
    return json.loads(made.stdout)["key"]


class Server:
    def __init__(self, program: str, ctl: str, folder: pathlib.Path):
        keys = folder / "keys.json"
        self.key = new_key(ctl, keys)
        # Of the right form and id, each with another secret.
        self.wrong_keys = [new_key(ctl, folder / f"others{i}.json")
                           for i in range(20)]
        self.log_file = folder / "log"
        self.process = subprocess.Popen(
            [program, "--listen", f"{LOCAL}:0", "--http-listen", f"{LOCAL}:0",
             "--health-listen", f"{LOCAL}:0", "--metrics-listen", f"{LOCAL}:0",
             "--keys", keys], stderr=self.log_file.open("w"))
        while "ready" not in self.log():
            time.sleep(0.05)
            if self.process.poll() is not None:
                raise SystemExit(self.log())
        ports = dict(re.findall(r' (listen|http)="[^"]*port (\d+)', self.log()))
        self.http_port = int(ports["http"])
        self.stub = segmentation_service_pb2_grpc.SegmentationServiceStub(
            grpc.insecure_channel(f"{LOCAL}:{ports['listen']}"))

    def log(self) -> str:
        return self.log_file.read_text()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def _status(self, field: str) -> int:
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", text)[1]) * 1024

    def peak_growth(self, work) -> int:
        """Bytes by which memory grows at most while `work` is done."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        before = self._status("VmRSS")
        work()
        return self._status("VmHWM") - before

    def cpu_seconds(self) -> float:
        fields = pathlib.Path(
            f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def by_http(self, picture: bytes, key: str, connection=None) -> int:
        body = json.dumps({
            "image": {"type": "base64",
                      "value": base64.b64encode(picture).decode()},
            "prompts": [{"text": "circle"}]})
        connection = connection or http.client.HTTPConnection(
            LOCAL, self.http_port)
        connection.request("POST", "/sam3/concept_segment", body,
                           {"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def by_grpc(self, picture: bytes, key: str) -> str:
        request = segmentation_service_pb2.SegmentConceptsRequest(
            image=image_pb2.Image(content=picture))
        request.prompts.add(text="circle")
        try:
            self.stub.SegmentConcepts(
                request, metadata=[("authorization", f"Bearer {key}")])
        except grpc.RpcError as error:
            return error.code().name
        return "OK"


def png(width, height, depth, colour, rows) -> bytes:
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))
    deflate = zlib.compressobj(9)
    row = bytes(1 + (width * depth * (3 if colour == 2 else 1) + 7) // 8)
    data = b"".join(deflate.compress(row) for _ in range(rows)) + deflate.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) +
            chunk(b"IEND", b""))


def encoded(kind: str, *options) -> bytes:
    picture = numpy.random.default_rng(0).integers(
        0, 255, (64, 64, 3), numpy.uint8)
    return cv2.imencode(kind, picture, options)[1].tobytes()


def bombs() -> dict:
    jpeg = encoded(".jpg")
    frame = jpeg.index(b"\xff\xc0") + 5
    progressive = encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    last_scan = progressive[progressive.rindex(b"\xff\xda"):-2]
    metadata = b"".join(b"\xff\xe1\xff\xff" + b"Exif\0\0" + bytes(65527)
                        for _ in range(200))
    webp = (b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" +
            struct.pack("<I", 10) + b"\x02\0\0\0" + b"\xff\xff\xff" * 2)
    bmp = bytearray(encoded(".bmp"))
    bmp[18:26] = struct.pack("<ii", 65000, -65000)
    return {
        "PNG of 16,000 x 16,000": png(16000, 16000, 8, 2, 16000),
        "PNG of one bit, 65,000 x 65,000": png(65000, 65000, 1, 0, 65000),
        "PNG of 1 x 50 million": png(1, 50_000_000, 8, 0, 10),
        "PNG that inflates to more than it says": png(64, 64, 8, 2, 2_000_000),
        "JPEG of 65,500 x 65,500":
            jpeg[:frame] + struct.pack(">HH", 65500, 65500) + jpeg[frame + 4:],
        "JPEG of 1,000 scans": progressive[:-2] + last_scan * 1000 +
            b"\xff\xd9",
        "JPEG with 13 MB of EXIF": jpeg[:2] + metadata + jpeg[2:],
        "WebP animation of 16 million x 16 million": webp,
        "BMP that says 65,000 x 65,000": bytes(bmp),
        "GIF of 10,000 frames": b"GIF89a" + struct.pack("<HH", 9999, 9999) +
            b"\0\0\0" + b"\x2c\0\0\0\0\x0f\x27\x0f\x27\0\x02\x01\0\0" * 10000,
        "TIFF": b"II*\0\x08\0\0\0" + b"\xff" * 1000,
    }


def drop_bombs(server: Server):
    print(f"{'bomb':42} {'sent':>9} {'HTTP':>5} {'gRPC':20} "
          f"{'ms':>6} {'cpu ms':>6} {'MB':>6}")
    for name, picture in bombs().items():
        statuses, slowest, growth, cpu = [], 0.0, 0, []
        for way in (server.by_http, server.by_grpc):
            for _ in range(5):
                before = server.cpu_seconds()

                def attack():
                    nonlocal slowest
                    start = time.perf_counter()
                    statuses.append(way(picture, server.key))
                    slowest = max(slowest, time.perf_counter() - start)
                growth = max(growth, server.peak_growth(attack))
                cpu.append(server.cpu_seconds() - before)
        print(f"{name:42} {len(picture):9} {statuses[0]:5} {statuses[-1]:20} "
              f"{slowest * 1e3:6.1f} {statistics.mean(cpu) * 1e3:6.1f} "
              f"{growth / 1e6:6.1f}", flush=True)


def present_wrong_keys(server: Server, picture: bytes, count: int):
    for name, way in (("HTTP", server.by_http), ("gRPC", server.by_grpc)):
        seconds = []
        for i in range(count):
            key = server.wrong_keys[i % len(server.wrong_keys)]
            start = time.perf_counter()
            answer = way(picture, key)
            seconds.append(time.perf_counter() - start)
            if answer not in (401, "UNAUTHENTICATED"):
                raise SystemExit(f"a wrong key was answered {answer}")
        seconds.sort()
        told = [key for key in server.wrong_keys
                if key.split("_")[2][:8] in server.log()]
        print(f"wrong keys over {name}: p50 {seconds[count // 2] * 1e3:.2f} ms, "
              f"p99 {seconds[count * 99 // 100] * 1e3:.2f}, "
              f"slowest {seconds[-1] * 1e3:.2f}; secrets in the log: {len(told)}",
              flush=True)


def good_rate(server: Server, picture: bytes, seconds: float) -> float:
    connection = http.client.HTTPConnection(LOCAL, server.http_port)
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        if server.by_http(picture, server.key, connection) != 200:
            raise SystemExit("good traffic was refused")
        done += 1
    return done / seconds


def brute_force(server: Server, picture: bytes, rounds: int):
    attempts = 0
    stop = threading.Event()

    # Ready-made bytes, so that the attacker takes little of the machine itself.
    requests = [f"POST /sam3/concept_segment HTTP/1.1\r\nHost: a\r\n"
                f"Authorization: Bearer {key}\r\nContent-Length: 2\r\n\r\n"
                "{}".encode() for key in server.wrong_keys]

    def attack():
        nonlocal attempts
        with socket.create_connection((LOCAL, server.http_port)) as connection:
            due = time.monotonic()
            while not stop.is_set():
                connection.sendall(requests[attempts % len(requests)])
                if b" 401 " not in connection.recv(65536):
                    raise SystemExit("a wrong key was let in")
                attempts += 1
                due += 1e-3
                time.sleep(max(0.0, due - time.monotonic()))

    def attacked(work):
        """What `work` returns, and the server's processor time a wrong key."""
        nonlocal attempts
        stop.clear()
        attempts = 0
        attacker = threading.Thread(target=attack)
        before = server.cpu_seconds()
        attacker.start()
        result = work()
        stop.set()
        attacker.join()
        return result, (server.cpu_seconds() - before) / attempts

    _, cost = attacked(lambda: time.sleep(5))
    print(f"a wrong key costs the server {cost * 1e6:.0f} us of a processor")
    ratios = []
    for _ in range(rounds):
        alone = good_rate(server, picture, 5)
        beside, _ = attacked(lambda: good_rate(server, picture, 5))
        ratios.append(beside / alone)
        print(f"good traffic {alone:.0f}/s alone, {beside:.0f}/s beside "
              f"{attempts / 5:.0f} wrong keys a second: {beside / alone:.2f}",
              flush=True)
    print(f"median {statistics.median(ratios):.2f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("ctl")
    parser.add_argument("--wrong-keys", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(flags.server, flags.ctl, pathlib.Path(folder))
        try:
            picture = encoded(".png")
            for way in (server.by_http, server.by_grpc):
                for _ in range(20):
                    way(picture, server.key)
            drop_bombs(server)
            present_wrong_keys(server, picture, flags.wrong_keys)
            brute_force(server, picture, flags.rounds)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
