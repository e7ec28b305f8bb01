"""Errors and retries against a server that is scripted."""

import pathlib
import re
import tempfile
import unittest

import grpc
from scripted_server import ScriptedServer, failure

from sam3_client import Client, RetryPolicy, Sam3Error
from sam3_client._proto.sam3.v1 import segmentation_service_pb2 as service_pb2
from sam3_client._proto.sam3.v1 import segmentation_service_pb2_grpc as stubs
from sam3_client.retry import call_with_retries

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
OVERLOADED = failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", 0.05)
DRAINING = failure(grpc.StatusCode.UNAVAILABLE, "DRAINING", 0.05)
TOO_LARGE = failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "MEDIA_TOO_LARGE")


def published_errors():
    """(code, reason) of the table at the head of the service's proto."""
    text = (REPOSITORY / "proto/sam3/v1/segmentation_service.proto").read_text()
    head = text[:text.index("syntax =")]
    code = None
    for line in re.findall(r"^//   (.*)$", head, re.MULTILINE):
        # An explanation in brackets goes on on the next line.
        line = re.sub(r"\(.*|.*\)", "", line)
        named = re.match(r"([A-Z_]+)  +(.*)", line)
        if named:
            code, line = named.groups()
        for reason in re.findall(r"[A-Z][A-Z_]+", line):
            yield grpc.StatusCode[code], reason


class ErrorsTest(unittest.TestCase):
    def test_every_published_error_comes_through(self):
        errors = list(published_errors())
        self.assertGreaterEqual(len(errors), 18)
        self.assertIn((grpc.StatusCode.NOT_FOUND, "PROMPT_NOT_FOUND"), errors)
        script = [failure(code, reason) for code, reason in errors]
        with ScriptedServer(script) as server, Client(server.address) as client:
            for code, reason in errors:
                with self.subTest(reason):
                    with self.assertRaises(Sam3Error) as caught:
                        client.info()
                    error = caught.exception
                    self.assertEqual(error.code, code)
                    self.assertEqual(error.reason, reason)
                    self.assertEqual(error.message, f"because of {reason}")
                    self.assertEqual(error.metadata, {"limit": "7"})
                    self.assertIsNone(error.retry_after)
                    self.assertIn(reason, str(error))
            self.assertEqual(client.info().version, "scripted")
        self.assertEqual(len(server.times), len(errors) + 1)

    def test_an_error_without_details_is_told_as_it_is(self):
        with ScriptedServer() as server, Client(server.address) as client:
            with self.assertRaises(Sam3Error) as caught:
                client.explain("red")
        self.assertEqual(caught.exception.code, grpc.StatusCode.UNIMPLEMENTED)
        self.assertEqual(caught.exception.reason, "")

    def test_nobody_there_is_not_repeated(self):
        with ScriptedServer() as server:
            pass
        with Client(server.address) as client:
            with self.assertRaises(Sam3Error) as caught:
                client.info()
        self.assertEqual(caught.exception.code, grpc.StatusCode.UNAVAILABLE)
        self.assertIsNone(caught.exception.retry_after)


class RetryTest(unittest.TestCase):
    def test_waits_as_long_as_it_is_told(self):
        with ScriptedServer([OVERLOADED, DRAINING]) as server, Client(
                server.address) as client:
            self.assertEqual(client.info().version, "scripted")
        self.assertEqual(len(server.times), 3)
        for before, after in zip(server.times, server.times[1:]):
            self.assertGreaterEqual(after - before, 0.05)

    def test_gives_up_after_the_last_attempt(self):
        with ScriptedServer([OVERLOADED] * 9) as server, Client(
                server.address, retry=RetryPolicy(max_attempts=3)) as client:
            with self.assertRaises(Sam3Error) as caught:
                client.info()
        self.assertEqual(len(server.times), 3)
        self.assertEqual(caught.exception.reason, "OVERLOADED")
        self.assertAlmostEqual(caught.exception.retry_after, 0.05)

    def test_does_not_wait_beyond_its_time(self):
        patient = failure(grpc.StatusCode.UNAVAILABLE, "DRAINING", 3600)
        for options in ({"timeout": 5}, {"timeout": None},
                        {"retry": RetryPolicy(max_seconds=3)}):
            with self.subTest(options), ScriptedServer(
                    [patient] * 2) as server, Client(server.address,
                                                     **options) as client:
                with self.assertRaises(Sam3Error) as caught:
                    client.info()
                self.assertEqual(len(server.times), 1)
                self.assertEqual(caught.exception.retry_after, 3600)

    def test_the_timeout_counts_over_all_attempts(self):
        left = []
        with ScriptedServer([OVERLOADED] * 2) as server, grpc.insecure_channel(
                server.address) as channel:
            stub = stubs.SegmentationServiceStub(channel)

            def attempt(seconds):
                left.append(seconds)
                stub.GetServerInfo(service_pb2.GetServerInfoRequest(),
                                   timeout=seconds)

            call_with_retries(attempt, RetryPolicy(), 50)
        self.assertEqual(len(left), 3)
        self.assertLessEqual(left[0], 50)
        for before, after in zip(left, left[1:]):
            self.assertLessEqual(after, before - 0.05)

    def test_repeats_nothing_else(self):
        for status in (TOO_LARGE,
                       failure(grpc.StatusCode.UNAVAILABLE, "DEVICE_LOST"),
                       failure(grpc.StatusCode.INTERNAL, "ENGINE_FAILURE",
                               0.01)):
            with ScriptedServer([status]) as server, Client(
                    server.address) as client:
                with self.assertRaises(Sam3Error):
                    client.info()
                self.assertEqual(len(server.times), 1)

    def test_a_stream_is_not_repeated(self):
        with ScriptedServer([OVERLOADED]) as server, Client(
                server.address) as client:
            with self.assertRaises(Sam3Error) as caught:
                list(client.stream([], "red"))
        self.assertEqual(len(server.times), 1)
        self.assertAlmostEqual(caught.exception.retry_after, 0.05)

    def test_an_upload_is_repeated_whole(self):
        with tempfile.NamedTemporaryFile() as file, ScriptedServer(
                [OVERLOADED]) as server, Client(server.address) as client:
            data = bytes(range(256)) * 4096
            file.write(data)
            file.flush()
            client.upload(file.name)
        self.assertEqual(server.uploads, [data, data])


if __name__ == "__main__":
    unittest.main(verbosity=2)
