// Follows objects by one frame over and over, each with a memory as full as it
// can be: what an object costs. Speaks JSON with full_size_tracker.py, a line
// for each line: "track N" and "remember N" answer {"seconds": ...}; "dump
// FILE" writes the logits of one object, little-endian fp32.
//
//   tracker_timer --model DIR [--device D] [--dtype fp32|bf16] [--threads N]
//                 [--described N]
//
// DIR has the tracker's tensors in the published layout and, beside them, a
// frame and memories: input.{fine,middle,coarse,memory.K,pointer.K}.
#include <ATen/Context.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "inference/base/status_macros.h"
#include "inference/model_config.h"
#include "inference/torch/guard.h"
#include "inference/torch/tracker/tracker_head.h"

namespace sam3 {
namespace {

struct Flags {
  std::string model;
  std::string device = "cpu";
  std::string dtype = "fp32";
  int threads = 0;
  int described = 4;
};

class TrackerTimer {
 public:
  // The first `described` frames are; the last one is followed to.
  TrackerTimer(WeightReader& weights, const ModelConfig& config, int described)
      : device_(weights.device()),
        decoder_(weights, config),
        head_(weights, config, decoder_),
        bank_(*config.tracker, {}),
        frame_(described + config.tracker->pointer_count - 1) {
    const int64_t grid = config.vit.grid();
    const int64_t hidden = config.hidden_size();
    features_ = {
        weights.Read("input.fine", {1, 4 * grid, 4 * grid, hidden / 8}),
        weights.Read("input.middle", {1, 2 * grid, 2 * grid, hidden / 4}),
        weights.Read("input.coarse", {1, grid * grid, hidden})};
    for (int64_t i = 0; i < frame_; ++i) {
      bank_.Add(i, i < described,
                weights
                    .Read(absl::StrCat("input.memory.", i),
                          {grid * grid, config.tracker->memory_channels})
                    .to(at::kBFloat16),
                weights.Read(absl::StrCat("input.pointer.", i), {hidden}));
    }
  }

  double Track(int count) {
    const std::vector<TrackQuery> queries(static_cast<size_t>(count), Query());
    return Time([&] { tracked_ = head_.Track(queries); });
  }

  double Remember(int count) {
    Track(count);
    return Time([&] {
      head_.Remember(features_, tracked_.logits, tracked_.object_logit, false);
    });
  }

  void Dump(const std::string& path) {
    Track(1);
    const at::Tensor logits = tracked_.logits.cpu().contiguous();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(logits.const_data_ptr<float>()),
               static_cast<std::streamsize>(logits.nbytes()));
  }

  size_t bank_bytes() const { return bank_.size_bytes(); }

 private:
  TrackQuery Query() const { return {&features_, &bank_, frame_, 16, {}}; }

  template <typename Work>
  double Time(const Work& work) const {
    const absl::Time start = absl::Now();
    work();
    if (device_.is_cuda()) {
      at::detail::getCUDAHooks().deviceSynchronize(device_.index());
    }
    return absl::ToDoubleSeconds(absl::Now() - start);
  }

  const at::Device device_;
  const InteractiveHead decoder_;
  const TrackerHead head_;
  MemoryBank bank_;
  const int64_t frame_;
  ObjectFeatures features_;
  TrackedObjects tracked_;
};

absl::Status Serve(TrackerTimer& timer) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    std::string argument;
    words >> command >> argument;
    if (command == "dump") {
      timer.Dump(argument);
      std::printf("{\"bank_bytes\": %zu}\n", timer.bank_bytes());
    } else if (command == "track" || command == "remember") {
      const int count = std::stoi(argument);
      std::printf("{\"seconds\": %.6f}\n", command == "track"
                                               ? timer.Track(count)
                                               : timer.Remember(count));
    } else {
      return absl::InvalidArgumentError(absl::StrCat("no command ", command));
    }
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

absl::Status Run(const Flags& flags) {
  std::ifstream stream(flags.model + "/config.json");
  SAM3_ASSIGN_OR_RETURN(const ModelConfig config,
                        ParseModelConfig(std::string(
                            std::istreambuf_iterator<char>(stream), {})));
  SAM3_ASSIGN_OR_RETURN(const Checkpoint checkpoint,
                        Checkpoint::FromFolder(flags.model));
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  return GuardTorch([&]() -> absl::Status {
    const c10::InferenceMode inference_mode;
    at::globalContext().setAllowTF32CuBLAS(false);
    WeightReader weights(checkpoint, at::Device(flags.device),
                         flags.dtype == "bf16" ? at::kBFloat16 : at::kFloat);
    TrackerTimer timer(weights, config, flags.described);
    SAM3_RETURN_IF_ERROR(weights.Finish());
    std::printf("{\"ready\": true}\n");
    std::fflush(stdout);
    return Serve(timer);
  });
}

}  // namespace
}  // namespace sam3

int main(int argc, char** argv) {
  CLI::App app("Times the tracker on the tensors of a folder.");
  sam3::Flags flags;
  app.add_option("--model", flags.model)->required();
  app.add_option("--device", flags.device);
  app.add_option("--dtype", flags.dtype)
      ->check(CLI::IsMember({"fp32", "bf16"}));
  app.add_option("--threads", flags.threads);
  app.add_option("--described", flags.described, "frames")
      ->check(CLI::Range(1, 4));
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = sam3::Run(flags);
  if (status.ok()) return 0;
  std::printf("{\"error\": \"%s\"}\n", std::string(status.message()).c_str());
  return 1;
}
