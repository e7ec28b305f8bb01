"""A server for a load script."""

import contextlib
import pathlib
import re
import subprocess
import tempfile
import time


@contextlib.contextmanager
def serving(program: str, *flags: str):
    """The process of a server and its gRPC port, while the context lasts."""
    ports = (part for name in ("listen", "http-listen", "health-listen",
                               "metrics-listen")
             for part in (f"--{name}", "127.0.0.1:0"))
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "log"
        process = subprocess.Popen([program, *ports, *flags],
                                   stderr=log.open("w"))
        try:
            while not (ready := re.search(r' ready listen="\S+ \(port (\d+)\)',
                                          log.read_text())):
                if process.poll() is not None:
                    raise SystemExit(log.read_text())
                time.sleep(0.1)
            yield process, int(ready[1])
        finally:
            process.terminate()
            process.wait()
