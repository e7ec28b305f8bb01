"""Hugging Face's own bookkeeping of a video, without its networks.

The methods of Sam3VideoModel that plan a frame run on a real session; what they
would ask of a network is recorded instead. Their two compiled kernels are
replaced by plain ones, since nothing is suppressed or filled without them.
"""

import cv2
import numpy as np
import torch
from transformers.models.sam3_video import modeling_sam3_video as modeling

from planning_oracle import ABSENT, CLAMPED, DETECTION, TRACK, Options, Seen

# The masks are tiny: more threads would only wait for each other.
torch.set_num_threads(1)
cv2.setNumThreads(1)

PROMPTS = (0, 7)


class PlainKernels:

    @staticmethod
    def cc_2d(masks: torch.Tensor, get_counts: bool):
        assert get_counts
        labels, counts = torch.zeros_like(masks), []
        for mask in masks[:, 0].numpy():
            _, label, stats, _ = cv2.connectedComponentsWithStats(
                mask, connectivity=8)
            counts.append(stats[label, cv2.CC_STAT_AREA])
        return labels, torch.from_numpy(np.stack(counts))[:, None]

    @staticmethod
    def generic_nms(ious, probs, threshold: float, use_iou_matrix: bool):
        assert use_iou_matrix
        kept: list[int] = []
        for i in torch.sort(probs, descending=True, stable=True)[1].tolist():
            if all(ious[k, i] <= threshold for k in kept):
                kept.append(i)
        return torch.tensor(kept)


class StubModel:
    """Sam3VideoModel without an initialiser."""

    for _name in ("_associate_det_trk", "_process_hotstart",
                  "_prepare_recondition_masks",
                  "_get_objects_to_suppress_based_on_most_recently_occluded",
                  "_suppress_overlapping_based_on_recent_occlusion",
                  "_apply_non_overlapping_constraints", "_suppress_shrunk_masks",
                  "_suppress_object_pw_area_shrinkage",
                  "_suppress_object_pw_area_shrinkage_impl",
                  "_tracker_update_memories", "run_tracker_update_planning_phase",
                  "run_tracker_update_execution_phase", "build_outputs",
                  "_merge_detections_from_prompts"):
        locals()[_name] = getattr(modeling.Sam3VideoModel, _name)

    def __init__(self, options: Options, hole_area: int, size: int):
        self.assoc_iou_thresh = options.match_overlap
        self.trk_assoc_iou_thresh = options.track_match_overlap
        self.new_det_thresh = options.birth_score
        self.high_conf_thresh = options.recondition_score
        self.high_iou_thresh = options.recondition_overlap
        self.recondition_on_trk_masks = True
        self.recondition_every_nth_frame = options.recondition_period_frames
        self.max_num_objects = options.max_objects
        self.hotstart_delay = options.hotstart_frames
        self.hotstart_unmatch_thresh = options.hotstart_unmatched_frames
        self.hotstart_dup_thresh = options.hotstart_duplicate_frames
        self.init_trk_keep_alive = options.keep_alive_initial
        self.max_trk_keep_alive = options.keep_alive_max
        self.min_trk_keep_alive = options.keep_alive_min
        self.decrease_trk_keep_alive_for_empty_masklets = bool(
            options.keep_alive_counts_empty)
        self.suppress_unmatched_only_within_hotstart = not (
            options.hide_at_keep_alive_end)
        self.suppress_overlapping_based_on_recent_occlusion_threshold = (
            options.occlusion_overlap)
        self.fill_hole_area = hole_area
        self.low_res_mask_size = size
        self.memory: tuple[torch.Tensor, torch.Tensor] | None = None

    def run_memory_encoder(self, session, frame_idx, masks, object_scores):
        self.memory = masks.clone()[:, 0], object_scores.flatten()
        return torch.zeros(1, len(masks)), torch.zeros(1, len(masks))

    def _tracker_add_new_objects(self, inference_session, frame_idx,
                                 new_obj_ids, new_obj_masks, reverse):
        for id_ in new_obj_ids:
            inference_session.obj_id_to_idx(id_)


def expressible(options: Options) -> bool:
    """Whether the reference has what the options ask for, and defines it."""
    return (options.end_after_lost_frames == 0 and
            not options.recondition_by_prompt and options.max_objects > 100)


def stacked(masks: list, scene) -> torch.Tensor:
    if not masks:
        return torch.zeros(0, scene.height, scene.width)
    return torch.from_numpy(np.stack(masks))


class Reference:

    def __init__(self, scene):
        modeling.cv_utils_kernel = PlainKernels
        self.scene = scene
        self.options = scene.options
        self.model = StubModel(scene.options, scene.hole_area, scene.height)
        self.session = modeling.Sam3VideoInferenceSession()
        self.session.prompts = {prompt: str(prompt) for prompt in PROMPTS}

    def detect(self, detections: list[Seen]):
        """Merged detections, their prompts, and their indices in the input."""
        found, indices = {}, []
        for prompt in PROMPTS:
            mine = [i for i, d in enumerate(detections) if d.name == prompt]
            probs = torch.tensor([float(detections[i].score) for i in mine])
            masks = stacked([detections[i].logits for i in mine], self.scene)
            if self.options.detection_overlap > 0:
                keep = modeling.nms_masks(probs, masks,
                                          self.options.detection_score,
                                          self.options.detection_overlap)
                probs[~keep] = 0
            chosen = torch.where(probs > self.options.detection_score)[0]
            found[prompt] = {"bbox": torch.zeros(len(chosen), 4),
                             "mask": masks[chosen], "scores": probs[chosen]}
            indices += [mine[i] for i in chosen.tolist()]
        merged, prompts = self.model._merge_detections_from_prompts(
            found, self.session)
        if not indices:
            merged["mask"] = stacked([], self.scene)
        return merged, prompts, indices

    def propagate(self, frame: int, tracks):
        for id_ in self.session.obj_ids:
            index = self.session.obj_id_to_idx(id_)
            self.session.output_dict_per_obj[index]["non_cond_frame_outputs"][
                frame] = {}
        raw = stacked([raw for _, raw in tracks], self.scene)
        if tracks:
            raw = modeling.fill_holes_in_mask_scores(
                raw[:, None], self.scene.hole_area)[:, 0]
        return raw, torch.tensor([float(seen.score) for seen, _ in tracks])

    def compare(self, frame: int, detections: list[Seen], tracks,
                expected: dict) -> str | None:
        """What the oracle's plan has otherwise, if anything."""
        session, model = self.session, self.model
        if session.obj_ids != [seen.name for seen, _ in tracks]:
            return f"objects {session.obj_ids}"
        found, prompts, indices = self.detect(detections)
        masks, scores = self.propagate(frame, tracks)
        if not torch.equal(masks, stacked([seen.logits for seen, _ in tracks],
                                          self.scene)):
            return "filled masks"
        model.memory = None
        plan, metadata = model.run_tracker_update_planning_phase(
            session, frame, False, found, masks, scores, prompts,
            streaming=not self.options.remove_in_hotstart)
        ids = list(session.obj_ids)
        wrong = self.compare_plan(plan, indices, ids, tracks, frame, expected)
        model.run_tracker_update_execution_phase(session, frame, found, plan)
        shown = model.build_outputs(session, found, masks, plan,
                                    plan["reconditioned_obj_ids"])
        extra = metadata["extra_metadata"]
        wrong = wrong or self.compare_tracks(metadata, expected)
        # On a frame of removals the reference gives masks to the wrong ids.
        if not expected["removals"]:
            wrong = wrong or self.compare_outputs(
                shown, metadata["obj_id_to_score"],
                extra["suppressed_obj_ids"][frame], expected)
        session.obj_ids = list(metadata["obj_ids"])
        for name in ("obj_id_to_score", "obj_id_to_tracker_score_frame_wise",
                     "obj_id_to_last_occluded", "max_obj_id"):
            setattr(session, name, metadata[name])
        for name, value in extra.items():
            setattr(session, name, value)
        return wrong

    def compare_plan(self, plan: dict, indices, ids, tracks, frame,
                     expected: dict) -> str | None:
        births = [[id_, indices[d]] for id_, d in
                  zip(plan["new_det_obj_ids"], plan["new_det_out_inds"])]
        if births != expected["births"]:
            return f"births {births}"
        removed = plan["obj_ids_newly_removed"]
        if sorted(removed) != expected["removals"]:
            return f"removals {removed}"
        confirming = plan["trk_id_to_max_iou_high_conf_det"]
        reconditioned = [[id_, indices[confirming[id_]]] for id_ in
                         sorted(plan["reconditioned_obj_ids"] - removed)]
        promoted = [id_ for id_ in ids if id_ not in removed and frame in
                    self.session.output_dict_per_obj[
                        self.session.obj_id_to_idx(id_)]["cond_frame_outputs"]]
        if (reconditioned != expected["reconditioned"] or
                promoted != [pair[0] for pair in reconditioned]):
            return f"reconditioned {reconditioned}, promoted {promoted}"
        if not ids:
            return None
        logits = {seen.name: torch.from_numpy(seen.logits)
                  for seen, _ in tracks}
        written = dict(zip(ids, zip(*self.model.memory)))
        for id_, kind, present in expected["memory"]:
            mask = logits[id_]
            if kind == CLAMPED:
                mask = mask.clamp(max=-10)
            elif kind == ABSENT:
                mask = torch.full_like(mask, -10)
            if (not torch.equal(written[id_][0], mask) or
                    written[id_][1] != (10 if present else -10)):
                return f"memory of {id_}"
        return None

    def compare_tracks(self, metadata: dict, expected: dict) -> str | None:
        extra = metadata["extra_metadata"]
        occluded = metadata["obj_id_to_last_occluded"]
        found = [[id_, extra["trk_keep_alive"][id_],
                  len(extra["unmatched_frame_inds"].get(id_, [])),
                  int(occluded[id_]) if id_ in occluded else -2]
                 for id_ in metadata["obj_ids"]]
        if found != [track[:4] for track in expected["tracks"]]:
            return f"tracks {found}"
        return None

    def compare_outputs(self, shown: dict, scores: dict, hidden: set,
                        expected: dict) -> str | None:
        visible = sorted(id_ for id_, mask in shown.items()
                         if id_ not in hidden and (mask > 0).any())
        outputs = {output[0]: output for output in expected["outputs"]}
        if visible != sorted(outputs):
            return f"outputs {visible}"
        for id_, output in outputs.items():
            if scores[id_] != float(output[3]):
                return f"score of {id_}"
        return None
