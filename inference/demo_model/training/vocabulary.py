"""Makes vocab.json and merges.txt from CLIP's bpe_simple_vocab_16e6.txt.gz.

    python -m inference.demo_model.training.vocabulary FILE.txt.gz OUT_FOLDER
"""

import argparse
import gzip
import hashlib
import json
import pathlib

SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
_MERGES = 49152 - 256 - 2


def byte_symbols():
    """The printable stand-in of each byte, in vocabulary order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1),
                 *range(0xAE, 0xFF + 1)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    packed = arguments.source.read_bytes()
    if hashlib.sha256(packed).hexdigest() != SHA256:
        parser.error(f"{arguments.source}: not CLIP's vocabulary (SHA-256 differs)")
    lines = gzip.decompress(packed).decode().split("\n")[1:_MERGES + 1]
    symbols = byte_symbols()
    words = (symbols + [s + "</w>" for s in symbols] +
             ["".join(line.split()) for line in lines] +
             ["<|startoftext|>", "<|endoftext|>"])
    vocabulary = {word: index for index, word in enumerate(words)}
    (arguments.out / "vocab.json").write_text(
        json.dumps(vocabulary, ensure_ascii=False))
    (arguments.out / "merges.txt").write_text(
        "\n".join(["#version: 0.2", *lines]) + "\n")


if __name__ == "__main__":
    main()
