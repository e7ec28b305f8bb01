"""`sam3ctl watch` as people see it: a table in a terminal, lines in a pipe, and
the end by Ctrl-C.

    watch_test.py

Needs PYTHONPATH and SAM3_SERVER as the Python client's tests do, and SAM3CTL.
"""

import contextlib
import fcntl
import http.server
import os
import pathlib
import pty
import re
import struct
import subprocess
import tempfile
import termios
import threading
import unittest

from running_server import LOCAL, RunningServer, draw
from sam3_client import encode_picture

CTL = os.environ["SAM3CTL"]
ROWS, COLUMNS = 12, 72


class Camera(http.server.ThreadingHTTPServer):
    """Sends one picture after another for as long as it is looked at."""

    daemon_threads = True

    def __init__(self):
        super().__init__((LOCAL, 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            picture = encode_picture(draw(red=(10, 20, 50, 60)))
            self.send_response(200)
            self.send_header("Content-Type",
                             "multipart/x-mixed-replace; boundary=b")
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"--b\r\nContent-Length: %d\r\n\r\n%b\r\n"
                                     % (len(picture), picture))

        def log_message(self, *_):
            pass


class Terminal:
    """Runs a command in a terminal of ROWS and COLUMNS."""

    def __init__(self, *command: str):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            start_new_session=True)
        os.close(slave)
        self.text = ""

    def read(self, until=lambda text: False) -> str:
        """What it has written, up to where `until` holds, or to the end."""
        while not until(self.text):
            try:
                self.text += os.read(self.master, 65536).decode()
            except OSError:
                break
        return self.text

    def type(self, key: bytes) -> None:
        os.write(self.master, key)


def make_clip(path: pathlib.Path) -> None:
    """A red area that moves for two seconds."""
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i",
         "color=gray:size=320x240:rate=25:duration=2", "-f", "lavfi", "-i",
         "color=red:size=60x40:rate=25:duration=2", "-filter_complex",
         "[0][1]overlay=x=20+40*t:y=50", "-pix_fmt", "yuv420p", "-c:v",
         "libx264", path], check=True)


class WatchTest(unittest.TestCase):
    def test_a_pipe_gets_lines(self):
        with tempfile.TemporaryDirectory() as folder, RunningServer(
                "--media-root", folder) as server:
            clip = pathlib.Path(folder) / "clip.mp4"
            make_clip(clip)
            for source in ((str(clip),), ("clip.mp4", "--server-file")):
                told = subprocess.run(
                    [CTL, "watch", *source, "--text", "red", "--confirm", "2",
                     "--server", server.address], capture_output=True,
                    text=True, timeout=120)
                self.assertEqual(told.returncode, 0, told.stderr)
                self.assertNotIn("\033", told.stdout)
                lines = told.stdout.splitlines()
                events = [line.split("s  ")[1] for line in lines
                          if "#0" in line]
                self.assertEqual(events,
                                 ["#0 red tentative", "#0 red confirmed"])
                self.assertIn("opening", lines[0])
                self.assertRegex(lines[-1],
                                 r"^50 frames answered, .*; 1 object in ")

    def test_a_terminal_gets_a_table_until_ctrl_c(self):
        camera = Camera()
        url = f"http://user:s3cret@{LOCAL}:{camera.server_port}/"
        with RunningServer("--allow-url-http", "--allow-url-cidr",
                           "127.0.0.0/8", "--allow-url-host",
                           f"{LOCAL}:{camera.server_port}") as server:
            terminal = Terminal(CTL, "watch", url, "--text", "red", "--server",
                                server.address)
            table = terminal.read(until=lambda text: "reconnecting" in text or
                                  re.search("#0  red .*now .*,40", text))
            self.assertRegex(table, r"#0  red +confirmed +\d\.\d\d .*10,20,40,40")
            terminal.type(b"\x03")
            end = terminal.read()
            self.assertEqual(terminal.process.wait(timeout=60), 0, end)
            self.assertRegex(end, r"\d+ frames answered, .*; 1 object in ")
            self.assertNotIn("s3cret", end)
            # Drawn over itself, and never wider or higher than the terminal.
            self.assertRegex(end, r"\033\[\d+A")
            for drawn in re.split(r"\033\[\d+A", end.split("\033[J")[-2]):
                rows = drawn.replace("\r", "").replace("\033[K", "").split("\n")
                self.assertLessEqual(len(rows), ROWS, drawn)
                for row in rows:
                    self.assertLess(len(row), COLUMNS, row)
        camera.shutdown()
        camera.server_close()

    def test_what_is_wrong_is_one_line(self):
        told = subprocess.run([CTL, "watch", "nowhere.mp4", "--text", "red"],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(told.returncode, 2)
        self.assertEqual(told.stderr,
                         "sam3ctl: nowhere.mp4: no such video file\n")


if __name__ == "__main__":
    unittest.main()
