"""The package as such: stubs that fit the protos, types, installation.

    python clients/python/tests/package_test.py [--install]

With --install it is also installed into a fresh environment, from the package
index; that test is skipped where there is no network.
"""

import filecmp
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from running_server import RunningServer

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
INSTALL = "--install" in sys.argv


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


class PackageTest(unittest.TestCase):
    def test_stubs_are_those_of_the_protos(self):
        committed = PACKAGE / "sam3_client/_proto"
        with tempfile.TemporaryDirectory() as folder:
            made = run(sys.executable, PACKAGE / "generate", folder)
            self.assertEqual(made.returncode, 0, made.stderr)
            names = {str(path.relative_to(root)) for root in (committed, folder)
                     for path in pathlib.Path(root).rglob("*.py*")
                     if path.suffix in (".py", ".pyi")}
            self.assertGreaterEqual(len(names), 18)
            different = filecmp.cmpfiles(committed, folder, names,
                                         shallow=False)
            self.assertEqual(sorted(different[1] + different[2]), [],
                             "run clients/python/generate and commit")

    def test_types_are_whole(self):
        with tempfile.TemporaryDirectory() as cache:
            checked = run(sys.executable, "-m", "mypy", "--cache-dir", cache,
                          "sam3_client", cwd=PACKAGE)
        self.assertEqual(checked.returncode, 0, checked.stdout)

    @unittest.skipUnless(INSTALL, "only with --install")
    def test_installs_into_a_fresh_environment(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(
                run(sys.executable, "-m", "venv", folder).returncode, 0)
            python = pathlib.Path(folder) / "bin/python"
            before = set(PACKAGE.iterdir())
            installed = run(python, "-m", "pip", "install",
                            "--disable-pip-version-check", "--retries", "1",
                            f"{PACKAGE}[images]")
            if installed.returncode != 0 and any(
                    sign in installed.stderr for sign in
                    ("No matching distribution found for hatchling",
                     "NewConnectionError", "Temporary failure in name")):
                errors = [line.strip()
                          for line in installed.stderr.splitlines()
                          if "ERROR: No matching" in line]
                self.skipTest("no package index can be reached: "
                              + " ".join(errors))
            self.assertEqual(installed.returncode, 0, installed.stderr)
            # Nothing is left beside the sources.
            self.assertEqual(set(PACKAGE.iterdir()), before)
            with RunningServer() as server:
                environment = {key: value for key, value in os.environ.items()
                               if key != "PYTHONPATH"}
                used = run(python, "-W", "error", "-c", f"""
import pathlib, numpy, sam3_client
assert (pathlib.Path(sam3_client.__file__).parent / "py.typed").exists()
picture = numpy.zeros((96, 128, 3), numpy.uint8)
picture[16:64, 10:60] = (255, 0, 0)
with sam3_client.Client("{server.address}") as client:
    found, = client.segment(picture, "red").instances
    assert found.mask.sum() == found.area > 2000
    events = list(client.stream([picture] * 3, "red"))
    assert events[-1].answered == 3, events
    try:
        client.segment(picture, "red", threshold=7)
    except sam3_client.Sam3Error as error:
        assert error.violations[0].field == "score_threshold"
print("used")
""", cwd=folder, env=environment)
            self.assertEqual(used.stdout, "used\n", used.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
