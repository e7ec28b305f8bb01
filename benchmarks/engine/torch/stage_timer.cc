// Times every stage of the detector by itself, on random pixels: where a
// picture's milliseconds go. Prints one line of JSON, medians in milliseconds.
//
//   stage_timer --model DIR [--device D] [--dtype fp32|bf16] [--pictures N]
//               [--rounds R] [--threads N]
#include <ATen/Context.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "inference/base/status_macros.h"
#include "inference/model_config.h"
#include "inference/torch/guard.h"
#include "inference/torch/modules/detr_decoder.h"
#include "inference/torch/modules/detr_encoder.h"
#include "inference/torch/modules/mask_head.h"
#include "inference/torch/modules/neck.h"
#include "inference/torch/modules/positions.h"
#include "inference/torch/modules/scorer.h"
#include "inference/torch/modules/text_encoder.h"
#include "inference/torch/modules/vit.h"
#include "inference/torch/preprocess.h"

namespace sam3 {
namespace {

struct Flags {
  std::string model;
  std::string device = "cpu";
  std::string dtype = "fp32";
  int pictures = 1;
  int rounds = 5;
  int threads = 0;
};

class StageTimer {
 public:
  StageTimer(const Flags& flags, at::Device device)
      : flags_(flags), device_(device) {}

  // Runs `stage` once to warm up and then `rounds` times; returns its result.
  template <typename Stage>
  auto Time(const char* name, const Stage& stage) {
    auto result = stage();
    Wait();
    std::vector<double> times;
    for (int round = 0; round < flags_.rounds; ++round) {
      const absl::Time start = absl::Now();
      result = stage();
      Wait();
      times.push_back(absl::ToDoubleMilliseconds(absl::Now() - start));
    }
    std::nth_element(times.begin(), times.begin() + flags_.rounds / 2,
                     times.end());
    std::printf("%s\"%s\": %.3f", first_ ? "{" : ", ", name,
                times[static_cast<size_t>(flags_.rounds / 2)]);
    first_ = false;
    return result;
  }

 private:
  void Wait() const {
    if (device_.is_cuda()) {
      at::detail::getCUDAHooks().deviceSynchronize(device_.index());
    }
  }

  const Flags& flags_;
  const at::Device device_;
  bool first_ = true;
};

std::vector<Image> RandomImages(int count, int width, int height) {
  HeapAllocator allocator;
  std::vector<Image> images;
  images.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    const size_t bytes = static_cast<size_t>(width) * height * 3;
    const auto pixels = allocator.Allocate(bytes);
    uint32_t state = 1 + static_cast<uint32_t>(i);
    for (size_t k = 0; k < bytes; ++k) {
      state = state * 1664525u + 1013904223u;
      pixels.get()[k] = static_cast<uint8_t>(state >> 24);
    }
    images.emplace_back(pixels, width, height);
  }
  return images;
}

void TimeStages(const Flags& flags, WeightReader& weights,
                const ModelConfig& config) {
  const int64_t grid = config.vit.grid();
  const Vit vit(weights, "vision_encoder.backbone", config.vit);
  const Neck neck(weights, "vision_encoder.neck", config);
  const TextEncoder text(weights, "text_encoder", config);
  const DetrEncoder encoder(weights, "detr_encoder", config.encoder);
  const DetrDecoder decoder(weights, "detr_decoder", config);
  const Scorer scorer(weights, "dot_product_scoring", config);
  const MaskHead head(weights, "mask_decoder", config);
  const at::Tensor positions =
      SineGrid(grid, grid, config.hidden_size(), weights.device())
          .to(weights.dtype());
  const std::vector<Image> images = RandomImages(flags.pictures, 1920, 1080);
  const at::Tensor ids =
      at::arange(4).expand({flags.pictures, 4}).to(weights.device());

  StageTimer timer(flags, weights.device());
  const at::Tensor pixels = timer.Time("preprocess", [&] {
    return Preprocess(images, config.vit.image_size, weights.device(),
                      weights.dtype());
  });
  const at::Tensor hidden = timer.Time("vit", [&] { return vit(pixels); });
  const FeaturePyramid pyramid =
      timer.Time("neck", [&] { return neck(hidden); });
  const at::Tensor prompt = timer.Time("text", [&] { return text(ids); });
  const at::Tensor prepared = timer.Time("encoder, once a picture", [&] {
    return encoder.Prepare(pyramid.coarse.flatten(2).transpose(1, 2),
                           positions);
  });
  const at::Tensor encoded = timer.Time("encoder, once a prompt", [&] {
    return encoder(prepared, positions, prompt, {});
  });
  const DecoderOutput decoded = timer.Time(
      "decoder", [&] { return decoder(encoded, positions, prompt, {}); });
  const at::Tensor valid = at::ones({flags.pictures, prompt.size(1)},
                                    pixels.options().dtype(at::kFloat));
  timer.Time("scorer", [&] { return scorer(decoded.queries, prompt, valid); });
  const at::Tensor embeddings = timer.Time("pixel embeddings", [&] {
    return head.PixelEmbeddings(encoded, prompt, {},
                                {pyramid.fine, pyramid.middle, pyramid.coarse});
  });
  const at::Tensor masks = timer.Time("10 masks", [&] {
    return head.Masks(embeddings[0], decoded.queries[0].slice(0, 0, 10));
  });
  timer.Time("masks to the host", [&] { return masks.cpu(); });
  std::printf("}\n");
}

absl::Status Run(const Flags& flags) {
  std::ifstream stream(flags.model + "/config.json");
  const std::string json(std::istreambuf_iterator<char>(stream), {});
  SAM3_ASSIGN_OR_RETURN(const ModelConfig config, ParseModelConfig(json));
  SAM3_ASSIGN_OR_RETURN(const Checkpoint checkpoint,
                        Checkpoint::FromFolder(flags.model));
  return GuardTorch([&] {
    if (flags.threads > 0) at::set_num_threads(flags.threads);
    WeightReader weights(checkpoint, at::Device(flags.device),
                         flags.dtype == "bf16" ? at::kBFloat16 : at::kFloat);
    TimeStages(flags, weights, config);
    return absl::OkStatus();
  });
}

}  // namespace
}  // namespace sam3

int main(int argc, char** argv) {
  sam3::Flags flags;
  CLI::App app("Times every stage of the detector");
  app.add_option("--model", flags.model, "Model folder")->required();
  app.add_option("--device", flags.device, "cpu or cuda:N");
  app.add_option("--dtype", flags.dtype, "fp32 or bf16");
  app.add_option("--pictures", flags.pictures, "Pictures in a batch")
      ->check(CLI::PositiveNumber);
  app.add_option("--rounds", flags.rounds, "Counted runs of each stage")
      ->check(CLI::PositiveNumber);
  app.add_option("--threads", flags.threads, "CPU threads");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = sam3::Run(flags);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
