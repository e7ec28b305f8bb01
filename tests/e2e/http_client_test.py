"""The published samples against the program, on the fake engine.

    python tests/e2e/http_client_test.py PATH_OF_sam3-server

Requests have the published shapes, to the letter but for the base URL and the
picture; NumPy reads the binary form where there is NumPy.
"""

import base64
import io
import json
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
import zipfile
import zlib

SERVER = sys.argv[1]
LOCAL = "127.0.0.1"


def png(width: int, height: int, areas) -> bytes:
    """Grey with coloured rectangles, each (rgb, x, y, width, height)."""
    rows = [bytearray(b"\x80\x80\x80" * width) for _ in range(height)]
    for colour, x, y, w, h in areas:
        for row in rows[y:y + h]:
            row[3 * x:3 * (x + w)] = bytes(colour) * w

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))

    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows)))
            + chunk(b"IEND", b""))


PICTURE = png(128, 64, [((255, 0, 0), 8, 8, 32, 16),
                        ((0, 0, 255), 8, 40, 16, 16)])
IMAGE = {"type": "base64", "value": base64.b64encode(PICTURE).decode()}


def arrays(data: bytes) -> dict:
    """Name to (dtype, shape, bytes) of a NumPy archive, without NumPy."""
    out = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if archive.testzip() is not None:
            raise ValueError("checksums do not fit")
        for name in archive.namelist():
            array = archive.read(name)
            if array[:8] != b"\x93NUMPY\x01\0":
                raise ValueError(f"{name} is no array")
            size, = struct.unpack("<H", array[8:10])
            header = eval(array[10:10 + size].decode(), {})  # a literal
            if (10 + size) % 64 or header["fortran_order"]:
                raise ValueError(f"{name} has a strange header")
            out[name.removesuffix(".npy")] = (
                header["descr"], header["shape"], array[10 + size:])
    return out


class HttpClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.aliases = pathlib.Path(cls.folder.name) / "aliases.tsv"
        cls.aliases.write_text("red\tルージュ\n", encoding="utf-8")
        cls.process = subprocess.Popen(
            [SERVER, "--fake-engine", "--listen", f"{LOCAL}:0",
             "--health-listen", f"{LOCAL}:0", "--metrics-listen", f"{LOCAL}:0",
             "--http-listen", f"{LOCAL}:0", "--concept-aliases",
             str(cls.aliases)],
            stderr=subprocess.PIPE, text=True)
        for line in cls.process.stderr:
            if found := re.search(r'http="?127.0.0.1:0 \(port (\d+)\)', line):
                cls.base = f"http://{LOCAL}:{found[1]}"
                break

    @classmethod
    def tearDownClass(cls):
        cls.process.send_signal(signal.SIGTERM)
        cls.process.stderr.read()
        cls.process.stderr.close()
        cls.process.wait(timeout=60)
        cls.folder.cleanup()

    def post(self, path: str, payload: dict):
        request = urllib.request.Request(
            f"{self.base}{path}?api_key=0123456789",
            json.dumps(payload).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as response:
            return response.headers["Content-Type"], response.read()

    def ask(self, path: str, payload: dict) -> dict:
        return json.loads(self.post(path, payload)[1])

    def test_text_prompts(self):
        response = self.ask("/sam3/concept_segment", {
            "image": IMAGE,
            "prompts": [{"type": "text", "text": "人"},
                        {"type": "text", "text": "バックパック"}],
            "output_prob_thresh": 0.5,
            "format": "polygon",
        })
        texts = []
        for prompt_result in response["prompt_results"]:
            texts.append(prompt_result["echo"]["text"])
            self.assertEqual(len(prompt_result["predictions"]), 0)
        self.assertEqual(texts, ["人", "バックパック"])
        self.assertEqual(response["warnings"],
                         ['prompts[0].text: was read as "person"',
                          'prompts[1].text: was read as "backpack"'])

    def test_exemplar_boxes_with_and_without_text(self):
        for prompt in ({"type": "visual",
                        "boxes": [{"x": 10, "y": 42, "width": 8, "height": 8}],
                        "box_labels": [1]},
                       {"type": "visual", "text": "ルージュ",
                        "boxes": [
                            {"x": 10, "y": 42, "width": 8, "height": 8},
                            {"x": 12, "y": 10, "width": 8, "height": 8}],
                        "box_labels": [1, 0]}):
            response = self.ask("/sam3/concept_segment", {
                "image": IMAGE, "prompts": [prompt],
                "output_prob_thresh": 0.5, "format": "polygon"})
            result = response["prompt_results"][0]
            self.assertEqual(result["echo"]["num_boxes"], len(prompt["boxes"]))
            self.assertEqual(result["predictions"][0]["masks"],
                             [[[8, 40], [8, 55], [23, 55], [23, 40]]])

    def test_a_click_and_a_box(self):
        response = self.ask("/sam3/visual_segment", {
            "image": IMAGE,
            "prompts": {"prompts": [
                {"points": [{"x": 20, "y": 12, "positive": True}],
                 "box": {"x": 20, "y": 12, "width": 16, "height": 8}}]},
            "multimask_output": False,
            "format": "json",
        })
        prediction = response["predictions"][0]
        self.assertAlmostEqual(prediction["confidence"], 0.9, places=5)
        self.assertEqual(len(prediction["masks"]), 1)

    def test_clicks_refine_by_name(self):
        self.ask("/sam3/embed_image", {"image": IMAGE, "image_id": "demo"})
        first = {"x": 20, "y": 12, "positive": True}
        second = {"x": 100, "y": 12, "positive": False}
        common = {"image": IMAGE, "image_id": "demo",
                  "save_logits_to_cache": True, "load_logits_from_cache": True}
        one = self.ask("/sam3/visual_segment",
                       {**common, "prompts": [{"points": [first]}]})
        self.assertEqual(one["embedding_cache"], "hit")
        self.assertFalse(one["predictions"][0]["refined"])
        two = self.ask("/sam3/visual_segment",
                       {**common, "prompts": [{"points": [first, second]}]})
        self.assertTrue(two["predictions"][0]["refined"])

    def test_binary_is_a_numpy_archive(self):
        for path, extra in (
                ("/sam3/concept_segment",
                 {"prompts": [{"text": "red"}, {"text": "blue"}]}),
                ("/sam3/visual_segment",
                 {"prompts": [{"points": [{"x": 20, "y": 12,
                                           "positive": True}]},
                              {"points": [{"x": 12, "y": 44,
                                           "positive": True}]}]})):
            kind, data = self.post(
                path, {"image": IMAGE, "format": "binary", **extra})
            self.assertEqual(kind, "application/octet-stream")
            found = arrays(data)
            dtype, shape, masks = found["masks"]
            self.assertEqual((dtype, shape), ("|u1", (2, 64, 128)))
            self.assertEqual(sum(masks[:64 * 128]), 32 * 16)
            self.assertEqual(sum(masks[64 * 128:]), 16 * 16)
            self.assertEqual(masks[8 * 128 + 8], 1)
            self.assertEqual(masks[8 * 128 + 7], 0)
            self.assertEqual(found["low_res_masks"][:2],
                             ("<f4", (2, 64, 64)))
            self.assertEqual(len(found["low_res_masks"][2]), 2 * 64 * 64 * 4)
            self.assertEqual(found["confidence"][:2], ("<f4", (2,)))
            self.assertEqual(struct.unpack("<2i", found["prompt_index"][2]),
                             (0, 1))
            self.numpy_reads(data)
        nothing = arrays(self.post("/sam3/concept_segment", {
            "image": IMAGE, "format": "binary",
            "prompts": [{"text": "green"}]})[1])
        self.assertEqual(nothing["masks"][1], (0, 64, 128))

    def numpy_reads(self, data: bytes):
        try:
            import numpy
        except ImportError:
            return
        loaded = numpy.load(io.BytesIO(data))
        self.assertEqual(loaded["masks"].shape, (2, 64, 128))
        self.assertEqual(int(loaded["masks"][0].sum()), 32 * 16)
        self.assertTrue((loaded["low_res_masks"][0].max() > 0))

    def test_a_changed_table_of_aliases_is_read(self):
        def warnings():
            return self.ask("/sam3/concept_segment", {
                "image": IMAGE, "prompts": [{"text": "ブルー"}]})["warnings"]

        self.assertEqual(warnings(), [])
        self.aliases.write_text("red\tルージュ\nblue\tブルー\n",
                                encoding="utf-8")
        deadline = time.monotonic() + 60
        while warnings() != ['prompts[0].text: was read as "blue"']:
            self.assertLess(time.monotonic(), deadline)

    def test_errors_are_what_clients_know(self):
        for payload, status, key in (
                ({"image": IMAGE}, 422, "detail"),
                ({"image": {"type": "base64", "value": "AAAA"},
                  "prompts": [{"text": "red"}]}, 400, "message"),
                ({"image": IMAGE, "prompts": [{"text": "red"}],
                  "model_id": "a/1"}, 501, "message")):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.post("/sam3/concept_segment", payload)
            self.assertEqual(caught.exception.code, status)
            self.assertIn(key, json.load(caught.exception))
            caught.exception.close()

    def test_connections_are_kept(self):
        with socket.create_connection((LOCAL, int(self.base.split(":")[2]))) as s:
            for _ in range(2):
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertIn(b"200 OK", s.recv(4096))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
