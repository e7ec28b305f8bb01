"""Decoding of masks, compared with pycocotools."""

import unittest

import numpy as np
import pycocotools.mask

from sam3_client import Mask, MaskOptions, decode_rle
from sam3_client._proto.sam3.v1 import mask_pb2
from sam3_client.masks import mask_options_to_proto


def encode(mask: np.ndarray) -> bytes:
    return pycocotools.mask.encode(
        np.asfortranarray(mask.astype(np.uint8)))["counts"]


def masks():
    """Noise, blobs, stripes, and everything that is small or at an edge."""
    random = np.random.default_rng(7)
    for height, width in ((1, 1), (1, 9), (9, 1), (5, 7), (480, 640)):
        shape = (height, width)
        yield np.zeros(shape, bool)
        yield np.ones(shape, bool)
        for share in (0.01, 0.5, 0.99):
            yield random.random(shape) < share
        for place in ((0, 0), (-1, -1), (0, -1), (-1, 0)):
            corner = np.zeros(shape, bool)
            corner[place] = True
            yield corner
            yield ~corner
    blob = np.hypot(*np.ogrid[-300:300, -500:500]) < 250
    blob[280:320, 400:600] = False
    yield blob
    yield np.arange(2000)[:, None] % 2 == np.zeros((1, 30))
    # Runs that need more than five, ten, fifteen and twenty bits.
    for length in (15, 16, 511, 512, 16383, 16384, 600_000):
        yield np.arange(1_300_000)[:, None] // length % 2 == np.ones((1, 1))


class DecodeRleTest(unittest.TestCase):
    def test_equals_pycocotools(self):
        count = 0
        for mask in masks():
            decoded = decode_rle(encode(mask), *mask.shape)
            self.assertEqual(decoded.dtype, np.bool_)
            self.assertTrue(decoded.flags.c_contiguous)
            np.testing.assert_array_equal(decoded, mask)
            count += 1
        self.assertGreater(count, 70)

    def test_takes_counts_as_text(self):
        mask = np.eye(20, dtype=bool)
        np.testing.assert_array_equal(
            decode_rle(encode(mask).decode(), 20, 20), mask)

    def test_refuses_what_does_not_fit(self):
        counts = encode(np.eye(20, dtype=bool))
        for text, height, width in (
                (counts, 20, 21), (counts, 19, 20), (counts[:-1], 20, 20),
                (b"", 20, 20), (b"", 0, 0), (b"`", 1, 1), (b"\x20", 1, 1),
                (b"\xff", 1, 1), (b"o" * 30 + b"1", 1, 1), (b"O", 1, 1)):
            with self.subTest(text), self.assertRaises(ValueError):
                decode_rle(text, height, width)


class MaskTest(unittest.TestCase):
    def test_bits_are_cropped_rows(self):
        mask = np.random.default_rng(1).random((40, 50)) < 0.5
        crop = mask[3:30, 5:18]
        bits = mask_pb2.Mask.Bits(
            data=np.packbits(crop, axis=1).tobytes(), crop_x=5, crop_y=3,
            crop_width=13, crop_height=27)
        decoded = Mask(mask_pb2.Mask(width_px=50, height_px=40,
                                     bits=bits)).to_array()
        np.testing.assert_array_equal(decoded[3:30, 5:18], crop)
        self.assertEqual(decoded.sum(), crop.sum())
        empty = Mask(mask_pb2.Mask(width_px=50, height_px=40,
                                   bits=mask_pb2.Mask.Bits()))
        self.assertEqual(empty.to_array().shape, (40, 50))
        self.assertFalse(empty.to_array().any())

    def test_tells_what_to_ask_for(self):
        mask = Mask(mask_pb2.Mask(width_px=1, height_px=1,
                                  polygon=mask_pb2.Mask.Polygon()))
        with self.assertRaisesRegex(ValueError, 'mask_format="rle"'):
            mask.to_array()
        with self.assertRaisesRegex(ValueError, 'mask_format="logits"'):
            mask.logits

    def test_options(self):
        sent = mask_options_to_proto(
            MaskOptions("polygon", max_side=300, outer_only=True, tolerance=2))
        self.assertEqual(sent, mask_pb2.MaskOptions(
            format=mask_pb2.MaskOptions.FORMAT_POLYGON,
            resolution=mask_pb2.MaskOptions.RESOLUTION_MAX_SIDE,
            max_side_px=300, outer_only=True, polygon_tolerance_px=2))
        with self.assertRaisesRegex(ValueError, "rle, polygon, png"):
            mask_options_to_proto("coco")
        with self.assertRaisesRegex(ValueError, "exclude each other"):
            mask_options_to_proto(
                MaskOptions(max_side=300, model_resolution=True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
