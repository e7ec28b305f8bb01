"""Keys and encryption, against a scripted server and the real one."""

import os
import pathlib
import subprocess
import tempfile
import unittest
import unittest.mock

import grpc
from running_server import RunningServer, draw
from scripted_server import ScriptedServer

from sam3_client import Client, RetryPolicy, Sam3Error, Tls


class KeyTest(unittest.TestCase):
    def test_is_sent_with_every_call(self):
        with ScriptedServer() as server, Client(
                server.address, api_key="sesame") as client:
            client.info()
            list(client.stream([], "red"))
        self.assertEqual([call.get("x-api-key") for call in server.metadata],
                         ["sesame"] * 2)

    def test_comes_from_the_environment(self):
        with unittest.mock.patch.dict("os.environ", SAM3_API_KEY="sesame\n"):
            with ScriptedServer() as server, Client(server.address) as client:
                client.info()
            with ScriptedServer() as other, Client(other.address,
                                                   api_key="") as client:
                client.info()
        self.assertEqual(server.metadata[0].get("x-api-key"), "sesame")
        self.assertNotIn("x-api-key", other.metadata[0])

    def test_does_not_leave_the_machine_unencrypted(self):
        for address in ("192.0.2.1:50051", "example.com:50051",
                        "dns:///example.com:50051"):
            with self.assertRaisesRegex(ValueError, "unencrypted"):
                Client(address, api_key="sesame")
            Client(address).close()
            Client(address, api_key="sesame", tls=False).close()
            Client(address, api_key="sesame", tls=True).close()
        for address in ("localhost:1", "127.0.0.1:1", "[::1]:1",
                        "unix:/tmp/x"):
            Client(address, api_key="sesame").close()


def make_certificate(folder: str):
    """Paths of a private key and a certificate of this machine."""
    key, certificate = (pathlib.Path(folder) / name
                        for name in ("key.pem", "certificate.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
         key, "-out", certificate, "-subj", "/CN=test", "-addext",
         "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return key, certificate


class TlsTest(unittest.TestCase):
    def test_both_sides_show_who_they_are(self):
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = make_certificate(folder)
            credentials = grpc.ssl_server_credentials(
                [(key.read_bytes(), certificate.read_bytes())],
                certificate.read_bytes(), require_client_auth=True)
            files = Tls(str(certificate), str(certificate), str(key))
            with ScriptedServer(credentials=credentials) as server:
                with Client(server.address, tls=files,
                            api_key="sesame") as client:
                    self.assertEqual(client.info().version, "scripted")
                for tls in (False, True, Tls(str(certificate))):
                    with Client(server.address, tls=tls) as client:
                        with self.assertRaises(Sam3Error) as caught:
                            client.info(timeout=5)
                        self.assertEqual(caught.exception.code,
                                         grpc.StatusCode.UNAVAILABLE)


class RealServerTest(unittest.TestCase):
    def test_keys_and_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            private_key, certificate = make_certificate(folder)
            file = pathlib.Path(folder) / "keys.json"

            def make_key(*flags):
                return subprocess.run(
                    [os.environ["SAM3CTL"], "keys", "new", "--file", file,
                     *flags], check=True, capture_output=True,
                    text=True).stdout

            whole = make_key("--id", "whole")
            info_only = make_key("--id", "info", "--scopes", "info", "--limit",
                                 "requests_per_second=2", "--limit", "burst=1")
            with RunningServer("--keys", str(file), "--tls-cert",
                               str(certificate), "--tls-key",
                               str(private_key)) as server:
                tls = Tls(str(certificate))
                with server.client(api_key=whole, tls=tls) as client:
                    found = client.segment(draw(red=(10, 16, 60, 64)), "red")
                    self.assertEqual(len(found.instances), 1)
                # The second call comes before its time and is repeated.
                with server.client(api_key=info_only, tls=tls) as client:
                    for _ in range(2):
                        client.info()
                    self.assertEqual(
                        self.reason(lambda: client.explain("red")),
                        (grpc.StatusCode.PERMISSION_DENIED, "KEY_SCOPE"))
                with server.client(
                        api_key=info_only, tls=tls,
                        retry=RetryPolicy(max_attempts=1)) as client:
                    reasons = {self.reason(lambda: [client.info()
                                                    for _ in range(9)])}
                    self.assertEqual(reasons, {
                        (grpc.StatusCode.RESOURCE_EXHAUSTED, "KEY_LIMIT")})
                for key, reason in (("", "KEY_MISSING"),
                                    ("sesame", "KEY_INVALID")):
                    with server.client(api_key=key, tls=tls) as client:
                        self.assertEqual(
                            self.reason(client.info),
                            (grpc.StatusCode.UNAUTHENTICATED, reason))

    def reason(self, call):
        with self.assertRaises(Sam3Error) as caught:
            call()
        return caught.exception.code, caught.exception.reason


if __name__ == "__main__":
    unittest.main(verbosity=2)
