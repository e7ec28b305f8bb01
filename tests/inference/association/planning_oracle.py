"""A second implementation of association, written from its description.

It keeps whole lists of frames where the program keeps counters, and plain
arrays where it keeps bits: slow, unbounded and easy to compare with the text.
"""

import dataclasses

import cv2
import numpy as np

TENTATIVE, CONFIRMED, LOST, RECOVERED, RETRACTED, ENDED = range(6)
WHOLE, CLAMPED, ABSENT = range(3)
TRACK, DETECTION, FILLED_DETECTION = range(3)
NEVER, ALWAYS = -1, 1 << 62


@dataclasses.dataclass
class Options:
    """In the order in which association_driver.cc reads them."""

    detection_score: float = 0.5
    detection_overlap: float = 0.1
    match_overlap: float = 0.1
    track_match_overlap: float = 0.5
    birth_score: float = 0.7
    recondition_score: float = 0.8
    recondition_overlap: float = 0.8
    occlusion_overlap: float = 0.7
    memory_area_share: float = 0.3
    max_objects: int = 10000
    hotstart_frames: int = 15
    hotstart_unmatched_frames: int = 8
    hotstart_duplicate_frames: int = 8
    confirmation_delay_frames: int = 0
    keep_alive_initial: int = 30
    keep_alive_max: int = 30
    keep_alive_min: int = -1
    end_after_lost_frames: int = 0
    recondition_period_frames: int = 16
    remove_in_hotstart: int = 1
    keep_alive_counts_empty: int = 0
    hide_at_keep_alive_end: int = 0
    recondition_by_prompt: int = 0


@dataclasses.dataclass
class Seen:
    """A detection or a propagated track."""

    name: int  # the detection's prompt, the track's id
    score: np.float32  # the track's is a logit
    logits: np.ndarray


def small_components(wanted: np.ndarray, area: int) -> np.ndarray:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        wanted.astype(np.uint8), connectivity=8)
    return wanted & (stats[labels, cv2.CC_STAT_AREA] <= area)


def fill_holes(logits: np.ndarray, area: int) -> np.ndarray:
    if area <= 0:
        return logits
    logits = np.where(small_components(logits <= 0, area), np.float32(0.1),
                      logits)
    inside = logits > 0
    area = min(area, int(inside.sum()) // 2)
    return np.where(small_components(inside, area), np.float32(-0.1), logits)


def overlaps(rows: list[np.ndarray], columns: list[np.ndarray]) -> np.ndarray:
    """Of every mask with every other, counted exactly, divided in fp32."""
    if not rows or not columns:
        return np.zeros((len(rows), len(columns)), np.float32)
    a = np.stack([mask.ravel() > 0 for mask in rows]).astype(np.int64)
    b = np.stack([mask.ravel() > 0 for mask in columns]).astype(np.int64)
    common = a @ b.T
    union = a.sum(axis=1)[:, None] + b.sum(axis=1)[None] - common
    return common.astype(np.float32) / np.maximum(union, 1).astype(np.float32)


class Oracle:

    def __init__(self, options: Options):
        self.options = options
        self.next_id = 0
        self.alive: list[int] = []
        self.prompt: dict[int, int] = {}
        self.birth: dict[int, tuple[int, np.float32]] = {}
        self.unmatched: dict[int, list[int]] = {}
        self.pairs: dict[tuple[int, int], list[int]] = {}
        self.keep_alive: dict[int, int] = {}
        self.occluded: dict[int, int] = {}
        self.lost_frames: dict[int, int] = {}
        self.phase: dict[int, int] = {}

    def select(self, detections: list[Seen]) -> list[int]:
        at_least = np.float32(self.options.detection_score)
        chosen = [i for i, d in enumerate(detections) if d.score > at_least]
        if self.options.detection_overlap <= 0:
            return chosen
        masks = [d.logits for d in detections]
        rivals = overlaps(masks, masks) > np.float32(
            self.options.detection_overlap)
        kept: list[int] = []
        for i in sorted(chosen, key=lambda i: (-detections[i].score, i)):
            if not any(rivals[k, i] and detections[k].name == detections[i].name
                       for k in kept):
                kept.append(i)
        return sorted(kept)

    def match(self, detections: list[Seen], tracks: list[Seen]):
        """New detections, unmatched and empty ids, and two mappings."""
        o = self.options
        if not tracks:
            return list(range(len(detections))), [], [], {}, {}
        table = overlaps([d.logits for d in detections],
                         [t.logits for t in tracks])
        for d, detection in enumerate(detections):
            for t, track in enumerate(tracks):
                if detection.name != self.prompt[track.name]:
                    table[d, t] = 0
        new, together, confirming = [], {}, {}
        for d, detection in enumerate(detections):
            together[d] = [track.name for t, track in enumerate(tracks)
                           if table[d, t] >= np.float32(o.match_overlap)]
            if not together[d] and detection.score >= np.float32(o.birth_score):
                new.append(d)
            elif (detection.score >= np.float32(o.recondition_score) and
                  table[d].max() >= np.float32(o.recondition_overlap)):
                confirming[tracks[int(table[d].argmax())].name] = d
        empty = [t.name for t in tracks if not (t.logits > 0).any()]
        matched = (table >= np.float32(o.track_match_overlap)).any(axis=0)
        unmatched = [t.name for t, hit in zip(tracks, matched)
                     if not hit and t.name not in empty]
        return new, unmatched, empty, together, confirming

    def cap(self, new: list[int], scores) -> list[int]:
        room = max(self.options.max_objects - len(self.alive), 0)
        if len(new) <= room:
            return new
        return sorted(new, key=lambda d: (-scores[d], d))[:room]

    def young(self, id_: int, frame: int) -> bool:
        return self.birth[id_][0] > frame - self.options.hotstart_frames

    def count(self, frame: int, unmatched, empty, together) -> set[int]:
        """Updates counters; the ids that the hotstart removes."""
        o = self.options
        for id_ in {i for ids in together.values() for i in ids}:
            self.keep_alive[id_] = min(o.keep_alive_max,
                                       self.keep_alive[id_] + 1)
        for id_ in unmatched:
            self.unmatched[id_].append(frame)
        for id_ in unmatched + (empty if o.keep_alive_counts_empty else []):
            self.keep_alive[id_] = max(o.keep_alive_min,
                                       self.keep_alive[id_] - 1)
        for ids in together.values():
            elder = min(ids, key=lambda i: (self.birth[i][0], i), default=None)
            for id_ in ids:
                if id_ != elder:
                    self.pairs.setdefault((elder, id_), []).append(frame)
        if not o.remove_in_hotstart:
            return set()
        false = {i for i in self.alive
                 if len(self.unmatched[i]) >= o.hotstart_unmatched_frames}
        false |= {i for (_, i), frames in self.pairs.items()
                  if len(frames) >= o.hotstart_duplicate_frames}
        return {i for i in self.alive if i in false and self.young(i, frame)}

    def suppress(self, frame: int, tracks: list[Seen], removed) -> set[int]:
        if self.options.occlusion_overlap <= 0:
            return set()
        last = {t.name: self.occluded.get(
            t.name, ALWAYS if t.name in removed else NEVER) for t in tracks}
        masks = [t.logits for t in tracks]
        near = overlaps(masks, masks) >= np.float32(
            self.options.occlusion_overlap)
        losers = {a.name for i, a in enumerate(tracks)
                  for j, b in enumerate(tracks)
                  if near[i, j] and
                  self.prompt[a.name] == self.prompt[b.name] and
                  last[a.name] > last[b.name] > NEVER}
        for t in tracks:
            gone = t.name in losers or not (t.logits > 0).any()
            self.occluded[t.name] = frame if gone else last[t.name]
        return losers

    def shrunk(self, tracks: list[Seen], suppressed) -> set[int]:
        """Ids whose masks lose too much where masks compete for pixels."""
        found = set()
        for prompt in {self.prompt[t.name] for t in tracks}:
            group = [t for t in tracks if self.prompt[t.name] == prompt]
            if len(group) == 1:
                continue
            stack = np.stack([np.full_like(t.logits, -10)
                              if t.name in suppressed else t.logits
                              for t in group])
            winner = stack.argmax(axis=0)
            for i, track in enumerate(group):
                inside = stack[i] > 0
                kept = np.float32((inside & (winner == i)).sum())
                share = kept / np.float32(max(inside.sum(), 1))
                if share < np.float32(self.options.memory_area_share):
                    found.add(track.name)
        return found

    def advance(self, frame: int, id_: int, visible: bool, events) -> bool:
        o = self.options
        lost = not visible or self.keep_alive[id_] <= 0
        self.lost_frames[id_] = self.lost_frames[id_] + 1 if lost else 0
        steps = []
        age = frame - self.birth[id_][0]
        if self.phase[id_] == TENTATIVE and age >= o.confirmation_delay_frames:
            steps.append(CONFIRMED)
        standing = steps[-1] if steps else self.phase[id_]
        if lost and standing == CONFIRMED:
            steps.append(LOST)
        if not lost and standing == LOST:
            steps.append(RECOVERED)
        for step in steps:
            events.append([id_, self.prompt[id_], step])
            self.phase[id_] = CONFIRMED if step == RECOVERED else step
        return 0 < o.end_after_lost_frames <= self.lost_frames[id_]

    def remove(self, id_: int, events) -> None:
        end = RETRACTED if self.phase[id_] == TENTATIVE else ENDED
        events.append([id_, self.prompt[id_], end])
        self.alive.remove(id_)

    def remove_prompt(self, prompt: int) -> list:
        events: list = []
        for id_ in list(self.alive):
            if self.prompt[id_] == prompt:
                self.remove(id_, events)
        return events

    def plan(self, frame: int, detections: list[Seen],
             tracks: list[Seen]) -> dict:
        o = self.options
        chosen = self.select(detections)
        counting = [detections[i] for i in chosen]
        new, unmatched, empty, together, confirming = self.match(counting,
                                                                 tracks)
        born = self.cap(new, [d.score for d in counting])
        removed = self.count(frame, unmatched, empty, together)
        period = o.recondition_period_frames
        recondition = {}
        if period > 0 and frame % period == 0:
            recondition = {t.name: chosen[confirming[t.name]] for t in tracks
                           if t.name in confirming and
                           t.score > np.float32(o.recondition_score)}
        suppressed = self.suppress(frame, tracks, removed)
        shrunk = self.shrunk(tracks, suppressed)
        visible = {t.name for t in tracks
                   if t.name not in suppressed and (t.logits > 0).any()}
        events: list = []
        for t in tracks:
            if t.name not in removed and self.advance(
                    frame, t.name, t.name in visible, events):
                removed.add(t.name)
            if t.name in removed:
                self.remove(t.name, events)
        stay = [t for t in tracks if t.name not in removed]
        memory = [[t.name, ABSENT if t.name in suppressed else
                   CLAMPED if t.name in shrunk else WHOLE,
                   int(t.name in visible and t.name not in shrunk)]
                  for t in stay]
        outputs = [self.output(t, recondition.get(t.name)) for t in stay
                   if t.name in visible or
                   (t.name in recondition and not o.recondition_by_prompt)]
        outputs = [output for output in outputs if output is not None]
        births = []
        for d in born:
            births.append([self.bear(frame, counting[d], events), chosen[d]])
            if (counting[d].logits > 0).any():
                id_, score = births[-1][0], counting[d].score
                outputs.append([id_, counting[d].name, self.phase[id_], score,
                                score, FILLED_DETECTION, chosen[d]])
        return {
            "births": births, "beyond_cap": len(new) - len(born),
            "removals": sorted(removed),
            "suppressed": sorted(suppressed - removed),
            "reconditioned": [[i, recondition[i]] for i in sorted(recondition)
                              if i not in removed],
            "memory": memory, "outputs": outputs, "events": events,
            "tracks": [[i, self.keep_alive[i], len(self.unmatched[i]),
                        self.occluded.get(i, -2), self.lost_frames[i],
                        self.phase[i]] for i in self.alive],
        }

    def output(self, track: Seen, detection: int | None) -> list | None:
        o, id_ = self.options, track.name
        if (o.remove_in_hotstart and o.hide_at_keep_alive_end and
                self.unmatched[id_] and self.keep_alive[id_] <= 0):
            return None
        by_detection = detection is not None and not o.recondition_by_prompt
        return [id_, self.prompt[id_], self.phase[id_], self.birth[id_][1],
                1 / (1 + np.exp(-track.score)),
                DETECTION if by_detection else TRACK,
                detection if by_detection else -1]

    def bear(self, frame: int, detection: Seen, events) -> int:
        id_ = self.next_id
        self.next_id += 1
        self.alive.append(id_)
        self.prompt[id_] = detection.name
        self.birth[id_] = (frame, detection.score)
        self.unmatched[id_] = []
        self.keep_alive[id_] = self.options.keep_alive_initial
        self.lost_frames[id_] = 0
        self.phase[id_] = (TENTATIVE if self.options.confirmation_delay_frames
                           else CONFIRMED)
        events.append([id_, detection.name, self.phase[id_]])
        return id_
