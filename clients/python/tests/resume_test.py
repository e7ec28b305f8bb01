"""Streams that go on with another server: the client's part, against a server
that does as it is told, and against real ones."""

import datetime
import os
import signal
import tempfile
import threading
import time
import unittest
from concurrent import futures

import grpc
from running_server import RunningServer, draw
from scripted_server import failure

from sam3_client import (Client, Frame, FrameRefused, FrameResult, GoingAway,
                         PromptsUpdated, Sam3Error, StreamStarted,
                         StreamSummary, encode_picture)
from sam3_client._proto.sam3.v1 import segmentation_service_pb2_grpc as stubs
from sam3_client._proto.sam3.v1 import stream_pb2

Response = stream_pb2.SegmentStreamResponse
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
FILES = [encode_picture(draw(red=(8 + x, 8, 40 + x, 40))) for x in range(30)]


def started(**resumed):
    message = Response()
    message.started.stream_id = "s"
    if resumed:
        message.started.resumed.object_count = resumed["objects"]
    return message


def answer(index):
    message = Response()
    message.result.frame_index = index
    message.result.last_in_frame = True
    message.result.start_offset.FromMilliseconds(40 * index)
    return message


def refusal(index, reason="DRAINING"):
    message = Response()
    message.refused.frame_index = index
    message.refused.status.CopyFrom(failure(UNAVAILABLE, reason))
    return message


def going_away(token):
    message = Response()
    message.going_away.within.seconds = 10
    message.going_away.resume_token = token
    return message


def summary(frames_in, answered, refused, token=b""):
    message = Response()
    message.summary.frames_in_count = frames_in
    message.summary.answered_count = answered
    message.summary.refused_count = refused
    message.summary.resume_token = token
    return message


class Conversations(stubs.SegmentationServiceServicer):
    """Plays one function a call: it gets the configuration, the requests, and
    the call's context, and yields responses."""

    def __init__(self, *calls):
        self.calls = list(calls)
        self.configs = []
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        stubs.add_SegmentationServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.client = Client(f"127.0.0.1:{port}")
        self._server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self._server.stop(None)

    def SegmentStream(self, requests, context):
        self.configs.append(next(requests).config)
        yield from self.calls.pop(0)(requests, context)


def fail(context, code, reason):
    status = failure(code, reason)
    context.set_trailing_metadata((
        ("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, status.message)


class ScriptedTest(unittest.TestCase):
    def test_what_was_not_answered_is_sent_to_the_next(self):
        sent = []

        def first(requests, context):
            yield started()
            for index in range(3):
                next(requests)
                yield answer(index)
            yield going_away(b"early")
            # Frame 3 comes too late; what else is under way is not looked at.
            next(requests)
            yield refusal(3)
            yield summary(4, 3, 1, b"late")
            fail(context, UNAVAILABLE, "DRAINING")

        def second(requests, context):
            yield started(objects=2)
            for index, request in enumerate(requests):
                sent.append(request.frame.content)
                yield answer(index)
            yield summary(len(sent), len(sent), 0)

        with Conversations(first, second) as server:
            events = list(server.client.stream(iter(FILES[:20]), "red",
                                               track=True))
        frames = [e for e in events if isinstance(e, FrameResult)]
        self.assertEqual([f.frame_index for f in frames], list(range(20)))
        self.assertEqual(sent, FILES[3:20])
        self.assertEqual([e.resumed_objects for e in events
                          if isinstance(e, StreamStarted)], [None, 2])
        self.assertEqual(events[-1], StreamSummary(20, 20, {}, 0))
        for kind in (GoingAway, FrameRefused):
            self.assertFalse([e for e in events if isinstance(e, kind)])
        offsets = [f.start_offset for f in frames]
        self.assertEqual(offsets, sorted(offsets))
        opened, resumed = server.configs
        self.assertEqual([p.text for p in opened.prompts], ["red"])
        self.assertFalse(opened.resume_token)
        self.assertFalse(resumed.prompts)
        self.assertEqual(resumed.resume_token, b"late")
        self.assertEqual(resumed.task, stream_pb2.StreamConfig.TASK_TRACK)

    def test_a_call_that_is_cut_goes_on_with_the_notice(self):
        def first(requests, context):
            yield started()
            next(requests)
            yield answer(0)
            yield going_away(b"early")
            fail(context, UNAVAILABLE, "")

        def unreachable(requests, context):
            fail(context, UNAVAILABLE, "")
            yield

        def full(requests, context):
            fail(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
            yield

        def last(requests, context):
            yield started(objects=1)
            count = -1
            for count, _ in enumerate(requests):
                yield answer(count)
            yield summary(count + 1, count + 1, 0)

        with Conversations(first, unreachable, full, last) as server:
            events = list(server.client.stream(iter(FILES), "red",
                                               track=True))
        self.assertEqual([e.frame_index for e in events
                          if isinstance(e, FrameResult)],
                         list(range(len(FILES))))
        self.assertEqual({c.resume_token for c in server.configs[1:]},
                         {b"early"})
        self.assertEqual(events[-1].frames_in, len(FILES))

    def test_a_token_that_nobody_takes_is_an_error(self):
        def first(requests, context):
            yield started()
            yield going_away(b"token")
            yield summary(0, 0, 0, b"token")

        def refuses(requests, context):
            fail(context, grpc.StatusCode.FAILED_PRECONDITION,
                 "RESUME_REJECTED")
            yield

        with Conversations(first, refuses) as server:
            with self.assertRaises(Sam3Error) as caught:
                list(server.client.stream(iter(FILES), "red", track=True))
        self.assertEqual(caught.exception.reason, "RESUME_REJECTED")

    def test_who_has_nothing_more_to_send_is_done(self):
        def only(requests, context):
            yield started()
            for index, _ in enumerate(requests):
                yield answer(index)
            yield going_away(b"token")
            yield summary(3, 3, 0, b"token")
            fail(context, UNAVAILABLE, "DRAINING")

        with Conversations(only) as server:
            stream = server.client.stream(iter(FILES[:3]), "red", track=True)
            events = list(stream)
        self.assertEqual(events[-1], StreamSummary(3, 3, {}, 0))
        self.assertEqual(stream.summary, events[-1])

    def test_an_address_goes_on_unless_its_source_has_ended(self):
        def cut(requests, context):
            yield started()
            yield answer(0)
            yield going_away(b"early")
            yield answer(1)
            yield summary(2, 2, 0, b"late")
            fail(context, UNAVAILABLE, "DRAINING")

        def ends(requests, context):
            yield started(objects=1)
            yield answer(0)
            yield going_away(b"again")
            yield summary(1, 1, 0, b"again")

        with Conversations(cut, ends) as server:
            events = list(server.client.stream("http://camera/", "red",
                                               track=True))
        self.assertEqual(len(server.configs), 2)
        self.assertEqual(server.configs[1].url, "http://camera/")
        self.assertEqual(server.configs[1].resume_token, b"late")
        self.assertEqual([e.frame_index for e in events
                          if isinstance(e, FrameResult)], [0, 1, 2])
        self.assertEqual(events[-1], StreamSummary(3, 3, {}, 0))

    def test_prompts_that_change_meanwhile_go_to_the_next(self):
        seen = []
        told = threading.Event()
        changed = threading.Event()

        def first(requests, context):
            yield started()
            yield going_away(b"token")
            told.set()
            changed.wait(10)
            yield summary(0, 0, 0, b"token")

        def second(requests, context):
            yield started(objects=0)
            for request in requests:
                if request.HasField("prompt_update"):
                    seen.extend(p.text for p in request.prompt_update.add)
                    message = Response()
                    message.prompts_updated.effective_frame_index = 0
                    yield message
                    return

        def camera():
            told.wait(10)
            while True:
                yield FILES[0]

        with Conversations(first, second) as server:
            stream = server.client.stream(camera(), "red", track=True)
            self.assertIsInstance(next(stream), StreamStarted)

            def change():
                told.wait(10)
                while not stream._token:
                    time.sleep(0.01)
                stream.update_prompts("blue")
                changed.set()

            thread = threading.Thread(target=change)
            thread.start()
            events = [event for event in stream]
            thread.join()
            stream.close()
        self.assertEqual(seen, ["blue"])
        self.assertTrue([e for e in events if isinstance(e, PromptsUpdated)])

    def test_only_what_can_be_cut_resumes(self):
        with Conversations() as server:
            for source, options in ((iter(FILES), {"track": False}),
                                    ("clip.mp4", {"track": True})):
                with self.assertRaises(ValueError):
                    server.client.stream(source, "red", resume=True, **options)


class RealServersTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        secret = os.path.join(folder.name, "secret")
        with open(secret, "w") as file:
            file.write("s" * 32)
        self.flags = ("--resume-secret-file", secret)

    def test_a_stream_survives_its_server(self):
        with RunningServer(*self.flags) as first:
            zone = datetime.timezone.utc
            taken = datetime.datetime(2024, 5, 17, tzinfo=zone)
            stopping = threading.Event()
            second = []

            def replace():
                first.stop()
                second.append(RunningServer(*self.flags,
                                            address=first.address))
                self.addCleanup(second[0].stop)

            thread = threading.Thread(target=replace)

            def camera():
                for i, file in enumerate(FILES):
                    if i == 10:
                        thread.start()
                    if i >= 10:
                        stopping.wait(0.05)
                    yield Frame(file, taken + datetime.timedelta(seconds=i))

            with first.client() as client:
                stream = client.stream(camera(), "red", track=True,
                                       mask_format="none")
                events = list(stream)
            thread.join()
        frames = [e for e in events if isinstance(e, FrameResult)]
        self.assertEqual([f.frame_index for f in frames],
                         list(range(len(FILES))))
        self.assertEqual([f.start_offset for f in frames],
                         [float(i) for i in range(len(FILES))])
        self.assertEqual({i.object_id for f in frames
                          for i in f.results[0].instances}, {0})
        self.assertEqual([e.resumed_objects for e in events
                          if isinstance(e, StreamStarted)], [None, 1])
        self.assertEqual(stream.summary,
                         StreamSummary(len(FILES), len(FILES), {}, 0))

    def test_without_it_the_stream_ends_and_says_so(self):
        with RunningServer() as server, server.client() as client:
            seen = []
            with self.assertRaises(Sam3Error):
                for event in client.stream((FILES[0] for _ in iter(int, 1)),
                                           "red", track=True, resume=False):
                    if not seen:
                        server.process.send_signal(signal.SIGTERM)
                        server.process.send_signal(signal.SIGTERM)
                    seen.append(event)
            self.assertIn(GoingAway, {type(event) for event in seen})
            self.assertIsInstance(seen[-1], StreamSummary)


if __name__ == "__main__":
    unittest.main()
