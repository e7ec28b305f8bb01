"""Tries to make the server fetch what it must not, in a network of its own.

    python tests/e2e/ssrf_test.py SAM3_SERVER URL_DRIVER

Runs itself again in a network namespace that has nothing but a loopback device,
on which every address of the world is local: a defence that fails reaches the
decoy of this test and nothing else, and the kernel counts the packets. Exit
status 77, after a line that says why, where such a namespace cannot be made.
"""

import collections
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request
import zlib

SERVER, DRIVER = sys.argv[1:3]
INSIDE = "--inside" in sys.argv
SKIPPED = 77

NAME_SERVER = "9.9.9.9"
PUBLIC, PUBLIC6 = "93.184.216.34", "2606:2800:220:1::1"
METADATA = "169.254.169.254"
ALLOWED, REFUSED = 0, 7  # gRPC's OK and PERMISSION_DENIED
FAILED_PRECONDITION = 9

FORBIDDEN4 = """0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16
    172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16
    198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
    168.63.129.16/32""".split()
FORBIDDEN6 = """::/96 ::ffff:0:0/96 64:ff9b::/32 100::/64 2001::/23
    2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10
    ff00::/8""".split()

# Hosts that lead inside, however they are written.
HOSTS = """127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1
    017700000001 127.0.0.1. 127.255.255.254 0.0.0.0 0 10.0.0.1 10.255.255.255
    167772161 0x0a000001 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254
    2852039166 0xa9fea9fe 0251.0376.0251.0376 100.64.0.1 100.100.100.200
    192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 203.0.113.1
    224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 168.63.129.16 [::1] [::]
    [::ffff:127.0.0.1] [::ffff:a9fe:a9fe] [::127.0.0.1] [64:ff9b::7f00:1]
    [64:ff9b::a9fe:a9fe] [64:ff9b:1::a00:1] [2002:7f00:1::] [2002:a9fe:a9fe::1]
    [2001:0:7f00:1::] [2001:db8::1] [fc00::1] [fd00:ec2::254] [fe80::1] [fec0::1]
    [ff02::1] localhost LOCALHOST. inside.test inside6.test mapped.test
    nat64.test zero.test mixed.test mixed6.test cname.test
    a.cname.test""".split()
# Ways to write URLs that parsers disagree about, and what is not http.
URLS = [
    "http://user@10.0.0.1/", "http://public.test@10.0.0.1/",
    "http://10.0.0.1#@public.test/", "http://10.0.0.1?@public.test/",
    "http://10.0.0.1\\@public.test/", "http://public.test\\@10.0.0.1/",
    "http:\\\\10.0.0.1/", "http:/10.0.0.1/", "http:10.0.0.1", "//10.0.0.1/",
    "http:///10.0.0.1/", "http://10.0.0.1\t/", "http://public.test/\r\nX: y",
    "http://public.test /", " http://public.test/", "http://127。0。0。1/",
    "http://１２７.0.0.1/", "http://%31%30.0.0.1/", "http://[fe80::1%25lo]/",
    "http://public.test:0/", "http://public.test:22/", "http://public.test:25/",
    "http://public.test:65536/", "http://public.test:443/",
    "https://public.test:80/", "http://10.0.0.1:6379/", "file:///etc/passwd",
    "ftp://10.0.0.1/", "gopher://10.0.0.1:80/_x", "dict://10.0.0.1:80/x",
    "data:image/png;base64,AAAA", "concat:http://10.0.0.1/",
    "subfile,,start,0,end,1,,:/etc/passwd", "crypto:http://10.0.0.1/",
    "tee:/tmp/x", "rtmp://10.0.0.1/", "udp://10.0.0.1:80", "unix:///run/x",
    "http+unix://%2frun%2fx/", "/etc/passwd", "a.png", "..", "http://",
    "http://.", "http://a..test/", "http://1.2.3.4.5/", "http://256.1.1.1/"]


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True,
                          text=True).stdout


def enter_namespace() -> int:
    """Runs this file again inside; its exit status."""
    for tool in ("unshare", "ip", "nft", "openssl"):
        if shutil.which(tool) is None:
            print(f"skipped: {tool} is not installed (see scripts/deps)")
            return SKIPPED
    enter = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        enter.append("--map-root-user")
    check = "ip link set lo up && nft add table inet probe"
    tried = subprocess.run([*enter, "sh", "-c", check], capture_output=True,
                           text=True)
    if tried.returncode != 0:
        print("skipped: no network namespace can be made here "
              f"({tried.stderr.strip()})")
        return SKIPPED
    return subprocess.run(
        [*enter, sys.executable, __file__, SERVER, DRIVER,
         "--inside"]).returncode


class Guard:
    """Counts packets that leave for places that nobody may go to."""

    def __init__(self):
        rules = "table inet guard {\n"
        for family, ranges in (("ip", FORBIDDEN4), ("ip6", FORBIDDEN6)):
            rules += f" counter {family}_hits {{}}\n"
        rules += " chain out { type filter hook output priority 0;\n"
        for family, ranges in (("ip", FORBIDDEN4), ("ip6", FORBIDDEN6)):
            for each in ranges:
                rules += f"  {family} daddr {each} counter name {family}_hits\n"
        subprocess.run(["nft", "-f", "-"], input=rules + " }\n}\n", text=True,
                       check=True)

    def packets(self) -> list[int]:
        listed = json.loads(run("nft", "-j", "list", "counters"))["nftables"]
        return [entry["counter"]["packets"] for entry in listed
                if "counter" in entry]

    def reset(self):
        run("nft", "reset", "counters")


class NameServer(threading.Thread):
    """Answers for *.test, from a table, as long as the test lasts."""

    TABLE = {
        "public.test": ([PUBLIC], [PUBLIC6]), "other.test": ([PUBLIC], []),
        "inside.test": (["10.0.0.1"], []), "inside6.test": ([], ["::1"]),
        "mapped.test": ([], ["::ffff:10.0.0.1"]),
        "nat64.test": ([], ["64:ff9b::a00:1"]),
        "zero.test": (["0.0.0.0"], []),
        "mixed.test": ([PUBLIC, "10.0.0.1"], []),
        "mixed6.test": ([PUBLIC], ["fd00:ec2::254"]),
        "metadata.test": ([METADATA], []),
    }
    ALIASES = {"cname.test": "metadata.test", "a.cname.test": "cname.test"}

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((NAME_SERVER, 53))
        self.asked = collections.Counter()
        self.start()

    @staticmethod
    def encode(name: str) -> bytes:
        return b"".join(bytes([len(label)]) + label.encode()
                        for label in name.split(".")) + b"\0"

    def addresses(self, name: str, kind: int) -> list[bytes]:
        if name == "flip.test":  # whoever asks twice is led inside
            v4, v6 = ([PUBLIC if self.asked[name, kind] == 1 else METADATA], [])
        else:
            v4, v6 = self.TABLE.get(name, ([], []))
        if kind == 1:
            return [socket.inet_pton(socket.AF_INET, a) for a in v4]
        return [socket.inet_pton(socket.AF_INET6, a) for a in v6]

    def run(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            name = ".".join(labels).lower()
            kind = struct.unpack(">H", query[at + 1:at + 3])[0]
            self.asked[name, kind] += 1
            if name == "hang.test":
                continue
            answers = []
            while name in self.ALIASES:
                target = self.encode(self.ALIASES[name])
                answers.append(self.encode(name) + struct.pack(
                    ">HHIH", 5, 1, 0, len(target)) + target)
                name = self.ALIASES[name]
            for address in self.addresses(name, kind):
                answers.append(self.encode(name) + struct.pack(
                    ">HHIH", kind, 1, 0, len(address)) + address)
            known = (name in self.TABLE or name == "flip.test")
            head = query[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183,
                                           1, len(answers), 0, 0)
            self.socket.sendto(head + query[12:at + 5] + b"".join(answers),
                               client)


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))
    rows = (b"\0" + b"\xff\0\0" * 8) * 8
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Decoy(http.server.ThreadingHTTPServer):
    """Serves a picture at every address there is, and sends readers on."""

    address_family = socket.AF_INET6

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.visits.append(
                self.connection.getsockname()[0].removeprefix("::ffff:"))
            if self.path.startswith("/to/"):
                self.send_response_only(302)
                self.send_header("Location",
                                 urllib.parse.unquote(self.path[4:]))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = png()
            self.send_response_only(200)
            self.send_header("Refresh", f"0; url=http://{METADATA}/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def __init__(self, port: int, tls: ssl.SSLContext | None = None):
        super().__init__(("::", port), self.Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.visits = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, *_):
        pass  # clients that do not like the certificate


def make_certificates(folder: pathlib.Path) -> ssl.SSLContext:
    (folder / "san").write_text("subjectAltName=DNS:public.test")
    for command in (
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem "
            "-days 2 -subj /CN=ca", "req -newkey rsa:2048 -nodes -keyout "
            "web.key -out web.csr -subj /CN=public.test",
            "x509 -req -in web.csr -CA ca.pem -CAkey ca.key -CAcreateserial "
            "-out web.pem -days 2 -extfile san"):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True,
                       capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "web.pem", folder / "web.key")
    return context


class RunningServer:
    """A server that is ready, on a socket that needs no network."""

    def __init__(self, folder: pathlib.Path, *flags: str):
        self.address = f"unix:{folder}/server.sock"
        self.metrics = 9090
        environment = {**os.environ, "HOME": str(folder),
                       "http_proxy": "http://10.0.0.1",
                       "https_proxy": "http://10.0.0.1",
                       "ALL_PROXY": "http://10.0.0.1"}
        self.process = subprocess.Popen(
            [SERVER, "--fake-engine", "--listen", self.address,
             "--health-listen", "127.0.0.1:50052", "--metrics-listen",
             f"127.0.0.1:{self.metrics}", *flags], stderr=subprocess.PIPE,
            text=True, env=environment)
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            if " ready listen=" in line:
                break

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.log += self.process.stderr.readlines()
        self.process.stderr.close()
        self.process.wait(timeout=60)

    def fetch(self, urls: list[str]) -> list[dict]:
        told = subprocess.run(
            [DRIVER, self.address], capture_output=True, text=True, check=True,
            input="".join(json.dumps(url) + "\n" for url in urls))
        return [json.loads(line) for line in told.stdout.splitlines()]


class SsrfTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        for command in ("ip link set lo up",
                        "ip route add local 0.0.0.0/0 dev lo",
                        "ip -6 route add local ::/0 dev lo",
                        f"ip -6 addr add {PUBLIC6}/128 dev lo nodad"):
            run(*command.split())
        resolv = cls.folder / "resolv.conf"
        resolv.write_text(f"nameserver {NAME_SERVER}\n")
        run("mount", "--bind", str(resolv), os.path.realpath("/etc/resolv.conf"))
        tls = make_certificates(cls.folder)
        (cls.folder / ".netrc").write_text("default login u password p\n")
        cls.names = NameServer()
        cls.web, cls.tls_web = Decoy(80), Decoy(443, tls)
        cls.guard = Guard()
        cls.flags = ("--allow-url-host", "*", "--allow-url-http", "--url-ca",
                     str(cls.folder / "ca.pem"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.guard.reset()
        self.web.visits.clear()
        self.tls_web.visits.clear()

    def test_the_decoys_answer_and_the_guard_counts(self):
        for host in ("10.0.0.1", METADATA, "[fd00:ec2::254]"):
            got = urllib.request.build_opener(
                urllib.request.ProxyHandler({})).open(f"http://{host}/").read()
            self.assertEqual(got, png())
        for packets in self.guard.packets():
            self.assertGreater(packets, 0)

    def test_nothing_leads_inside(self):
        direct = [f"{scheme}://{host}/" for host in HOSTS
                  for scheme in ("http", "https")] + URLS
        self.assertGreaterEqual(len(direct), 80)
        # A place that is refused when asked for is refused to redirects too.
        onward = ["http://public.test/to/" + urllib.parse.quote(url, safe="")
                  for url in direct
                  if url.isascii() and url == url.strip() and "\r" not in url]
        with RunningServer(self.folder, *self.flags) as server:
            for url, told in zip(direct + onward, server.fetch(direct + onward),
                                 strict=True):
                if "/to/" in url and told["code"] == ALLOWED:
                    # Relative, and so a page of the same host.
                    self.assertIn(urllib.parse.unquote(url.split("/to/")[1]),
                                  ("/etc/passwd", "a.png", ".."))
                    continue
                self.assertEqual((told["code"], told["reason"]),
                                 (REFUSED, "SOURCE_NOT_ALLOWED"), (url, told))
                rule = told["message"].rsplit(": ", 1)[-1]
                self.assertNotRegex(rule, r"\d+\.\d+|::", url)
            self.assertEqual(self.guard.packets(), [0, 0])
            metrics = urllib.request.build_opener(
                urllib.request.ProxyHandler({})).open(
                    f"http://127.0.0.1:{server.metrics}/metrics").read().decode()
        self.assertLessEqual(set(self.web.visits), {PUBLIC, PUBLIC6})
        self.assertEqual(self.tls_web.visits, [])
        for rule in ("syntax", "scheme", "port", "address"):
            self.assertRegex(metrics, r'sam3_ssrf_blocked_total\{rule="' + rule +
                             r'"\} [1-9]')
        self.assertIn('sam3_insecure_option{name="url_http"} 1', metrics)
        self.assertIn('sam3_insecure_option{name="url_cidr"} 0', metrics)

    def test_what_is_public_is_fetched(self):
        urls = ["http://public.test/a.png", "https://public.test/a.png?t=hunter2",
                f"http://{PUBLIC}/", f"http://[{PUBLIC6}]/",
                "http://public.test/to/https%3A%2F%2Fpublic.test%2Fa.png"]
        with RunningServer(self.folder, *self.flags) as server:
            for url, told in zip(urls, server.fetch(urls), strict=True):
                self.assertEqual((told["code"], told["width"]), (ALLOWED, 8),
                                 (url, told))
            # The certificate is for another name.
            other, unknown = server.fetch(["https://other.test/?t=hunter2",
                                           "https://none.test/?t=hunter2"])
            self.assertEqual((other["code"], other["reason"]),
                             (FAILED_PRECONDITION, "MEDIA_UNREACHABLE"), other)
            self.assertIn("certificate", other["message"])
            self.assertIn("unknown", unknown["message"])
            self.assertNotIn("hunter2", other["message"] + unknown["message"])
        self.assertNotIn("hunter2", "".join(server.log))
        self.assertEqual(self.guard.packets(), [0, 0])

    def test_certificates_are_checked(self):
        with RunningServer(self.folder, "--allow-url-host", "*") as server:
            told, = server.fetch(["https://public.test/a.png"])
        self.assertEqual(told["reason"], "MEDIA_UNREACHABLE")
        self.assertIn("certificate", told["message"])
        self.assertEqual(self.tls_web.visits, [])

    def test_a_name_that_changes_its_mind(self):
        self.names.asked.clear()
        with RunningServer(self.folder, *self.flags) as server:
            first, second = server.fetch(["http://flip.test/a.png"] * 2)
        self.assertEqual(first["code"], ALLOWED, first)
        self.assertEqual(second["reason"], "SOURCE_NOT_ALLOWED", second)
        self.assertEqual(self.names.asked["flip.test", 1], 2)
        self.assertEqual(self.web.visits, [PUBLIC])
        self.assertEqual(self.guard.packets(), [0, 0])

    def test_a_name_server_that_is_silent(self):
        with RunningServer(self.folder, *self.flags) as server:
            begin = time.monotonic()
            told, = server.fetch(["http://hang.test/a.png"])
            self.assertLess(time.monotonic() - begin, 11)
        self.assertEqual(told["reason"], "MEDIA_UNREACHABLE", told)

    def test_an_operator_can_open_a_network(self):
        with RunningServer(self.folder, *self.flags, "--allow-url-cidr",
                           "10.0.0.0/24") as server:
            inside, beyond = server.fetch(["http://inside.test/a.png",
                                           "http://10.0.1.1/a.png"])
        self.assertEqual(inside["code"], ALLOWED, inside)
        self.assertEqual(beyond["reason"], "SOURCE_NOT_ALLOWED")
        self.assertEqual(self.web.visits, ["10.0.0.1"])
        self.assertGreater(self.guard.packets()[0], 0)


if not INSIDE:
    sys.exit(enter_namespace())
unittest.main(argv=sys.argv[:1], verbosity=2)
