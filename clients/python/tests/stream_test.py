"""Streams against a real server with the fake engine."""

import datetime
import gc
import itertools
import os
import pathlib
import queue
import signal
import subprocess
import tempfile
import threading
import unittest

import grpc
import numpy as np
from running_server import RunningServer, draw

from sam3_client import (Frame, FrameRefused, FrameResult, FramesDropped,
                         GivenObject, GoingAway, ObjectPreview, Point, Prompt,
                         PromptRejected, PromptsUpdated, Sam3Error, ServerFile,
                         SourceEvent, StreamStarted, StreamSummary, VideoChunks,
                         encode_picture)
from sam3_client.prompts import given_object_to_proto

FILE = encode_picture(draw(red=(10, 16, 60, 64), blue=(80, 72, 120, 88)))


def frames_of(events):
    return [event for event in events if isinstance(event, FrameResult)]


class Camera:
    """Endless; knows how often it was asked, and whether it was released."""

    def __init__(self, file: bytes = FILE):
        self.asked = 0
        self.released = threading.Event()
        self._file = file

    def frames(self):
        try:
            while True:
                self.asked += 1
                yield self._file
        finally:
            self.released.set()


class SharedServerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        server = RunningServer()
        cls.addClassCleanup(server.stop)
        cls.client = server.client()
        cls.addClassCleanup(cls.client.close)


class EventsTest(SharedServerTest):
    def test_every_frame_is_answered_and_accounted_for(self):
        stream = self.client.stream(itertools.repeat(FILE, 7),
                                    ["red", "cat", "blue"])
        events = list(stream)
        self.assertIsInstance(events[0], StreamStarted)
        frames = frames_of(events)
        self.assertEqual([f.frame_index for f in frames], list(range(7)))
        for frame in frames:
            self.assertEqual([r.text for r in frame.results],
                             ["red", "cat", "blue"])
            self.assertEqual([len(r.instances) for r in frame.results],
                             [1, 0, 1])
            self.assertEqual(frame.results[0].instances[0].mask.shape,
                             (frame.height, frame.width))
        self.assertEqual(events[-1], StreamSummary(7, 7, {}, 0))
        self.assertEqual(stream.summary, events[-1])
        self.assertEqual(list(stream), [])
        with self.assertRaises(ValueError):
            stream.update_prompts("green")
        detections = frames[0].to_detections()
        self.assertEqual(list(detections.class_id), [0, 2])
        self.assertEqual(list(detections["class_name"]), ["red", "blue"])

    def test_arrays_and_capture_times(self):
        zone = datetime.timezone(datetime.timedelta(hours=9))
        taken = datetime.datetime(2024, 5, 17, 12, 30, 15, 250000, zone)
        picture = draw(red=(10, 16, 60, 64))
        events = self.client.stream(
            [Frame(picture, taken), picture, Frame(FILE)], "red")
        frames = frames_of(events)
        self.assertEqual([f.capture_time for f in frames],
                         [taken, None, None])
        for frame in frames:
            self.assertEqual(len(frame.results[0].instances), 1)

    def test_frames_that_are_left_out_or_refused(self):
        events = list(self.client.stream(
            [FILE, b"no picture", FILE, FILE, FILE], "red"))
        refused = [e for e in events if isinstance(e, FrameRefused)]
        self.assertEqual([e.frame_index for e in refused], [1])
        self.assertEqual(refused[0].error.reason, "MEDIA_UNDECODABLE")
        self.assertEqual(events[-1], StreamSummary(5, 4, {}, 1))
        events = list(self.client.stream([FILE] * 7, "red",
                                         every_nth_frame=3))
        self.assertEqual([f.frame_index for f in frames_of(events)], [0, 3, 6])
        dropped = [e for e in events if isinstance(e, FramesDropped)]
        self.assertEqual({e.reason for e in dropped}, {"SAMPLED_OUT"})
        self.assertEqual(
            sum(e.last_frame_index - e.first_frame_index + 1 for e in dropped),
            4)
        self.assertEqual(events[-1], StreamSummary(7, 3, {"SAMPLED_OUT": 4},
                                                   0))

    def test_a_stream_that_is_wrong_is_refused_with_all_violations(self):
        camera = Camera()
        with self.assertRaises(Sam3Error) as caught:
            list(self.client.stream(camera.frames(),
                                    [Prompt("a " * 31), Prompt()],
                                    threshold=2))
        self.assertEqual(
            {v.field for v in caught.exception.violations},
            {"config.prompts[0].text", "config.prompts[1]",
             "config.score_threshold"})
        with self.assertRaisesRegex(ValueError, "latest"):
            self.client.stream([], "red", delivery="newest")
        with self.assertRaises(Sam3Error) as caught:
            list(self.client.stream("rtsp://127.0.0.1:9/", "red"))
        self.assertEqual(caught.exception.reason, "SOURCE_NOT_ALLOWED")

    def test_prompts_come_and_go(self):
        camera = Camera()
        seen, told = [], []
        with self.client.stream(camera.frames(),
                                Prompt("red", prompt_id="r")) as stream:
            for event in stream:
                if isinstance(event, StreamStarted):
                    stream.update_prompts(Prompt("blue", prompt_id="b"))
                if isinstance(event, (PromptsUpdated, PromptRejected)):
                    told.append(event)
                if isinstance(event, FrameResult):
                    ids = [r.prompt_id for r in event.results]
                    if not seen or seen[-1] != ids:
                        seen.append(ids)
                        if len(ids) == 2:
                            stream.update_prompts(remove=["r", "nobody"])
                    if len(told) == 3:
                        stream.finish()
        self.assertEqual(seen[-2:], [["r", "b"], ["b"]])
        rejected, = [e for e in told if isinstance(e, PromptRejected)]
        self.assertEqual(rejected.prompt_id, "nobody")
        self.assertEqual(rejected.error.reason, "PROMPT_NOT_FOUND")
        self.assertEqual(stream.summary.frames_in, stream.summary.answered)
        self.assertTrue(camera.released.wait(10))

    def test_the_source_waits_for_whoever_reads(self):
        # Frames and answers that are large enough to fill what lies between.
        picture = draw(700, 400, red=(0, 0, 700, 300))
        picture[300:] = np.random.default_rng(5).integers(
            0, 256, (100, 700, 3), np.uint8)
        file = encode_picture(picture)
        pulled = threading.Semaphore(0)
        asked = 0

        def frames():
            nonlocal asked
            while True:
                asked += 1
                pulled.release()
                yield file

        with self.client.stream(frames(), [f"red {i}" for i in range(8)],
                                mask_format="bits") as stream:
            self.assertIsInstance(next(stream), StreamStarted)
            # Nobody reads, and so it comes to rest.
            for _ in range(400):
                if not pulled.acquire(timeout=2):
                    break
            else:
                self.fail(f"{asked} frames were pulled, and no answer read")
            self.assertGreater(asked, 1)
            for event in stream:
                if isinstance(event, FrameResult):
                    if event.frame_index == 60:
                        stream.finish()
                    # It goes on, as far ahead as before.
                    self.assertLess(asked - event.frame_index, 400)
        summary = stream.summary
        self.assertEqual(summary.frames_in, asked)
        self.assertEqual(summary.answered, summary.frames_in)


class EndTest(unittest.TestCase):
    """Each with a server of its own, whose log tells of nothing else."""

    def setUp(self):
        self.server = RunningServer()
        self.addCleanup(self.server.stop)
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def assert_one_line_about(self, code: str):
        """In the server's log; and nothing is held for anybody."""
        gauges = self.server.await_idle()
        self.assertEqual(gauges["sam3_streams_active"], 0)
        self.assertEqual(gauges["sam3_queued_jobs"], 0)
        self.client.close()
        self.server.stop()
        ended = [line for line in self.server.log if "stream_ended" in line]
        self.assertEqual(len(ended), 1, self.server.log)
        self.assertIn(f"code={code}", ended[0])
        self.assertEqual(self.server.process.returncode, 0)

    def test_a_server_that_stops_says_so(self):
        camera = Camera()
        seen = []
        with self.assertRaises(Sam3Error) as caught:
            for event in self.client.stream(camera.frames(), "red"):
                seen.append(event)
                if len(seen) == 3:
                    self.server.process.send_signal(signal.SIGTERM)
                    self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(caught.exception.code, grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(caught.exception.reason, "DRAINING")
        self.assertIn(GoingAway, {type(event) for event in seen})
        self.assertIsInstance(seen[-1], StreamSummary)
        self.assertTrue(camera.released.wait(10))

    def test_breaking_off_leaves_the_server_clean(self):
        camera = Camera()
        with self.client.stream(camera.frames(), ["red", "blue"]) as stream:
            for event in stream:
                if isinstance(event, FrameResult) and event.frame_index == 3:
                    break
        self.assertEqual(list(stream), [])
        self.assertIsNone(stream.summary)
        self.assertTrue(camera.released.wait(10))
        asked = camera.asked
        self.assert_one_line_about("CANCELLED")
        self.assertEqual(camera.asked, asked)

    def test_dropping_it_is_enough(self):
        camera = Camera()
        for event in self.client.stream(camera.frames(), "red"):
            if isinstance(event, FrameResult):
                break
        gc.collect()
        self.assertTrue(camera.released.wait(10))
        self.assert_one_line_about("CANCELLED")

    def test_an_exception_in_the_source_comes_out_after_its_frames(self):
        def frames():
            yield from [FILE] * 3
            raise ConnectionError("the cable was pulled")

        seen = []
        stream = self.client.stream(frames(), "red")
        with self.assertRaisesRegex(ConnectionError, "cable"):
            for event in stream:
                seen.append(event)
        self.assertEqual(len(frames_of(seen)), 3)
        self.assertEqual(stream.summary, StreamSummary(3, 3, {}, 0))
        self.assertEqual(list(stream), [])
        self.assert_one_line_about("OK")

    def test_a_camera_that_blocks_does_not_block_the_end(self):
        hangs, over, released = (threading.Event() for _ in range(3))

        def frames():
            try:
                yield FILE
                hangs.set()
                over.wait(60)
                yield FILE
            finally:
                released.set()

        with self.client.stream(frames(), "red") as stream:
            next(stream)
            self.assertTrue(hangs.wait(10))
        self.assertEqual(self.server.await_idle()["sam3_streams_active"], 0)
        self.assertFalse(released.is_set())
        over.set()
        self.assertTrue(released.wait(10))
        self.assertEqual(list(stream), [])


class TrackTest(unittest.TestCase):
    def test_objects_have_numbers(self):
        with RunningServer() as server, server.client() as client:
            frames = [encode_picture(draw(red=(10 + 4 * i, 16, 60 + 4 * i, 64)))
                      for i in range(4)]
            events = list(client.stream(iter(frames), ["red", "blue"],
                                        track=True,
                                        confirmation_delay_frames=2))
            followed = frames_of(events)
            self.assertEqual([[i.object_id for i in f.results[0].instances]
                              for f in followed], [[0]] * 4)
            self.assertEqual([f.results[0].instances[0].state
                              for f in followed],
                             ["TENTATIVE"] * 2 + ["CONFIRMED"] * 2)
            self.assertEqual([[(e.object_id, e.state) for e in f.object_events]
                              for f in followed],
                             [[(0, "TENTATIVE")], [], [(0, "CONFIRMED")], []])
            np.testing.assert_array_equal(
                followed[0].to_detections().tracker_id, [0])


class GivenObjectsTest(unittest.TestCase):
    def test_objects_are_described_previewed_committed_and_dropped(self):
        red, blue = (10, 18, 60, 63), (80, 72, 120, 87)
        picture = draw(red=red, blue=blue)
        mask = np.zeros(picture.shape[:2], bool)
        mask[72:87, 80:120] = True
        turns = queue.Queue()

        def boxes(frame):
            return {i.object_id: tuple(i.box)
                    for i in frame.results[0].instances}

        with RunningServer() as server, server.client() as client:
            stream = client.stream(
                (encode_picture(picture) for _ in iter(turns.get, None)),
                objects=[GivenObject(4, points=[(20, 20)]),
                         GivenObject(9, box=blue)])

            def next_of(kind):
                return next(e for e in stream if isinstance(e, kind))

            turns.put(1)
            first = next_of(FrameResult)
            self.assertEqual(boxes(first), {4: red, 9: blue})
            self.assertEqual([(e.object_id, e.state)
                              for e in first.object_events],
                             [(4, "CONFIRMED"), (9, "CONFIRMED")])
            stream.preview(GivenObject(4, mask=mask))
            # The source waits for its turn, and the question does not.
            seen = next_of(ObjectPreview)
            self.assertEqual((tuple(seen.instance.box), seen.committed),
                             (blue, False))
            turns.put(1)
            self.assertEqual(boxes(next_of(FrameResult)), {4: red, 9: blue})
            stream.commit([GivenObject(4, mask=mask)])
            self.assertTrue(next_of(ObjectPreview).committed)
            stream.preview([GivenObject(5, points=[(1, 1)])])
            rejected = next_of(PromptRejected)
            self.assertEqual((rejected.prompt_id, rejected.error.reason),
                             ("5", "PROMPT_NOT_FOUND"))
            stream.drop([9])
            stream.describe(GivenObject(
                1, points=[Point(20, 20), Point(90, 80, positive=False)]))
            for _ in range(2):
                turns.put(1)
            turns.put(None)
            last = [e for e in stream if isinstance(e, FrameResult)][-1]
            self.assertEqual(boxes(last), {4: blue, 1: red})
            self.assertEqual(stream.summary.answered, stream.summary.frames_in)

    def test_a_lost_object_is_told_and_is_no_detection(self):
        with RunningServer() as server, server.client() as client:
            frames = [encode_picture(draw(red=(10, 16, 60, 64))),
                      encode_picture(draw())]
            events = list(client.stream(
                frames, objects=GivenObject(0, points=[(20, 20)])))
            shown, lost = frames_of(events)
            self.assertEqual(lost.results[0].instances[0].state, "LOST")
            self.assertFalse(lost.results[0].instances[0].mask.any())
            self.assertEqual(len(lost.to_detections()), 0)
            np.testing.assert_array_equal(
                shown.to_detections().tracker_id, [0])

    def test_masks_that_are_none(self):
        with self.assertRaisesRegex(ValueError, "H x W"):
            given_object_to_proto(GivenObject(0, mask=np.zeros((2, 2, 3))))


class VideoTest(unittest.TestCase):
    def test_a_file_is_sent_in_pieces_or_read_by_the_server(self):
        with tempfile.TemporaryDirectory() as folder, RunningServer(
                "--media-root", folder) as server, server.client() as client:
            clip = pathlib.Path(folder) / "clip.mp4"
            subprocess.run([os.environ["SAM3CTL"], "scene", clip], check=True,
                           capture_output=True)
            data = clip.read_bytes()
            pieces = (data[at:at + 1000] for at in range(0, len(data), 1000))
            for source in (clip, str(clip), VideoChunks(pieces),
                           VideoChunks([data]), ServerFile("clip.mp4")):
                stream = client.stream(source, "red", mask_format="none",
                                       analyse_fps=2)
                events = list(stream)
                self.assertEqual(stream.summary.frames_in, 120)
                self.assertEqual(stream.summary.answered,
                                 len(frames_of(events)))
                self.assertGreater(stream.summary.answered, 5)
                known = events[0]
                if not isinstance(source, ServerFile):
                    known, = [e for e in events if isinstance(e, SourceEvent)
                              and e.kind == "OPENED"]
                self.assertGreater(known.frame_rate, 0)
            with self.assertRaises(FileNotFoundError):
                list(client.stream("nowhere.mp4", "red"))
            picture = np.full((40, 40, 3), (255, 0, 0), np.uint8)
            (pathlib.Path(folder) / "a.png").write_bytes(
                encode_picture(picture))
            answer = client.segment(ServerFile("a.png"), "red")
            self.assertEqual((answer.image.width, answer.image.height),
                             (40, 40))
            before = set(threading.enumerate())
            for _ in client.stream(ServerFile("clip.mp4"), "red"):
                break
            gc.collect()
            self.assertEqual(server.await_idle()["sam3_streams_active"], 0)
            for thread in set(threading.enumerate()) - before:
                thread.join(10)
                self.assertFalse(thread.is_alive(), thread)


if __name__ == "__main__":
    unittest.main(verbosity=2)
