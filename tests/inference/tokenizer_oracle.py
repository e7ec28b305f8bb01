"""Compares our tokenizer with CLIPTokenizerFast on some 12,000 strings.

    python tests/inference/tokenizer_oracle.py PATH_OF_tokenizer_driver MODEL_FOLDER
"""

import json
import random
import struct
import subprocess
import sys

from transformers import CLIPTokenizerFast

WORDS = ("red blue green striped yellow school bus dog cat person on the left "
         "wearing a hat's they're I'll we've can't don't 3 42 1999 20% $5 C++ "
         "e-mail co-operate naïve café Straße Ĳssel ǅ İstanbul ΣΊΣΥΦΟΣ ﬁne "
         "日本語 人 猫 한국어 русский текст العربية עברית ไทย 🚗 👩‍👩‍👧 ½ ² Ⅷ "
         "don''t '' ' \" `` … — – ¿qué? #tag @user a_b a__b x=y <|endoftext|> "
         "<|startoftext|> <|ENDOFTEXT|> !!! ??? ... ;-) :-D").split()
SPACES = [" ", "  ", "\t", "\n", "\u00a0", "\u3000", "\u2003", " \r\n ", ""]


def texts(vocabulary: list[str]):
    generator = random.Random(5)
    yield from ("", " ", "\n", "a", "'", "'s", "''s", "it's", "IT'S", "’s",
                "e\u0301", "\u1e9b\u0323", "\ufb03", "\u212b", "a" * 300,
                "0123456789", "x" * 31 + "y", "\u200bzero\u200bwidth",
                "\ufeffbom", "\u00adsoft", "\x00nul", "a\u0300\u0301b")
    for _ in range(4000):
        count = generator.randint(1, 40)
        yield "".join(generator.choice(WORDS) + generator.choice(SPACES)
                      for _ in range(count))
    for _ in range(3000):
        yield "".join(chr(generator.choice((
            generator.randint(32, 126), generator.randint(0xA0, 0x24F),
            generator.randint(0x370, 0x5FF), generator.randint(0x3040, 0x30FF),
            generator.randint(0x4E00, 0x4FFF), generator.randint(0x1F300,
                                                                 0x1F5FF))))
                      for _ in range(generator.randint(1, 30)))
    for _ in range(3000):
        yield " ".join(generator.choice(vocabulary).replace("</w>", " ")
                       for _ in range(generator.randint(1, 12)))
    for _ in range(2000):
        word = generator.choice(WORDS)
        yield generator.choice((word.upper(), word.title(), word * 3,
                                word + generator.choice(WORDS), word[::-1]))


def main():
    driver, folder = sys.argv[1:3]
    tokenizer = CLIPTokenizerFast.from_pretrained(folder)
    with open(f"{folder}/vocab.json", encoding="utf-8") as file:
        vocabulary = list(json.load(file))
    cases = list(texts(vocabulary))
    payload = b"".join(struct.pack("<i", len(raw)) + raw
                       for raw in (text.encode() for text in cases))
    run = subprocess.run([driver], input=payload, capture_output=True,
                         check=True)
    lines = run.stdout.decode().split("\n")[:-1]
    assert len(lines) == len(cases), f"{len(lines)} answers to {len(cases)}"
    wrong = 0
    for text, line in zip(cases, lines):
        expected = tokenizer(text, add_special_tokens=False)["input_ids"]
        if line != " ".join(map(str, expected)):
            wrong += 1
            if wrong <= 5:
                print(f"{text!r}\n  ours   {line}\n  theirs {expected}")
    print(f"{len(cases)} texts, {wrong} differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
