"""Runs the Python samples that the published HTTP API's documentation shows,
unchanged but for the hosts, against the server's HTTP door.

    python tests/e2e/published_samples_test.py SAM3_SERVER
"""

import contextlib
import http.server
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import unittest

import numpy as np
import PIL.Image
import requests

SERVER = sys.argv[1]
LOCAL = "127.0.0.1"
PUBLISHED_API = "https://serverless.roboflow.com"
PUBLISHED_PICTURES = "https://media.roboflow.com"

TEXT_SAMPLE = '''\
import os
import requests

payload = {
    "image": {"type": "url", "value": "https://media.roboflow.com/inference/people-walking.jpg"},
    "prompts": [
        {"type": "text", "text": "人"},
        {"type": "text", "text": "バックパック"},
    ],
    "output_prob_thresh": 0.5,
    "format": "polygon",  # または "rle"
}

response = requests.post(
    "https://serverless.roboflow.com/sam3/concept_segment",
    params={"api_key": os.getenv("API_KEY")},
    json=payload,
)
for prompt_result in response.json()["prompt_results"]:
    print(prompt_result["echo"], len(prompt_result["predictions"]), "インスタンス")
'''

EXAMPLE_SAMPLE = '''\
payload = {
    "image": {"type": "url", "value": "https://media.roboflow.com/inference/people-walking.jpg"},
    "prompts": [
        {
            "type": "visual",
            "boxes": [{"x": 1409, "y": 705, "width": 112, "height": 183}],
            "box_labels": [1],
        }
    ],
    "output_prob_thresh": 0.5,
    "format": "polygon",
}
'''

TEXT_AND_EXAMPLES_SAMPLE = '''\
payload = {
    "image": {"type": "url", "value": "https://media.roboflow.com/inference/people-walking.jpg"},
    "prompts": [
        {
            "type": "visual",
            "text": "人",
            "boxes": [
                {"x": 1409, "y": 705, "width": 112, "height": 183},
                {"x": 1216, "y": 496, "width": 124, "height": 184},
            ],
            "box_labels": [1, 0],
        }
    ],
    "output_prob_thresh": 0.5,
    "format": "polygon",
}
'''

CLICK_SAMPLE = '''\
import os
import requests

payload = {
    "image": {"type": "url", "value": "https://media.roboflow.com/inference/people-walking.jpg"},
    "prompts": {
        "prompts": [
            {
                "points": [{"x": 1465, "y": 796, "positive": True}],
                "box": {"x": 1465, "y": 796, "width": 112, "height": 183},
            }
        ]
    },
    "multimask_output": False,
    "format": "json",
}

response = requests.post(
    "https://serverless.roboflow.com/sam3/visual_segment",
    params={"api_key": os.getenv("API_KEY")},
    json=payload,
)
prediction = response.json()["predictions"][0]
print(prediction["confidence"], len(prediction["masks"]), "ポリゴン")
'''

# The two samples that only show a payload are sent as the text sample is.
SEND_PAYLOAD = TEXT_SAMPLE[TEXT_SAMPLE.index("response ="):
                           TEXT_SAMPLE.index("for ")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return probe.getsockname()[1]


def picture() -> bytes:
    """As large as the samples' picture, red where they point."""
    pixels = np.full((1080, 1920, 3), 90, np.uint8)
    pixels[705:888, 1409:1521] = (255, 0, 0)
    pixels[100:300, 200:400] = (255, 0, 0)
    pixels[496:680, 1216:1340] = (0, 0, 255)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class PictureHandler(http.server.BaseHTTPRequestHandler):
    content = picture()
    paths = []

    def do_GET(self):
        self.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_):
        pass


class PublishedSamplesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pictures = http.server.ThreadingHTTPServer((LOCAL, 0),
                                                       PictureHandler)
        threading.Thread(target=cls.pictures.serve_forever).start()
        host = f"{LOCAL}:{cls.pictures.server_port}"
        door = f"{LOCAL}:{free_port()}"
        cls.hosts = {PUBLISHED_API: f"http://{door}",
                     PUBLISHED_PICTURES: f"http://{host}"}
        cls.process = subprocess.Popen(
            [SERVER, "--fake-engine", "--listen", f"{LOCAL}:0",
             "--health-listen", f"{LOCAL}:0", "--metrics-listen", f"{LOCAL}:0",
             "--http-listen", door, "--allow-url-host", host,
             "--allow-url-http", "--allow-url-cidr", "127.0.0.0/8"],
            stderr=subprocess.PIPE, text=True)
        log = []
        for line in cls.process.stderr:
            log.append(line)
            if " ready " in line:
                return
        raise RuntimeError("".join(log))

    @classmethod
    def tearDownClass(cls):
        cls.process.send_signal(signal.SIGTERM)
        cls.process.stderr.read()
        cls.process.wait(timeout=60)
        cls.process.stderr.close()
        cls.pictures.shutdown()
        cls.pictures.server_close()

    def run_sample(self, code: str) -> tuple[dict, str]:
        """What the server answered, and what the sample printed."""
        for published, ours in self.hosts.items():
            self.assertIn(published, code)
            code = code.replace(published, ours)
        names, told = {"os": os, "requests": requests}, io.StringIO()
        before = len(PictureHandler.paths)
        with contextlib.redirect_stdout(told):
            exec(code, names)
        response = names["response"]
        self.assertEqual(response.status_code, 200, response.text)
        self.assertEqual(PictureHandler.paths[before:],
                         ["/inference/people-walking.jpg"])
        return response.json(), told.getvalue()

    def assert_red_at(self, polygons, x0, y0, x1, y1):
        # The fake engine sees a grid of 64 x 64.
        points = np.concatenate([np.array(ring) for ring in polygons])
        np.testing.assert_allclose(points.min(axis=0), (x0, y0), atol=31)
        np.testing.assert_allclose(points.max(axis=0), (x1, y1), atol=31)

    def test_texts(self):
        answer, told = self.run_sample(TEXT_SAMPLE)
        self.assertEqual(told.count("インスタンス"), 2)
        self.assertIn("'text': '人'", told)
        self.assertGreater(answer["time"], 0)

    def test_texts_find_what_they_name(self):
        # The fake engine knows no backpacks.
        answer, told = self.run_sample(
            TEXT_SAMPLE.replace("バックパック", "red"))
        self.assertRegex(told.splitlines()[1], r"} 2 インスタンス")
        for found in answer["prompt_results"][1]["predictions"]:
            self.assertEqual(found["format"], "polygon")
            self.assertGreater(found["confidence"], 0.9)

    def test_an_example_finds_everything_like_it(self):
        answer, _ = self.run_sample(EXAMPLE_SAMPLE + SEND_PAYLOAD)
        result, = answer["prompt_results"]
        self.assertEqual(result["echo"]["type"], "visual")
        self.assertEqual(result["echo"]["num_boxes"], 1)
        first, second = result["predictions"]
        self.assert_red_at(first["masks"], 200, 100, 400, 300)
        self.assert_red_at(second["masks"], 1409, 705, 1521, 888)

    def test_a_text_with_examples(self):
        answer, _ = self.run_sample(TEXT_AND_EXAMPLES_SAMPLE + SEND_PAYLOAD)
        result, = answer["prompt_results"]
        self.assertEqual(result["echo"]["text"], "人")
        self.assertEqual(result["echo"]["num_boxes"], 2)
        self.assertEqual(len(result["predictions"]), 2)

    def test_a_click(self):
        answer, told = self.run_sample(CLICK_SAMPLE)
        self.assertRegex(told, r"^0\.\d+ \d+ ポリゴン\n$")
        self.assert_red_at(answer["predictions"][0]["masks"], 1409, 705, 1521,
                           888)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
