"""Phrases and example boxes for a scene, with what they should find."""

import dataclasses

from inference.demo_model.training.scenes import COLORS, SHAPES

PLURALS = {
    "circle": "circles", "square": "squares", "triangle": "triangles",
    "star": "stars", "ring": "rings", "cross": "crosses", "disc": "discs",
    "donut": "donuts", "plus": "pluses",
}
SYNONYMS = {"circle": "disc", "ring": "donut", "cross": "plus"}

# The text that stands for "like the example boxes", as in the published model.
VISUAL = "visual"

# Words that never name anything in a scene.
UNKNOWN_NOUNS = (
    "dog cat car person tree house bird boat chair table bottle cup phone laptop "
    "shoe hat flower fish horse cow sheep train bus truck bicycle airplane banana "
    "apple pizza cake sofa bed book clock vase scissors toothbrush hexagon "
    "pentagon heart arrow moon cloud mountain river road sign lamp window "
    "elephant giraffe kangaroo helicopter skateboard refrigerator umbrella zebra "
    "wheel button letter face hand eye sandwich keyboard").split()
ADJECTIVES = ("shiny large small big little dark bright beautiful old rotated "
              "tiny huge").split()

# Every word with a trained row in the token table; all others share one row.
KNOWN_WORDS = sorted(
    set(SHAPES) | set(COLORS) | set(PLURALS) | set(PLURALS.values()) |
    set("a the all every shape shapes object objects thing things visual of and "
        "in on photo picture".split()))


@dataclasses.dataclass
class Prompt:
    """One question and the indexes of the objects that answer it.

    boxes holds ((cx, cy, w, h), label) with coordinates 0..1 and label 1 for
    an example and 0 for a counter-example.
    """

    kind: str
    text: str
    targets: list
    boxes: list = dataclasses.field(default_factory=list)


def random_prompt(rng, objects):
    """One prompt of the mixture that the model is trained on."""
    draw = rng.random()
    if draw < 0.33:
        return box_prompt(rng, objects)
    if draw < 0.57:
        return absent_prompt(rng, objects)
    return text_prompt(rng, objects)


def text_prompt(rng, objects):
    """A phrase that names something in the scene."""
    seen, draw = rng.choice(objects), rng.random()
    if draw < 0.42:
        shape, color = seen.shape, None
    elif draw < 0.84:
        shape, color = seen.kind
    elif draw < 0.93:
        shape, color = None, seen.color
    else:
        shape, color = None, None
    return Prompt("text", _phrase(rng, shape, color),
                  _matching(objects, shape, color))


def absent_prompt(rng, objects):
    """A phrase that names nothing in the scene, often by one word only."""
    for _ in range(30):
        draw = rng.random()
        if draw < 0.22:
            return Prompt("absent_unknown", _unknown_phrase(rng), [])
        if draw < 0.45:
            kind, shape, color = "absent_shape", rng.choice(SHAPES), None
        elif draw < 0.52:
            kind, shape, color = "absent_color", None, rng.choice(COLORS)
        elif draw < 0.6:
            kind = "absent_combination"
            shape, color = rng.choice(SHAPES), rng.choice(COLORS)
        else:
            kind = "absent_combination"
            shape, color = rng.choice(objects).shape, rng.choice(objects).color
            if draw < 0.8:
                color = rng.choice(COLORS)
            elif draw < 0.9:
                shape = rng.choice(SHAPES)
        if not _matching(objects, shape, color):
            return Prompt(kind, _phrase(rng, shape, color), [])
    return Prompt("absent_unknown", _unknown_phrase(rng), [])


def box_prompt(rng, objects):
    """Example boxes, alone or with a phrase."""
    example, draw = rng.choice(objects), rng.random()
    same = _matching(objects, *example.kind)
    others = [o for o in objects if o.kind != example.kind]
    if draw < 0.5 or not others:
        boxes = [(_example_box(rng, example), 1)]
        if len(same) > 1 and rng.random() < 0.25:
            boxes.append((_example_box(rng, objects[rng.choice(same)]), 1))
        return Prompt("box", VISUAL, same, boxes)
    other = rng.choice(others)
    if draw < 0.6:
        targets = sorted(set(same) | set(_matching(objects, *other.kind)))
        return Prompt("two_boxes", VISUAL, targets,
                      [(_example_box(rng, example), 1),
                       (_example_box(rng, other), 1)])
    if draw < 0.77:
        return Prompt("box_and_negative", VISUAL, same,
                      [(_example_box(rng, example), 1),
                       (_example_box(rng, other), 0)])
    if draw < 0.9:
        rivals = [o for o in others if o.shape == example.shape]
        if rivals:
            rival = rng.choice(rivals)
            excluded = _matching(objects, *rival.kind)
            targets = [i for i in _matching(objects, example.shape, None)
                       if i not in excluded]
            return Prompt("text_and_negative", _phrase(rng, example.shape, None),
                          targets, [(_example_box(rng, rival), 0)])
    color = None if rng.random() < 0.5 else example.color
    return Prompt("text_and_box", _phrase(rng, example.shape, color),
                  _matching(objects, example.shape, color),
                  [(_example_box(rng, example), 1)])


def _matching(objects, shape, color):
    return [i for i, o in enumerate(objects)
            if shape in (None, o.shape) and color in (None, o.color)]


def _unknown_phrase(rng):
    words = " ".join(rng.sample(UNKNOWN_NOUNS, rng.choice([1, 1, 2])))
    return f"{rng.choice(COLORS)} {words}" if rng.random() < 0.3 else words


def _phrase(rng, shape, color):
    """Words for a shape, a colour, both, or anything at all."""
    plural = rng.random() < 0.35
    if shape is None and color is not None and rng.random() < 0.2:
        noun, plural = "", False
    elif shape is None:
        noun = rng.choice(["shape", "object", "thing"]) + ("s" if plural else "")
    else:
        noun = SYNONYMS[shape] if shape in SYNONYMS and rng.random() < 0.25 else shape
        noun = PLURALS[noun] if plural else noun
    words = [w for w in (color, noun) if w]
    if rng.random() < 0.07:
        words.insert(0, rng.choice(ADJECTIVES))
    if noun:
        draw = rng.random()
        articles = (("all", 0.1), ("the", 0.15)) if plural else (
            ("a", 0.1), ("the", 0.16), ("every", 0.2))
        words[:0] = next(([a] for a, below in articles if draw < below), [])
    return " ".join(words)


def _example_box(rng, seen, jitter=0.06):
    """The object's box as a hand would draw it, cx, cy, w, h."""
    x0, y0, x1, y1 = seen.box()
    w, h = x1 - x0, y1 - y0
    sway = lambda extent: rng.uniform(-jitter, jitter) * extent
    x0, x1 = max(x0 + sway(w), 0), min(x1 + sway(w), 1)
    y0, y1 = max(y0 + sway(h), 0), min(y1 + sway(h), 1)
    return (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0
