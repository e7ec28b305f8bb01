"""Runs scripts/demo with stand-ins for everything that it installs and builds:
what it says, and what is left when it is interrupted.

    python tests/scripts/demo_test.py SAM3_SERVER SAM3CTL
"""

import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

SERVER, CTL = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# Each tells the test that it was reached and waits to be killed, if it is the
# one that STUB_BLOCK names; fails, if STUB_OFFLINE says so.
PRELUDE = """#!/bin/sh
block() { if [ "$STUB_BLOCK" = "$1" ]; then
  echo reached >"$STUB_REACHED"; exec sleep 60; fi; }
offline() { if [ -n "$STUB_OFFLINE" ]; then echo "$1" >&2; exit 1; fi; }
"""
PIP = PRELUDE + """
echo "$@" >>"$STUB_LOG"
block pip
offline "ERROR: Could not find a version that satisfies the requirement"
while [ $# -gt 0 ]; do
  if [ "$1" = --target ]; then
    mkdir -p "$2/nvidia/cu13/bin"
    printf '#!/bin/sh\\n' >"$2/nvidia/cu13/bin/nvcc"
    chmod +x "$2/nvidia/cu13/bin/nvcc"
  fi
  shift
done
"""
STUBS = {
    "dpkg-query": """
        [ -n "$STUB_MISSING" ] && [ ! -e "$STUB_INSTALLED" ] ||
          echo "install ok installed" """,
    "dpkg": "",
    "sudo": 'exec "$@"',
    "apt-cache": "exit 1",
    "apt-get": """
        block "apt $1"
        offline "E: Failed to fetch deb.debian.org"
        case "$*" in *--download-only*) ;; install*) touch "$STUB_INSTALLED";;
        esac""",
    "nvidia-smi": '[ -n "$STUB_GPU" ] && echo "$STUB_GPU"',
    "python3": """
        mkdir -p "$3/bin"
        cp "$(dirname "$0")/pip" "$3/bin/python" """,
    "cmake": """
        echo "cmake $*" >>"$STUB_LOG"
        [ "$1" = --build ] || exit 0
        echo "[1/2] a"
        block cmake
        [ -z "$STUB_BROKEN" ] || { echo "a.cc:1: error: no"; exit 1; }
        echo "[2/2] b"
        mkdir -p "$2/service" "$2/cli"
        cp "$(dirname "$0")/server" "$2/service/sam3-server"
        cp "$(dirname "$0")/ctl" "$2/cli/sam3ctl" """,
    "server": f"""
        echo $$ >"$STUB_SERVER_PID"
        exec {SERVER} --fake-engine "$@" """,
    "ctl": f"""
        block "ctl $1"
        exec {CTL} "$@" """,
}


class DemoTest(unittest.TestCase):

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.tree = self.root / "tree"
        shutil.copytree(REPOSITORY / "scripts", self.tree / "scripts")
        bin_folder = self.root / "bin"
        for folder in (bin_folder, self.root / "tmp"):
            folder.mkdir()
        for name, body in [*STUBS.items(), ("pip", None)]:
            stub = bin_folder / name
            stub.write_text(PIP if body is None else PRELUDE + body + "\n")
            stub.chmod(0o755)
        self.reached = self.root / "reached"
        os.mkfifo(self.reached)
        self.environment = {
            "PATH": f"{bin_folder}:/usr/bin:/bin",
            "HOME": str(self.root),
            "TMPDIR": str(self.root / "tmp"),
            "SAM3_CACHE": str(self.root / "cache"),
            "SAM3_MEDIA": str(self.root / "none"),
            "STUB_REACHED": str(self.reached),
            "STUB_INSTALLED": str(self.root / "installed"),
            "STUB_LOG": str(self.root / "log"),
            "STUB_SERVER_PID": str(self.root / "pid"),
        }

    def start(self, *flags, **environment):
        return subprocess.Popen(
            [self.tree / "scripts/demo", *flags], text=True,
            env=self.environment | environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True)

    def await_reached(self):
        # For writing too: then opening does not wait for the other end.
        fifo = os.open(self.reached, os.O_RDWR)
        self.addCleanup(os.close, fifo)
        self.assertTrue(select.select([fifo], [], [], 60)[0])
        os.read(fifo, 100)

    def demo(self, *flags, **environment):
        process = self.start(*flags, **environment)
        out, errors = process.communicate(timeout=60)
        self.assert_nothing_left()
        return process.returncode, out, errors

    def assert_nothing_left(self):
        self.assertEqual(list((self.root / "tmp").iterdir()), [])
        self.assertEqual(list(self.root.glob("cache/*.partial")), [])
        pid = self.root / "pid"
        if pid.exists():
            with self.assertRaises(ProcessLookupError):
                os.kill(int(pid.read_text()), 0)

    def test_says_what_each_step_came_to(self):
        status, out, errors = self.demo(STUB_MISSING="yes")
        self.assertEqual((status, errors), (0, ""))
        for line in (
                r"\[1/4\] system packages … \d+ missing, installing … ok "
                r"\(\d+ s\)",
                r"\[2/4\] libtorch 2\.11\.0 \(CPU: no NVIDIA GPU found .*\) … "
                r"fetching version 2\.11\.0 … ok \(\d+ s\)",
                r"\[3/4\] build … ok \(\d+ s\)",
                r"\[4/4\] demo",
                r"  server   127\.0\.0\.1:\d+  model: fake .*, cpu, fp32, ready "
                r"in [\d.]+m?s",
                r"  picture  demo-out/shapes\.png +\"red circle\" \d+ "
                r"\([\d., presnc]+\)   \"star\" 0 .* \d+ ms",
                r"  video    demo-out/shapes\.mp4 +120 frames: 120 answered, "
                r"[\d.]+/s, 0 dropped, 0 refused",
                r"  yours    build/demo/cli/sam3ctl segment PICTURE .*"):
            self.assertRegex(out, re.compile(f"^{line}$", re.MULTILINE))
        for name in ("shapes.png", "shapes.mp4", "scene.png", "scene.mp4"):
            self.assertGreater(
                (self.tree / "demo-out" / name).stat().st_size, 1000)
        again = self.demo(STUB_OFFLINE="yes")
        self.assertEqual(again[0], 0, again)
        self.assertNotIn("installing", again[1])
        self.assertNotIn("fetching", again[1])

    def test_chooses_the_flavour_that_the_gpu_can_run(self):
        for flags, gpu, said, cuda in (
                ((), "580.65.06, 9.0", "(CUDA 13; --cpu for the CPU)", True),
                ((), "535.104, 9.0", "driver is 535.104", False),
                ((), "590.1, 7.5", "compute capability 7.5", False),
                (("--cpu",), "580.65.06, 9.0", "(CPU, as asked)", False),
                (("--cuda",), "580.65.06, 9.0", "(CUDA 13, as asked)", True)):
            (self.root / "log").unlink(missing_ok=True)
            shutil.rmtree(self.root / "cache", ignore_errors=True)
            status, out, errors = self.demo(*flags, STUB_GPU=gpu)
            self.assertEqual(status, 0, errors)
            self.assertIn(said, out)
            log = (self.root / "log").read_text()
            self.assertEqual("-DSAM3_CUDA=ON" in log, cuda)
            self.assertEqual("--no-deps" in log.splitlines()[0], not cuda)
            self.assertEqual("nvidia-cuda-nvcc" in log, cuda)
        status, _, errors = self.demo("--cuda")
        self.assertEqual(status, 1)
        self.assertRegex(errors, r"^scripts/demo --cuda: no NVIDIA GPU found "
                         r"\(nvidia-smi\); try --cpu\n$")

    def test_one_line_when_something_cannot_be_had(self):
        for environment, cause in (({"STUB_MISSING": "yes"}, "E: Failed"),
                                   ({}, "ERROR: Could not find")):
            status, _, errors = self.demo(STUB_OFFLINE="yes", **environment)
            self.assertEqual(status, 1)
            self.assertEqual(len(errors.splitlines()), 1, errors)
            self.assertIn(cause, errors)
            self.assertIn("connect to the network", errors)
        status, _, errors = self.demo(STUB_BROKEN="yes")
        self.assertEqual(status, 1)
        self.assertIn("a.cc:1: error: no", errors)
        self.assertIn("build/demo/demo.log", errors)

    def test_interrupted_anywhere_it_leaves_nothing_half_done(self):
        for place in ("apt update", "apt install", "pip", "cmake",
                      "ctl segment", "ctl stream"):
            with self.subTest(place):
                process = self.start(STUB_BLOCK=place, STUB_MISSING="yes")
                self.await_reached()
                os.killpg(process.pid, signal.SIGINT)
                process.communicate(timeout=60)
                self.assertEqual(process.returncode, 130)
                self.assert_nothing_left()
                self.assertEqual(
                    (self.root / "cache/venv").exists(),
                    place.startswith(("cmake", "ctl")))
                self.assertFalse(
                    (self.tree / "demo-out/shapes.mp4").exists())
        self.assertEqual(self.demo(STUB_MISSING="yes")[0], 0)

    def test_help_and_wrong_flags(self):
        for flag in ("-h", "--help"):
            status, out, _ = self.demo(flag)
            self.assertEqual(status, 0)
            self.assertIn("--cpu, --cuda", out)
        status, _, errors = self.demo("--gpu")
        self.assertEqual(status, 2)
        self.assertIn("--gpu", errors)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
