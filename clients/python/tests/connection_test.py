"""Keys and encryption, against a server that is scripted."""

import pathlib
import subprocess
import tempfile
import unittest
import unittest.mock

import grpc
from scripted_server import ScriptedServer

from sam3_client import Client, Sam3Error, Tls


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


class TlsTest(unittest.TestCase):
    def test_both_sides_show_who_they_are(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            key, certificate = folder / "key.pem", folder / "certificate.pem"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                 "-keyout", key, "-out", certificate, "-subj", "/CN=test",
                 "-addext", "subjectAltName=IP:127.0.0.1"],
                check=True, capture_output=True)
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
