"""Every call of the client against a real server with the fake engine."""

import io
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from math import nan

import grpc
import numpy as np
import PIL.Image
import pycocotools.mask
from running_server import RunningServer, draw

import sam3_client
from sam3_client import (Box, Client, MaskOptions, ObjectPrompt, Point, Prompt,
                         Sam3Error, encode_picture)

PICTURE = draw(red=(10, 16, 60, 64), blue=(80, 72, 120, 88))
FILE = encode_picture(PICTURE)


def setUpModule():
    server = RunningServer()
    unittest.addModuleCleanup(server.stop)
    ClientTest.client = server.client()
    unittest.addModuleCleanup(ClientTest.client.close)


class ClientTest(unittest.TestCase):
    client: Client

    def error_of(self, call) -> Sam3Error:
        with self.assertRaises(Sam3Error) as caught:
            call()
        return caught.exception


class SegmentTest(ClientTest):
    def test_answers_every_prompt_in_order(self):
        answer = self.client.segment(PICTURE, ["red", "cat", "blue"])
        self.assertEqual([r.text for r in answer.results],
                         ["red", "cat", "blue"])
        self.assertEqual([len(r.instances) for r in answer.results], [1, 0, 1])
        self.assertEqual((answer.image.width, answer.image.height), (128, 96))
        red = answer.results[0].instances[0]
        self.assertAlmostEqual(red.score, 0.99)
        # The fake engine sees a grid of 64 x 64.
        np.testing.assert_allclose(red.box, (10, 16, 60, 64), atol=2)
        self.assertGreater(answer.timings.total, 0)

    def test_masks_equal_those_of_pycocotools(self):
        for found in self.client.segment(PICTURE, ["red", "blue"]).instances:
            expected = pycocotools.mask.decode(found.encoded_mask.rle)
            np.testing.assert_array_equal(found.mask, expected)
            self.assertEqual(found.mask.dtype, np.bool_)
            self.assertEqual(found.mask.sum(), found.area)
            rows, columns = np.nonzero(found.mask)
            np.testing.assert_array_equal(
                found.box, (columns.min(), rows.min(), columns.max() + 1,
                            rows.max() + 1))

    def test_every_format_shows_the_same_mask(self):
        def only(mask_format):
            answer = self.client.segment(PICTURE, "red",
                                         mask_format=mask_format)
            return answer.results[0].instances[0]

        expected = only("rle").mask
        for name in ("png", "bits", "logits"):
            np.testing.assert_array_equal(only(name).mask, expected, name)
        self.assertEqual(only("logits").encoded_mask.logits.shape, (96, 128))
        ring, = only("polygon").encoded_mask.rings
        self.assertEqual(ring.parent_index, -1)
        np.testing.assert_array_equal(ring.points.min(axis=0),
                                      only("rle").box[:2])
        self.assertIsNone(only("none").encoded_mask)
        with self.assertRaisesRegex(ValueError, "mask_format"):
            only("none").mask
        small = only(MaskOptions("rle", max_side=64)).mask
        self.assertEqual(small.shape, (48, 64))
        model = only(MaskOptions("bits", model_resolution=True)).mask
        self.assertEqual(model.shape, (64, 64))

    def test_takes_pictures_in_every_form(self):
        bgr = PICTURE[..., ::-1]
        jpeg = encode_picture(PICTURE, "jpeg", quality=100)
        alpha = np.dstack([PICTURE, np.full((96, 128), 255, np.uint8)])
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            file.write(FILE)
            file.flush()
            for picture in (file.name, pathlib.Path(file.name), FILE, jpeg,
                            PICTURE, bgr[..., ::-1], alpha,
                            PIL.Image.fromarray(PICTURE),
                            PIL.Image.fromarray(PICTURE).convert("P")):
                answer = self.client.segment(picture, "blue")
                self.assertEqual(len(answer.instances), 1, type(picture))
        self.assertEqual(self.client.segment(PICTURE[..., 0], "red").instances,
                         [])

    def test_refuses_what_is_no_picture(self):
        for picture, error, told in (
                (PICTURE / 255, TypeError, "uint8"),
                (PICTURE[None], ValueError, "1 x 96 x 128 x 3"),
                (PICTURE[..., :2], ValueError, "H x W x 3"),
                (7, TypeError, "int is no picture"),
                ("nowhere.png", FileNotFoundError, "nowhere.png")):
            with self.assertRaisesRegex(error, told):
                self.client.segment(picture, "red")

    def test_examples_thresholds_and_suppression(self):
        answer = self.client.segment(
            PICTURE, [Prompt(boxes=[(12, 18, 50, 60)], prompt_id="like this"),
                      Prompt("red", boxes=[Box.from_xywh(85, 75, 20, 10)],
                             negative_boxes=[Box.from_center(
                                 0.3, 0.4, 0.2, 0.2, normalized=True)])])
        self.assertEqual(answer.results[0].prompt_id, "like this")
        found = [r.instances[0].box[0] for r in answer.results]
        np.testing.assert_allclose(found, (10, 80), atol=2)
        self.assertEqual(
            self.client.segment(PICTURE, Prompt("red", threshold=1.0)
                                ).instances, [])
        self.assertEqual(
            self.client.segment(PICTURE, "red", threshold=1.0).instances, [])
        twice = ["red", "red things"]
        self.assertEqual(len(self.client.segment(PICTURE, twice).instances), 2)
        self.assertEqual(
            len(self.client.segment(PICTURE, twice, nms=0.5).instances), 1)

    def test_arrays_need_something_that_makes_files(self):
        """In a process whose Pillow, or Pillow and OpenCV, are not there."""
        program = (
            "import sys; sys.modules.update(dict.fromkeys({}))\n"
            "import numpy, sam3_client\n"
            "a = numpy.zeros((4, 5, 3), numpy.uint8); a[..., 0] = 200\n"
            "sys.stdout.buffer.write(sam3_client.encode_picture(a))")

        def encode_without(*modules):
            return subprocess.run(
                [sys.executable, "-c", program.format(list(modules))],
                capture_output=True)

        made = encode_without("PIL", "PIL.Image")
        self.assertEqual(made.returncode, 0, made.stderr)
        picture = np.asarray(PIL.Image.open(io.BytesIO(made.stdout)))
        np.testing.assert_array_equal(picture[0, 0], (200, 0, 0))
        failed = encode_without("PIL", "PIL.Image", "cv2")
        self.assertIn(b"pip install pillow", failed.stderr)

    def test_to_detections(self):
        import supervision
        detections = self.client.segment(
            PICTURE, [Prompt("cat"), Prompt("red"),
                      Prompt(boxes=[(85, 75, 105, 85)], prompt_id="this")]
        ).to_detections()
        self.assertIsInstance(detections, supervision.Detections)
        self.assertEqual(list(detections.class_id), [1, 2])
        self.assertEqual(list(detections["class_name"]), ["red", "this"])
        np.testing.assert_allclose(detections.confidence, 0.99)
        self.assertEqual(detections.mask.shape, (2, 96, 128))
        self.assertIsNone(detections.tracker_id)
        np.testing.assert_array_equal(
            detections.xyxy, supervision.mask_to_xyxy(detections.mask)
            + np.array([0, 0, 1, 1]))
        self.assertEqual(
            len(self.client.segment(PICTURE, "cat").to_detections()), 0)
        boxes = self.client.segment(PICTURE, "red", mask_format="none")
        self.assertIsNone(boxes.to_detections().mask)


class ClickTest(ClientTest):
    def test_masks_what_is_under_it(self):
        found = self.client.click(PICTURE, [(40, 40)])
        self.assertGreater(found.object_score, 0.9)
        self.assertFalse(found.refined)
        self.assertEqual(len(found.masks), 1)
        np.testing.assert_allclose(found.best.box, (10, 16, 60, 64), atol=2)
        self.assertEqual(found.best.mask.shape, (96, 128))
        self.assertEqual(found.best.mask.sum(), found.best.area)
        self.assertTrue(found.best.mask[40, 40])
        self.assertAlmostEqual(found.best.predicted_iou, 0.9, places=5)
        self.assertEqual(found.best.logits_handle, "")
        nothing = self.client.click(PICTURE, [Point(0.9, 0.1,
                                                    normalized=True)])
        self.assertLess(nothing.object_score, 0.1)

    def test_proposals(self):
        proposed = self.client.click(PICTURE, [(40, 40)], all_candidates=True)
        quality = [mask.predicted_iou for mask in proposed.masks]
        self.assertEqual(len(quality), 3)
        self.assertEqual(quality, sorted(quality, reverse=True))
        single = self.client.click(PICTURE, [(40, 40)], all_candidates=True,
                                   multimask=False)
        self.assertEqual(len(single.masks), 1)

    def test_an_earlier_mask_is_refined(self):
        picture = self.client.embed(PICTURE)
        first = self.client.click(picture, [(40, 40)], save_logits=True)
        self.assertNotEqual(first.best.logits_handle, "")
        second = self.client.click(
            picture, [(40, 40), (12, 20, False)],
            logits_handle=first.best.logits_handle)
        self.assertTrue(second.refined)
        self.assertGreater(second.best.predicted_iou,
                           first.best.predicted_iou)
        error = self.error_of(lambda: self.client.click(
            picture, logits_handle="unknown"))
        self.assertEqual(error.reason, "LOGITS_NOT_CACHED")

    def test_several_objects(self):
        answer = self.client.segment_objects(
            PICTURE, [ObjectPrompt([(90, 80)], prompt_id="b"),
                      ObjectPrompt(box=(10, 16, 60, 64))],
            mask_format="none", save_logits=True)
        self.assertEqual([r.prompt_id for r in answer.results], ["b", ""])
        self.assertEqual([r.prompt_index for r in answer.results], [0, 1])
        np.testing.assert_allclose([r.best.box[0] for r in answer.results],
                                   (80, 10), atol=2)
        with self.assertRaisesRegex(ValueError, "mask_format"):
            answer.results[0].best.mask
        more = self.client.segment_objects(
            PICTURE, [ObjectPrompt([(90, 80), (100, 80)])], load_logits=True)
        self.assertTrue(more.results[0].refined)
        self.assertTrue(more.embedding_cached)

    def test_all_violations(self):
        error = self.error_of(lambda: self.client.segment_objects(
            PICTURE, [ObjectPrompt(), ObjectPrompt([(5, 5), (nan, 5)])]))
        self.assertEqual({v.field for v in error.violations},
                         {"prompts[0]", "prompts[1].points[1]"})
        error = self.error_of(lambda: self.client.click(PICTURE, [(500, 5)]))
        self.assertEqual([v.field for v in error.violations],
                         ["prompts[0].points[0]"])


class EmbeddingTest(ClientTest):
    def test_stands_for_its_picture(self):
        picture = draw(red=(10, 16, 60, 64), green=(70, 16, 90, 64))
        first = self.client.embed(picture)
        self.assertFalse(first.cached)
        self.assertTrue(self.client.embed(picture).cached)
        answer = self.client.segment(first, ["red", "green"])
        self.assertTrue(answer.embedding_cached)
        self.assertEqual(len(answer.instances), 2)
        named = self.client.embed(picture, image_id="mine")
        self.assertEqual(named.image_id, "mine")
        self.assertEqual(
            self.client.segment(named, "red").image.image_id, "mine")

    def test_uploads_what_is_too_large_for_a_message(self):
        noise = np.random.default_rng(3).integers(
            0, 256, (3400, 2500, 3), np.uint8)
        noise[:1000] = (255, 0, 0)
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            PIL.Image.fromarray(noise).save(file, "PNG", compress_level=1)
            file.flush()
            limits = self.client.info().limits
            size = os.path.getsize(file.name)
            self.assertGreater(size, limits.max_message_size_bytes)
            self.assertLess(size, limits.max_image_size_bytes)
            self.assertEqual(
                self.error_of(lambda: self.client.embed(file.name)).code,
                grpc.StatusCode.RESOURCE_EXHAUSTED)
            uploaded = self.client.upload(file.name, image_id="large")
        self.assertEqual(uploaded.info.height, 3400)
        answer = self.client.segment(uploaded, "red", mask_format="none")
        np.testing.assert_allclose(answer.instances[0].box,
                                   (0, 0, 2500, 1000), atol=40)
        with self.assertRaises(FileNotFoundError):
            self.client.upload("nowhere.png")


class AskTest(ClientTest):
    def test_explain_tells_all_violations_as_an_answer(self):
        told = self.client.explain(
            ["red", Prompt("a " * 40), Prompt(boxes=[(100, 80, 200, 90)])],
            PICTURE, threshold=7)
        self.assertEqual([v.field for v in told.violations],
                         ["prompts[1].text", "score_threshold"])
        self.assertEqual(len(told.prompts[0].token_ids), 3)
        self.assertTrue(told.prompts[1].truncated)
        np.testing.assert_array_equal(told.prompts[2].boxes,
                                      [(100, 80, 128, 90)])
        self.assertEqual(told.image.width, 128)
        self.assertIsNone(self.client.explain("red").image)

    def test_info(self):
        info = self.client.info()
        self.assertRegex(info.version, r"^\d+\.\d+")
        self.assertIn("fake", info.model.name)
        self.assertEqual(info.device.dtype, "fp32")
        self.assertEqual(info.limits.max_text_tokens, 32)
        self.assertGreater(info.capacity.stream_slots_free, 0)


class RefusalTest(ClientTest):
    def test_all_violations_come_at_once(self):
        error = self.error_of(lambda: self.client.segment(
            b"", [Prompt("a " * 31), Prompt(boxes=[(9, 9, 5, 5)])],
            threshold=-1))
        self.assertEqual(error.code, grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual(error.reason, "INVALID_REQUEST")
        self.assertEqual({v.field for v in error.violations},
                         {"image.content", "prompts[0].text",
                          "prompts[1].exemplars[0].box", "score_threshold"})
        for violation in error.violations:
            self.assertIn(violation.description, str(error))

    def test_each_kind_has_its_reason(self):
        client = self.client
        client.embed(PICTURE, image_id="taken")
        unknown = sam3_client.EmbeddedImage(
            sam3_client.ImageInfo(1, 1, 1, "0" * 64, ""), None, False)
        cases = {
            "INVALID_REQUEST": lambda: client.segment(PICTURE, []),
            "MEDIA_UNDECODABLE": lambda: client.segment(b"GIF89a", "red"),
            "IMAGE_NOT_CACHED": lambda: client.segment(unknown, "red"),
            "IMAGE_ID_CONFLICT": lambda: client.embed(draw(),
                                                      image_id="taken"),
            "MODEL_NOT_FOUND": lambda: client.segment(PICTURE, "red",
                                                      model_id="sam2"),
            "SOURCE_NOT_ALLOWED": lambda: client.segment(
                "http://127.0.0.1:9/a.png", "red"),
            "MEDIA_TOO_LARGE": lambda: client.segment(
                encode_picture(np.zeros((1, 16400), np.uint8)), "red"),
        }
        for reason, call in cases.items():
            with self.subTest(reason):
                error = self.error_of(call)
                self.assertEqual(error.reason, reason)
                self.assertNotEqual(error.message, "")

    def test_an_expired_deadline(self):
        # Takes longer to decode than the call may last.
        noise = np.random.default_rng(5).integers(
            0, 256, (2000, 2000, 3), np.uint8)
        large = encode_picture(noise)
        error = self.error_of(
            lambda: self.client.segment(large, "red", timeout=1e-3))
        self.assertEqual(error.code, grpc.StatusCode.DEADLINE_EXCEEDED)


class OverloadTest(unittest.TestCase):
    def test_a_stream_too_many_is_told_when_to_come_again(self):
        with tempfile.NamedTemporaryFile("w", suffix=".textproto") as file:
            file.write("limits { max_streams: 1 }")
            file.flush()
            with RunningServer("--config", file.name) as server, \
                    server.client() as client:
                with client.stream(iter(lambda: FILE, None), "red") as first:
                    next(first)
                    with self.assertRaises(Sam3Error) as caught:
                        list(client.stream([FILE], "red"))
                self.assertEqual(caught.exception.reason, "OVERLOADED")
                self.assertGreater(caught.exception.retry_after, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
