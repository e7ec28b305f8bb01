"""Holds the server to its own OpenAPI document, with Schemathesis.

    python tests/e2e/http_contract_test.py PATH_OF_sam3-server

Requests are made up from /openapi.json, right ones and wrong ones, the same on
every run: no answer is a fault of the server's, and each has a status, a content
type and a shape that the document tells. Skipped where there is no Schemathesis.
"""

import pathlib
import re
import signal
import subprocess
import sys
import tempfile

SKIPPED = 77
LOCAL = "127.0.0.1:0"
CHECKS = ("not_a_server_error", "status_code_conformance",
          "content_type_conformance", "response_schema_conformance",
          "response_headers_conformance", "unsupported_method",
          "allow_header_conformance")


def main(server: str) -> int:
    tool = pathlib.Path(sys.executable).parent / "schemathesis"
    if not tool.exists():
        print("schemathesis is not installed")
        return SKIPPED
    process = subprocess.Popen(
        [server, "--fake-engine", "--listen", LOCAL, "--health-listen", LOCAL,
         "--metrics-listen", LOCAL, "--http-listen", LOCAL],
        stderr=subprocess.PIPE, text=True)
    try:
        port = next(found[1] for line in process.stderr if (
            found := re.search(r'http="?127.0.0.1:0 \(port (\d+)\)', line)))
        with tempfile.TemporaryDirectory() as folder:
            status = subprocess.run(
                [str(tool), "run", f"http://127.0.0.1:{port}/openapi.json",
                 "--phases", "coverage,fuzzing", "--max-examples", "150",
                 "--seed", "20240601", "--checks", ",".join(CHECKS),
                 "--continue-on-failure", "--no-shrink", "--warnings", "off",
                 "--generation-database", "none",
                 "--suppress-health-check", "all"],
                cwd=folder, timeout=280).returncode
        return 1 if status else 0
    finally:
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        process.wait(timeout=60)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
