// Plans scripted frames for association_oracle.py. Reads commands from standard
// input, little-endian, and answers each with one line:
//   S  options, size and hole area: a new scene        nothing
//   F  one frame of the scene                          its plan, as JSON
//   P  a prompt that leaves                            the events, as JSON
//   H  a mask: size, area, logits                      what became of its
//   pixels
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "inference/association/frame_plan.h"
#include "inference/association/hole_filling.h"

namespace {

using sam3::AssociationOptions;

template <typename T>
T Read() {
  T value{};
  std::cin.read(reinterpret_cast<char*>(&value), sizeof(value));
  return value;
}

std::vector<float> ReadLogits(int width, int height) {
  std::vector<float> logits(static_cast<size_t>(width) * height);
  std::cin.read(reinterpret_cast<char*>(logits.data()),
                static_cast<std::streamsize>(logits.size() * sizeof(float)));
  return logits;
}

AssociationOptions ReadOptions() {
  AssociationOptions options;
  for (float* field : {&options.detection_score, &options.detection_overlap,
                       &options.match_overlap, &options.track_match_overlap,
                       &options.birth_score, &options.recondition_score,
                       &options.recondition_overlap, &options.occlusion_overlap,
                       &options.memory_area_share}) {
    *field = Read<float>();
  }
  for (int* field :
       {&options.max_objects, &options.hotstart_frames,
        &options.hotstart_unmatched_frames, &options.hotstart_duplicate_frames,
        &options.confirmation_delay_frames, &options.keep_alive_initial,
        &options.keep_alive_max, &options.keep_alive_min,
        &options.end_after_lost_frames, &options.recondition_period_frames}) {
    *field = Read<int32_t>();
  }
  for (bool* field :
       {&options.remove_in_hotstart, &options.keep_alive_counts_empty,
        &options.hide_at_keep_alive_end}) {
    *field = Read<int32_t>() != 0;
  }
  if (Read<int32_t>() != 0) {
    options.recondition_source = sam3::ReconditionSource::kDetectionPrompt;
  }
  return options;
}

// A JSON list of what `format` makes of the items.
template <typename Items, typename Format>
std::string List(const Items& items, Format format) {
  return absl::StrCat(
      "[",
      absl::StrJoin(items, ",",
                    [&format](std::string* out, const auto& item) {
                      absl::StrAppend(out, format(item));
                    }),
      "]");
}

std::string Events(const std::vector<sam3::TrackEvent>& events) {
  return List(events, [](const sam3::TrackEvent& event) {
    return absl::StrFormat("[%d,%d,%d]", event.id, event.prompt,
                           static_cast<int>(event.phase));
  });
}

std::string Pairs(const std::vector<sam3::ObjectDetection>& pairs) {
  return List(pairs, [](const sam3::ObjectDetection& pair) {
    return absl::StrFormat("[%d,%d]", pair.id, pair.detection);
  });
}

std::string Outputs(const std::vector<sam3::ObjectOutput>& outputs) {
  return List(outputs, [](const sam3::ObjectOutput& output) {
    return absl::StrFormat("[%d,%d,%d,%.9g,%.9g,%d,%d]", output.id,
                           output.prompt, static_cast<int>(output.phase),
                           output.score, output.overlap_score,
                           static_cast<int>(output.source), output.detection);
  });
}

std::string Tracks(const sam3::TrackTable& table) {
  return List(table.ids(), [&table](int64_t id) {
    const sam3::Track& track = table.at(id);
    return absl::StrFormat("[%d,%d,%d,%d,%d,%d]", id, track.keep_alive,
                           track.unmatched_frames,
                           track.last_occluded_frame.value_or(-2),
                           track.lost_frames, static_cast<int>(track.phase));
  });
}

std::string Json(const sam3::FramePlan& plan, const sam3::TrackTable& table) {
  const auto number = [](int64_t id) { return absl::StrCat(id); };
  return absl::StrCat(
      "{\"births\":", Pairs(plan.births),
      ",\"beyond_cap\":", plan.births_beyond_cap,
      ",\"removals\":", List(plan.removals, number),
      ",\"suppressed\":", List(plan.suppressed, number),
      ",\"reconditioned\":", Pairs(plan.reconditioned), ",\"memory\":",
      List(plan.memory,
           [](const sam3::MemoryWrite& write) {
             return absl::StrFormat("[%d,%d,%d]", write.id,
                                    static_cast<int>(write.mask),
                                    write.present);
           }),
      ",\"outputs\":", Outputs(plan.outputs),
      ",\"events\":", Events(plan.events), ",\"tracks\":", Tracks(table), "}");
}

class Driver {
 public:
  void Begin() {
    table_ = std::make_unique<sam3::TrackTable>(ReadOptions());
    width_ = Read<int32_t>();
    height_ = Read<int32_t>();
    hole_area_ = Read<int32_t>();
  }

  std::string Frame() {
    sam3::FrameInput input;
    input.frame = Read<int64_t>();
    const auto detections = static_cast<size_t>(Read<int32_t>());
    const auto tracks = static_cast<size_t>(Read<int32_t>());
    std::vector<std::vector<float>> logits(detections + tracks);
    for (size_t i = 0; i < detections; ++i) {
      const auto prompt = Read<int32_t>();
      const auto score = Read<float>();
      logits[i] = ReadLogits(width_, height_);
      input.detections.push_back({prompt, score, logits[i]});
    }
    for (size_t i = detections; i < logits.size(); ++i) {
      const auto id = Read<int64_t>();
      const auto object_score = Read<float>();
      logits[i] = ReadLogits(width_, height_);
      sam3::FillHoles(width_, height_, hole_area_, absl::MakeSpan(logits[i]));
      input.tracks.push_back({id, object_score, logits[i]});
    }
    return Json(sam3::PlanFrame(input, table_.get()), *table_);
  }

  std::string RemovePrompt() {
    return Events(table_->RemovePrompt(Read<int32_t>()));
  }

 private:
  std::unique_ptr<sam3::TrackTable> table_;
  int width_ = 0;
  int height_ = 0;
  int hole_area_ = 0;
};

std::string Filled() {
  const auto width = Read<int32_t>();
  const auto height = Read<int32_t>();
  const auto area = Read<int32_t>();
  const std::vector<float> before = ReadLogits(width, height);
  std::vector<float> after = before;
  sam3::FillHoles(width, height, area, absl::MakeSpan(after));
  std::string pixels;
  for (size_t i = 0; i < after.size(); ++i) {
    pixels += after[i] == before[i] ? '='
              : after[i] == 0.1f    ? 'f'
              : after[i] == -0.1f   ? 'w'
                                    : '?';
  }
  return pixels;
}

}  // namespace

int main() {
  Driver driver;
  for (char command = 0; std::cin.get(command);) {
    if (command == 'S') {
      driver.Begin();
      continue;
    }
    std::cout << (command == 'F'   ? driver.Frame()
                  : command == 'P' ? driver.RemovePrompt()
                                   : Filled())
              << std::endl;
  }
  return 0;
}
