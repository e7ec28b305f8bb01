"""Runs the programs as people do: flags, ports, signals, exit statuses.

    python tests/e2e/program_test.py SAM3_SERVER SAM3CTL [--torch]
        [--preload LARGE_THREAD_STORAGE]
"""

import json
import os
import pathlib
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

SERVER, CTL = sys.argv[1:3]
TORCH = "--torch" in sys.argv
PRELOAD = (sys.argv[sys.argv.index("--preload") + 1]
           if "--preload" in sys.argv else None)
LOCAL = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """As many, none of them twice."""
    probes = [socket.create_server((LOCAL, 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def free_port() -> int:
    return free_ports(1)[0]


class RunningServer:
    """A server on free ports that is ready, stopped at the end."""

    def __init__(self, *flags: str, **environment: str):
        self.port, self.health, self.metrics, self.http = free_ports(4)
        self.process = subprocess.Popen(
            [SERVER, "--listen", f"{LOCAL}:{self.port}", "--health-listen",
             f"{LOCAL}:{self.health}", "--metrics-listen",
             f"{LOCAL}:{self.metrics}", "--http-listen",
             f"{LOCAL}:{self.http}", *flags],
            stderr=subprocess.PIPE, text=True,
            env={**os.environ, **environment})
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            if " ready listen=" in line:
                return
        raise RuntimeError("".join(self.log))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.log += self.process.stderr.readlines()
        self.status = self.process.wait(timeout=60)

    @property
    def address(self) -> str:
        return f"{LOCAL}:{self.port}"


def run(*command: str, env: dict[str, str] | None = None):
    return subprocess.run(command, capture_output=True, text=True, timeout=120,
                          env={**os.environ, **(env or {})})


def make_certificate(folder: pathlib.Path) -> tuple[str, str]:
    """One that is its own authority, for localhost."""
    cert, key = str(folder / "tls.pem"), str(folder / "tls.key")
    made = run("openssl", "req", "-x509", "-subj", "/CN=localhost", "-addext",
               "subjectAltName=DNS:localhost,IP:127.0.0.1", "-newkey", "ec",
               "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
               key, "-out", cert)
    assert made.returncode == 0, made.stderr
    return cert, key


class ProgramTest(unittest.TestCase):
    engine = () if TORCH else ("--fake-engine",)

    def test_serves_until_sigterm_and_exits_clean(self):
        with RunningServer(*self.engine) as server:
            info = run(CTL, "info", "--server", server.address, "--json")
            self.assertEqual(info.returncode, 0, info.stderr)
            model = json.loads(info.stdout)["model"]
            self.assertEqual(model["embeddedDemo"], TORCH)
            text = urllib.request.urlopen(
                f"http://{LOCAL}:{server.metrics}/metrics").read().decode()
            self.assertIn("sam3_requests_active 0", text)
            self.assertIn("sam3_stage_seconds_bucket", text)
        self.assertEqual(server.status, 0, server.log)
        self.assertIn("stopped", server.log[-1])
        self.assertNotIn("error", "".join(server.log))

    def test_a_lame_duck_serves_until_it_is_told_again(self):
        with RunningServer(*self.engine, "--lame-duck-seconds",
                           "600") as server:
            server.process.send_signal(signal.SIGTERM)
            for line in server.process.stderr:
                if "draining" in line:
                    break
            info = run(CTL, "info", "--server", server.address)
            self.assertEqual(info.returncode, 0, info.stderr)
        self.assertEqual(server.status, 0, server.log)

    def test_finds_shapes_in_a_picture_and_in_a_video(self):
        with tempfile.TemporaryDirectory() as folder, RunningServer(
                *self.engine) as server:
            folder = pathlib.Path(folder)
            for name in ("scene.png", "scene.mp4"):
                made = run(CTL, "scene", str(folder / name))
                self.assertEqual(made.returncode, 0, made.stderr)
            found = run(CTL, "segment", str(folder / "scene.png"), "--server",
                        server.address, "--text", "red circle", "--text", "cat",
                        "--json", "--overlay", str(folder / "out.png"))
            self.assertEqual(found.returncode, 0, found.stderr)
            results = json.loads(found.stdout)["results"]
            self.assertEqual(len(results), 2)
            self.assertEqual(results[1]["instances"], [])
            if TORCH:
                self.assertEqual(len(results[0]["instances"]), 2)
                self.assertGreater(results[0]["instances"][0]["score"], 0.9)
            self.assertGreater((folder / "out.png").stat().st_size, 1000)
            streamed = run(CTL, "stream", str(folder / "scene.mp4"),
                           "--server", server.address, "--text", "star",
                           "--fps", "4", "--json")
            self.assertEqual(streamed.returncode, 0, streamed.stderr)
            messages = [json.loads(line)
                        for line in streamed.stdout.splitlines()]
            summary = messages[-1]["summary"]
            self.assertEqual(summary["framesInCount"], "120")
            dropped = sum(int(d["frameCount"]) for d in summary["dropped"])
            self.assertEqual(int(summary["answeredCount"]) + dropped, 120)
            self.assertEqual(int(summary["answeredCount"]), 20)
            if TORCH:
                counts = [len(m["result"]["result"]["instances"])
                          for m in messages if "result" in m]
                self.assertGreaterEqual(sum(counts), 0.9 * len(counts))

    def test_objects_that_are_pointed_at_are_followed(self):
        with tempfile.TemporaryDirectory() as folder, RunningServer(
                "--fake-engine") as server:
            clip = str(pathlib.Path(folder) / "scene.mp4")
            drawn = pathlib.Path(folder) / "out.mp4"
            self.assertEqual(run(CTL, "scene", clip).returncode, 0)
            arguments = (CTL, "stream", clip, "--server", server.address)
            followed = run(*arguments, "--object", "7:100,90", "--object",
                           "2:10,20,64,48", "--json", "--overlay", str(drawn))
            self.assertEqual(followed.returncode, 0, followed.stderr)
            results = [message["result"]["result"] for message
                       in map(json.loads, followed.stdout.splitlines())
                       if "result" in message]
            self.assertEqual(len(results), 120)
            for result in results:
                self.assertEqual([i["objectId"] for i in result["instances"]],
                                 ["2", "7"])
            self.assertGreater(drawn.stat().st_size, 1000)
            # A click beside the first frame: told, and the video goes on.
            beside = run(*arguments, "--object", "7:9000,1")
            self.assertEqual(beside.returncode, 0, beside.stderr)
            self.assertIn("7: object.points[0] lies outside", beside.stderr)
            for wrong, words in ((("--object", "7"), "NUMBER:x,y"),
                                 (("--object", "7:1,1", "--text", "red"),
                                  "choose one")):
                refused = run(*arguments, *wrong)
                self.assertEqual(refused.returncode, 2)
                self.assertIn(words, refused.stderr)
        self.assertEqual(server.status, 0, server.log)

    def test_a_client_that_is_killed_leaves_one_line_and_nothing_else(self):
        with tempfile.TemporaryDirectory() as folder, RunningServer(
                *self.engine) as server:
            clip = pathlib.Path(folder) / "scene.mp4"
            self.assertEqual(run(CTL, "scene", str(clip)).returncode, 0)
            texts = [part for text in ("red", "blue", "green", "yellow")
                     for part in ("--text", text)]
            with subprocess.Popen(
                    [CTL, "stream", str(clip), "--server", server.address,
                     "--json", *texts], stdout=subprocess.PIPE,
                    text=True) as client:
                for line in client.stdout:
                    if "result" in json.loads(line):
                        break
                client.kill()
            log = [server.process.stderr.readline()]
            self.assertIn("stream_ended", log[0])
            self.assertIn("code=CANCELLED", log[0])
            # All that it held is given back.
            deadline = time.monotonic() + 10
            while True:
                numbers = urllib.request.urlopen(
                    f"http://{LOCAL}:{server.metrics}/metrics").read().decode()
                held = re.findall(
                    r"^(sam3_(?:streams_active|queue_jobs)) (?!0$)", numbers,
                    re.MULTILINE)
                if not held or time.monotonic() > deadline:
                    break
                time.sleep(0.05)
            self.assertEqual(held, [])
            self.assertIn("\nsam3_streams_active 0", numbers)
        self.assertEqual(server.status, 0, server.log)
        self.assertEqual([line for line in server.log if "stream_" in line], [])

    def test_starts_beside_libraries_with_large_thread_storage(self):
        if PRELOAD is None:
            self.skipTest("sanitizers must be loaded first")
        with RunningServer(*self.engine, LD_PRELOAD=PRELOAD) as server:
            self.assertIn("ready", server.log[-1])
            urllib.request.urlopen(
                f"http://{LOCAL}:{server.metrics}/metrics").read()
        self.assertEqual(server.status, 0, server.log)

    def test_a_port_in_use_is_one_clear_line(self):
        with RunningServer(*self.engine) as server:
            second = run(SERVER, *self.engine, "--listen", server.address,
                         "--health-listen", f"{LOCAL}:{free_port()}",
                         "--metrics-listen", f"{LOCAL}:{free_port()}",
                         "--http-listen", "none")
            self.assertEqual(second.returncode, 1)
            self.assertIn(server.address, second.stderr)
            self.assertIn("port is taken", second.stderr)
            for flag, port in (("--health-listen", server.health),
                               ("--metrics-listen", server.metrics),
                               ("--http-listen", server.http)):
                flags = {"--listen": f"{LOCAL}:0",
                         "--health-listen": f"{LOCAL}:0",
                         "--metrics-listen": f"{LOCAL}:0",
                         "--http-listen": f"{LOCAL}:0",
                         flag: f"{LOCAL}:{port}"}
                other = run(SERVER, *self.engine,
                            *(part for pair in flags.items() for part in pair))
                self.assertEqual(other.returncode, 1, flag)
                self.assertIn(str(port), other.stderr)
                self.assertRegex(other.stderr, "port is taken|already in use")

    def test_all_mistakes_are_told_at_once(self):
        bad = run(SERVER, "--listen", "nowhere", "--dtype", "int3",
                  "--metrics-listen", "0.0.0.0:9090", "--media-root",
                  "/nonexistent", "--threads", "-4", "--allow-url-host",
                  "https://a.example", "--allow-url-host", "*.b.example",
                  "--allow-url-cidr", "10.0.0.1/8", "--url-ca", "/none.pem")
        self.assertEqual(bad.returncode, 1)
        for part in ('"https://a.example"', '"10.0.0.1/8"', "/none.pem"):
            self.assertIn(part, bad.stderr)
        self.assertNotIn("b.example", bad.stderr)
        for part in ("--listen", "--dtype", "0.0.0.0:9090", "/nonexistent",
                     "--threads", "--insecure-no-auth"):
            self.assertIn(part, bad.stderr)

    def test_beyond_loopback_only_with_keys_and_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            keys = str(folder / "keys.json")
            made = run(CTL, "keys", "new", "--file", keys, "--id", "a")
            self.assertEqual(made.returncode, 0, made.stderr)
            cert, key = make_certificate(folder)
            public = ("--listen", "0.0.0.0:7001", "--check-config")
            tls = ("--tls-cert", cert, "--tls-key", key)
            for flags, missing in (
                    ((), ("--keys", "--plaintext")),
                    (("--keys", keys), ("--plaintext",)),
                    (tls, ("--keys",)),
                    ((*tls, "--insecure-no-auth"), ()),
                    (("--keys", keys, "--plaintext"), ()),
                    (("--keys", keys, *tls), ())):
                told = run(SERVER, *public, *flags)
                self.assertEqual(told.returncode, 1 if missing else 0,
                                 (flags, told.stderr))
                for part in ("--keys", "--plaintext"):
                    self.assertEqual(part in told.stderr, part in missing,
                                     (flags, told.stderr))
            # With keys, what needs none may be reached from elsewhere.
            other = run(SERVER, "--keys", keys, "--metrics-listen",
                        "0.0.0.0:9090", "--health-listen", "0.0.0.0:50052",
                        "--check-config")
            self.assertEqual(other.returncode, 0, other.stderr)
            (folder / "broken.json").write_text('{"keys": [\n{"id": 7}]}')
            bad = run(SERVER, "--keys", str(folder / "broken.json"),
                      "--tls-cert", keys, "--tls-key", key, "--plaintext")
            self.assertEqual(bad.returncode, 1)
            for part in ("broken.json: keys[0].id must be a string",
                         f"{keys} is no readable PEM certificate",
                         "--plaintext and --tls-cert exclude each other"):
                self.assertIn(part, bad.stderr)
            half = run(SERVER, "--tls-key", key)
            self.assertIn("both --tls-cert and --tls-key", half.stderr)
            printed = run(SERVER, "--keys", keys, *tls, "--print-config")
            (folder / "server.textproto").write_text(printed.stdout)
            again = run(SERVER, "--config", str(folder / "server.textproto"),
                        "--print-config")
            self.assertEqual(again.stdout, printed.stdout)
            self.assertIn("keys_file", again.stdout)
            self.assertIn("private_key_file", again.stdout)

    def test_a_resume_secret_needs_a_length(self):
        with tempfile.TemporaryDirectory() as folder:
            secret = pathlib.Path(folder) / "secret"
            flags = ("--resume-secret-file", str(secret))
            missing = run(SERVER, *flags, "--check-config")
            self.assertEqual(missing.returncode, 1)
            self.assertIn("--resume-secret-file", missing.stderr)
            secret.write_text("x" * 31 + "\n")
            short = run(SERVER, *flags, "--check-config")
            self.assertEqual(short.returncode, 1)
            self.assertIn("has 31 bytes", short.stderr)
            secret.write_text("x" * 32 + "\n")
            good = run(SERVER, *flags, "--print-config")
            self.assertEqual(good.returncode, 0, good.stderr)
            self.assertIn(f'resume_secret_file: "{secret}"', good.stdout)
            with RunningServer(*self.engine, *flags) as server:
                pass
            self.assertNotIn("resume_secret_random", "".join(server.log))
        with RunningServer(*self.engine) as server:
            pass
        log = "".join(server.log)
        self.assertEqual(log.count("resume_secret_random"), 1)
        self.assertIn("--resume-secret-file", log)

    def test_keys_are_made_listed_and_revoked(self):
        with tempfile.TemporaryDirectory() as folder:
            keys = str(pathlib.Path(folder) / "keys.json")
            plain = run(CTL, "keys", "new", "--file", keys, "--id", "cam-7")
            self.assertEqual(plain.returncode, 0, plain.stderr)
            self.assertRegex(plain.stdout,
                             r"^sk_cam-7_[0-9a-f]{40}_[0-9a-f]{8}\n$")
            self.assertIn("shown this once", plain.stderr)
            self.assertEqual(stat.S_IMODE(os.stat(keys).st_mode), 0o600)
            made = run(CTL, "keys", "new", "--file", keys, "--id", "lab",
                       "--scopes", "segment,info", "--expires", "2199-12-31",
                       "--limit", "requests_per_second=2.5", "--limit",
                       "streams=0", "--json")
            self.assertEqual(made.returncode, 0, made.stderr)
            key = json.loads(made.stdout)
            self.assertRegex(key.pop("key"), "^sk_lab_")
            self.assertEqual(key, {
                "id": "lab", "status": "active", "scopes": ["segment", "info"],
                "expires": "2199-12-31T00:00:00Z",
                "limits": {"requests_per_second": 2.5, "streams": 0}})
            self.assertEqual(
                run(CTL, "keys", "revoke", "--file", keys, "cam-7").returncode,
                0)
            listed = json.loads(
                run(CTL, "keys", "list", "--file", keys, "--json").stdout)
            self.assertEqual([(k["id"], k["status"]) for k in listed["keys"]],
                             [("cam-7", "revoked"), ("lab", "active")])
            self.assertEqual(listed["keys"][1], key)
            told = run(CTL, "keys", "list", "--file", keys).stdout
            self.assertRegex(told, r"(?m)^cam-7 +revoked +never +\* +none$")
            self.assertRegex(told, r"(?m)^lab +active +2199-12-31T00:00:00Z +"
                                   r"segment,info +requests_per_second=2\.5 "
                                   r"streams=0$")
            stored = pathlib.Path(keys).read_text()
            secret = plain.stdout.split("_")[2]
            for text in (stored, told, json.dumps(listed)):
                self.assertNotIn(secret, text)
            for mistake, part in (
                    (("new", "--id", "lab"), 'there is a key "lab" already'),
                    (("new", "--id", "La b"), "an id has 1 to 32"),
                    (("new", "--id", "b", "--scopes", "fly"), "a scope is one"),
                    (("new", "--id", "b", "--expires", "2020-01-01"),
                     "is over already"),
                    (("new", "--id", "b", "--expires", "soon"), "90d"),
                    (("new", "--id", "b", "--limit", "streams=x"),
                     "NAME=NUMBER"),
                    (("new", "--id", "b", "--limit", "speed=1"),
                     "known are requests_per_second"),
                    (("revoke", "nobody"), 'has no key "nobody"')):
                result = run(CTL, "keys", mistake[0], "--file", keys,
                             *mistake[1:])
                self.assertEqual(result.returncode, 2, mistake)
                self.assertIn(part, result.stderr)
            self.assertEqual(pathlib.Path(keys).read_text(), stored)
            pathlib.Path(keys).write_text(stored[:-20])
            broken = run(CTL, "keys", "new", "--file", keys, "--id", "c")
            self.assertEqual(broken.returncode, 2)
            self.assertRegex(broken.stderr, rf"{keys}: line \d+, column \d+")
            self.assertEqual(pathlib.Path(keys).read_text(), stored[:-20])

    def test_keys_and_tls_end_to_end(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            keys = str(folder / "keys.json")
            text = run(CTL, "keys", "new", "--file", keys, "--id",
                       "cam-7").stdout.strip()
            (folder / "cam-7.key").write_text(text + "\n")
            cert, private = make_certificate(folder)
            with RunningServer(*self.engine, "--keys", keys, "--tls-cert",
                               cert, "--tls-key", private) as server:
                info = (CTL, "info", "--server", server.address, "--tls-ca",
                        cert)
                asked = run(*info)
                self.assertEqual(asked.returncode, 3)
                self.assertIn("KEY_MISSING", asked.stderr)
                told = run(*info, env={"SAM3_API_KEY": text})
                self.assertEqual(told.returncode, 0, told.stderr)
                by_file = (*info, "--api-key-file", str(folder / "cam-7.key"))
                told = run(*by_file)
                self.assertEqual(told.returncode, 0, told.stderr)
                typo = run(*info, env={"SAM3_API_KEY": text[:-1]})
                self.assertEqual(typo.returncode, 2)
                self.assertIn("SAM3_API_KEY: the key is not whole", typo.stderr)
                examined = run(CTL, "doctor", "--server", server.address,
                               "--tls-ca", cert)
                self.assertRegex(examined.stdout, "ok +server .*asks for a key")
                self.assertEqual(
                    run(CTL, "info", "--server", server.address).returncode, 5)
                # The HTTP door asks for the same key behind the same TLS.
                door = f"https://localhost:{server.http}/sam3/embed_image"
                trusting = ssl.create_default_context(cafile=cert)
                for query, status in (("", 401), (f"?api_key={text}", 422)):
                    with self.assertRaises(urllib.error.HTTPError) as refused:
                        urllib.request.urlopen(door + query, data=b"{}",
                                               context=trusting)
                    self.assertEqual(refused.exception.code, status)
                numbers = urllib.request.urlopen(
                    f"http://{LOCAL}:{server.metrics}/metrics").read().decode()
                for line in ('sam3_key_refusals_total{reason="KEY_MISSING"} 3',
                             "sam3_keys 1", "sam3_keys_stale 0",
                             'sam3_insecure_option{name="plaintext"} 0'):
                    self.assertIn("\n" + line, numbers)
                revoked = run(CTL, "keys", "revoke", "--file", keys, "cam-7")
                self.assertEqual(revoked.returncode, 0)
                # Promised within two seconds of the change.
                deadline = time.monotonic() + 2
                while run(*by_file).returncode == 0:
                    self.assertLess(time.monotonic(), deadline)
                self.assertIn("KEY_REVOKED", run(*by_file).stderr)
            log = "".join(server.log)
            self.assertIn("keys_loaded", log)
            self.assertIn("key_refused", log)
            self.assertNotIn(text.split("_")[2], log)

    def test_a_key_does_not_leave_the_machine_unencrypted(self):
        with tempfile.TemporaryDirectory() as folder:
            keys = str(pathlib.Path(folder) / "keys.json")
            text = run(CTL, "keys", "new", "--file", keys, "--id",
                       "a").stdout.strip()
            # Nobody answers there (RFC 5737), and nobody is asked.
            far = run(CTL, "info", "--server", "192.0.2.1:50051",
                      env={"SAM3_API_KEY": text})
            self.assertEqual(far.returncode, 2)
            self.assertIn("add --tls", far.stderr)
            self.assertNotIn(text, far.stderr)

    def test_configuration_file_flags_win_and_print_round_trips(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "server.textproto"
            path.write_text('listen: "127.0.0.1:7001"\n'
                            'decode_in_process: true\n'
                            'limits { max_prompts: 3 batch_ms: 70 '
                            'min_stream_fps: 0.25 }\n'
                            'pinned_texts: "red circle"\n'
                            'http { compat: COMPAT_EXACT }\n'
                            'urls { allow_hosts: "a.example" allow_http: true '
                            'allow_cidrs: "10.1.0.0/16" }\n')
            printed = run(SERVER, "--config", str(path), "--listen",
                          "127.0.0.1:7002", "--allow-url-host", "*",
                          "--print-config")
            self.assertEqual(printed.returncode, 0, printed.stderr)
            self.assertIn('listen: "127.0.0.1:7002"', printed.stdout)
            self.assertIn("decode_in_process: true", printed.stdout)
            self.assertRegex(printed.stdout, r"max_prompts: 3")
            self.assertRegex(printed.stdout, r"batch_ms: 70")
            self.assertRegex(printed.stdout, r"min_stream_fps: 0.25")
            self.assertRegex(printed.stdout, r"max_calls_per_connection: 128")
            self.assertIn('pinned_texts: "red circle"', printed.stdout)
            self.assertIn("compat: COMPAT_EXACT", printed.stdout)
            self.assertIn('allow_hosts: "*"', printed.stdout)
            self.assertNotIn("a.example", printed.stdout)
            self.assertIn('allow_cidrs: "10.1.0.0/16"', printed.stdout)
            path.write_text(printed.stdout)
            again = run(SERVER, "--config", str(path), "--print-config")
            self.assertEqual(again.stdout, printed.stdout)
            checked = run(SERVER, "--config", str(path), "--check-config")
            self.assertEqual(checked.returncode, 0)
            path.write_text('pinned_texts: "a"\npinned_texts: " "\n'
                            'limits { min_stream_fps: -1 batch_ms: -1 }\n')
            wrong = run(SERVER, "--config", str(path), "--check-config")
            self.assertEqual(wrong.returncode, 1)
            for part in ("pinned_texts[1]",
                         "min_stream_fps must be above 0 and at most 1000, "
                         "is -1", "batch_ms must be"):
                self.assertIn(part, wrong.stderr)
            path.write_text("listen: 7\nnonsense")
            broken = run(SERVER, "--config", str(path))
            self.assertEqual(broken.returncode, 1)
            self.assertIn(str(path), broken.stderr)

    def test_exit_statuses_of_sam3ctl(self):
        with tempfile.TemporaryDirectory() as folder:
            scene = str(pathlib.Path(folder) / "scene.png")
            run(CTL, "scene", scene)
            nobody = f"{LOCAL}:{free_port()}"
            for status, command in (
                    (2, ("segment",)), (2, ("nonsense",)),
                    (2, ("segment", scene)),
                    (2, ("segment", "/nonexistent.png", "--text", "a")),
                    (2, ("segment", scene, "--box", "1,2,3")),
                    (5, ("segment", scene, "--text", "a", "--server",
                         nobody)),
                    (5, ("info", "--server", nobody)),
                    (0, ("--help",)), (0, ("segment", "--help"))):
                result = run(CTL, *command)
                self.assertEqual(result.returncode, status,
                                 (command, result.stderr))
            self.assertIn('no command "nonsense"',
                          run(CTL, "nonsense").stderr)
            with RunningServer(*self.engine) as server:
                refused = run(CTL, "segment", scene, "--text", "a",
                              "--threshold", "7", "--server", server.address)
                self.assertEqual(refused.returncode, 3)
                self.assertIn("score_threshold", refused.stderr)

    def test_explain_lists_tokens_of_every_line(self):
        with tempfile.TemporaryDirectory() as folder:
            texts = pathlib.Path(folder) / "texts.txt"
            texts.write_text("red circle\n" + "cat " * 40 + "\n")
            explained = run(CTL, "explain", "--texts-file", str(texts),
                            "--json")
            self.assertEqual(explained.returncode, 0, explained.stderr)
            first, second = map(json.loads, explained.stdout.splitlines())
            self.assertEqual(first["tokens"], [49406, 736, 7117, 49407])
            self.assertFalse(first["truncated"])
            self.assertEqual(len(second["tokens"]), 32)
            self.assertEqual(second["tokens"][-1], 49407)
            self.assertTrue(second["truncated"])

    def test_folders_that_are_no_model(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for name, text, part in (
                    (None, None, "is empty"),
                    ("sam3.pt", "PK", "sam3.pt, a PyTorch checkpoint"),
                    ("config.json", '{"model_type": "sam2"}',
                     "is a SAM 2 model"),
                    ("config.json", '{"model_type": "sam3"}',
                     "sam3.pt, a PyTorch archive")):
                if name is not None:
                    (folder / name).write_text(text)
                for status, command in ((3, (CTL, "verify", folder)),
                                        (1, (SERVER, "--model", folder))):
                    result = run(*map(str, command))
                    self.assertEqual(result.returncode, status)
                    self.assertIn(part, result.stderr)
                    self.assertIn(str(folder),
                                  result.stderr.splitlines()[-1])
            result = run(CTL, "verify", str(folder), "--images", str(folder))
            self.assertEqual(result.returncode, 2)
            self.assertIn("000000077595.jpg", result.stderr)

    def test_verify_counts_what_the_files_hold(self):
        if not TORCH:
            self.skipTest("needs libtorch")
        folder = (pathlib.Path(__file__).resolve().parents[2] /
                  "inference/demo_model")
        from safetensors.numpy import load_file
        tensors = load_file(folder / "model.safetensors")
        verified = run(CTL, "verify", str(folder), "--json")
        self.assertEqual(verified.returncode, 0, verified.stderr)
        facts = json.loads(verified.stdout)
        self.assertEqual(facts["tensorCount"], len(tensors))
        self.assertEqual(facts["parameterCount"],
                         sum(t.size for t in tensors.values()))
        self.assertEqual(facts["sizeBytes"],
                         sum(t.nbytes for t in tensors.values()))
        self.assertFalse(facts["publishedShape"])
        told = run(CTL, "verify", str(folder))
        self.assertIn(facts["fingerprint"], told.stdout)
        self.assertIn("none are published for a model of this size",
                      told.stdout)

    def test_doctor_finds_what_is_wrong(self):
        examined = json.loads(run(CTL, "doctor", "--json").stdout)
        findings = {f["subject"]: f for f in examined["findings"]}
        self.assertEqual(findings["model"]["verdict"],
                         "ok" if TORCH else "FAIL")
        self.assertRegex(findings["libraries"]["found"],
                         r"libtorch.*FFmpeg \S+\d.*gRPC \d")
        for subject in ("device", "memory", "port 50051", "port 50052",
                        "port 9090", "keys", "clock", "open files"):
            self.assertIn(subject, findings)
        nobody = f"{LOCAL}:{free_port()}"
        told = run(CTL, "doctor", "--server", nobody)
        self.assertEqual(told.returncode, 1)
        self.assertRegex(told.stdout,
                         f"FAIL +server +none answers at {nobody}")
        self.assertIn("-> start sam3-server there", told.stdout)
        with RunningServer(*self.engine) as server:
            told = run(CTL, "doctor", "--server", server.address)
            self.assertRegex(told.stdout,
                             f"ok +server .* answers at {server.address}")

    def test_info_tells_everything_to_people(self):
        with RunningServer(*self.engine) as server:
            told = run(CTL, "info", "--server", server.address)
            self.assertEqual(told.returncode, 0, told.stderr)
            for line in (r"version   \S+", r"model     .*parameters.*masks",
                         r"device    cpu \(.+\), fp32",
                         r"capacity  ([\d.]+ ms|not measured)",
                         r" +\d+ stream slots free",
                         r"limits    a picture: \d+ MB",
                         r" +a message: \d+ MB, a chunk \d+ MB"):
                self.assertRegex(told.stdout,
                                 re.compile(f"^{line}", re.MULTILINE))

    def test_every_help_has_an_example(self):
        commands = re.findall(r"^  (\w+) +[A-Z]", run(CTL, "--help").stdout,
                              re.MULTILINE)
        self.assertGreaterEqual(len(commands), 8)
        for command in commands:
            told = run(CTL, command, "--help").stdout
            self.assertRegex(told, rf"Examples?:\n  sam3ctl {command}")

    def test_tensors_are_written(self):
        if not TORCH:
            self.skipTest("needs libtorch")
        with tempfile.TemporaryDirectory() as folder:
            scene = str(pathlib.Path(folder) / "scene.png")
            out = str(pathlib.Path(folder) / "t.safetensors")
            run(CTL, "scene", scene)
            written = run(CTL, "tensors", scene, "--text", "star", "--out",
                          out)
            self.assertEqual(written.returncode, 0, written.stderr)
            from safetensors.numpy import load_file
            tensors = load_file(out)
            self.assertEqual(tensors["pred_masks"].shape, (36, 64, 64))
            self.assertEqual(tensors["pixel_values"].shape, (3, 224, 224))
            self.assertEqual(tensors["input_ids"][0], 49406)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
