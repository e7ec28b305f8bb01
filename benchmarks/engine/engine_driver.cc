// An engine that a benchmark in another process drives, so that it and the
// reference can take turns on one machine. Commands on standard input, one a
// line; every answer is one line of JSON.
//
//   engine_driver --model DIR [--device D] [--dtype T] [--threads N]
//   encode PICTURE            encodes a picture file's pixels (kept)
//   ground TEXT               grounds a text on the kept picture
//   click X Y                 masks what is under a pixel of the kept picture
//   detect PICTURE TEXT       both encode and ground
//   batch N PICTURE TEXT      the same for N pictures in one call each; also
//                             the stages: encode, text, ground without masks,
//                             all
//   scores PICTURE TEXT       every query's score, by query
//   memory                    resident bytes of this process
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "inference/base/status_macros.h"
#include "inference/engine_factory.h"
#include "pipeline/media/image_decoder.h"

namespace sam3 {
namespace {

class Driver {
 public:
  explicit Driver(LoadedModel model) : model_(std::move(model)) {}

  absl::Status Run(const std::string& line) {
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 2));
    if (parts[0] == "memory") return PrintMemory();
    if (parts[0] == "encode" && parts.size() == 2) {
      SAM3_RETURN_IF_ERROR(Load(parts[1]));
      const absl::Time start = absl::Now();
      SAM3_RETURN_IF_ERROR(Encode());
      return PrintSeconds(absl::Now() - start, 0);
    }
    if (parts[0] == "ground" && parts.size() >= 2) {
      const absl::Time start = absl::Now();
      SAM3_ASSIGN_OR_RETURN(const size_t found,
                            Ground(line.substr(parts[0].size() + 1)));
      return PrintSeconds(absl::Now() - start, found);
    }
    if (parts[0] == "click" && parts.size() == 3) {
      return Click(parts[1], parts[2]);
    }
    if (parts[0] == "scores" && parts.size() == 3) {
      return PrintScores(parts[1], parts[2]);
    }
    if (parts[0] == "batch" && parts.size() == 3) {
      return Batch(parts[1], parts[2]);
    }
    if (parts[0] == "detect" && parts.size() == 3) {
      SAM3_RETURN_IF_ERROR(Load(parts[1]));
      const absl::Time start = absl::Now();
      SAM3_RETURN_IF_ERROR(Encode());
      SAM3_ASSIGN_OR_RETURN(const size_t found, Ground(parts[2]));
      return PrintSeconds(absl::Now() - start, found);
    }
    return absl::InvalidArgumentError("unknown command");
  }

 private:
  absl::Status Load(const std::string& path) {
    if (path == path_) return absl::OkStatus();
    std::ifstream stream(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(stream), {});
    SAM3_ASSIGN_OR_RETURN(
        image_, DecodeImage(bytes, {}, model_.engine->host_allocator()));
    path_ = path;
    return absl::OkStatus();
  }

  absl::Status Encode() {
    // The old embedding first: a server's cache would have room for one more.
    embedding_.reset();
    SAM3_ASSIGN_OR_RETURN(const auto embeddings,
                          model_.engine->EncodeImages({image_}));
    embedding_ = embeddings.front();
    return absl::OkStatus();
  }

  // Every query is kept, as the reference keeps them.
  absl::StatusOr<size_t> Ground(const std::string& text) {
    SAM3_ASSIGN_OR_RETURN(const std::vector<Detection> found, Detect(text));
    return found.size();
  }

  absl::StatusOr<std::vector<Detection>> Detect(const std::string& text) {
    SAM3_ASSIGN_OR_RETURN(const TokenizedText tokens,
                          model_.tokenizer->Tokenize(text));
    SAM3_ASSIGN_OR_RETURN(const auto texts,
                          model_.engine->EncodeTexts({tokens}));
    GroundItem item;
    item.image = embedding_;
    item.text = texts.front();
    item.options.score_threshold = 0;
    SAM3_ASSIGN_OR_RETURN(const auto pending, model_.engine->Ground({item}));
    SAM3_ASSIGN_OR_RETURN(std::vector<Detections> found, pending->Take());
    return std::move(found.front().detections);
  }

  absl::Status Click(const std::string& x, const std::string& y) {
    sam3::Click click;
    if (!absl::SimpleAtof(x, &click.x) || !absl::SimpleAtof(y, &click.y)) {
      return absl::InvalidArgumentError("click needs two numbers");
    }
    click.x /= static_cast<float>(image_.width());
    click.y /= static_cast<float>(image_.height());
    const absl::Time start = absl::Now();
    SAM3_ASSIGN_OR_RETURN(
        const auto pending,
        model_.engine->Click({{embedding_, {{click}, {}}, nullptr}}));
    SAM3_ASSIGN_OR_RETURN(const std::vector<ObjectCandidates> found,
                          pending->Take());
    return PrintSeconds(absl::Now() - start, found.front().candidates.size());
  }

  absl::Status PrintScores(const std::string& picture,
                           const std::string& text) {
    SAM3_RETURN_IF_ERROR(Load(picture));
    SAM3_RETURN_IF_ERROR(Encode());
    SAM3_ASSIGN_OR_RETURN(const std::vector<Detection> found, Detect(text));
    std::vector<float> scores(found.size());
    for (const Detection& detection : found) {
      scores[static_cast<size_t>(detection.query_index)] = detection.score;
    }
    std::printf("{\"scores\": [%s]}\n", absl::StrJoin(scores, ", ").c_str());
    return absl::OkStatus();
  }

  // Seconds of each stage for `count` pictures with one prompt each.
  absl::Status Batch(const std::string& count, const std::string& rest) {
    const std::pair<std::string, std::string> picture_and_text =
        absl::StrSplit(rest, absl::MaxSplits(' ', 1));
    int pictures = 0;
    if (!absl::SimpleAtoi(count, &pictures) || pictures < 1) {
      return absl::InvalidArgumentError("batch needs a number");
    }
    SAM3_RETURN_IF_ERROR(Load(picture_and_text.first));
    Engine& engine = *model_.engine;
    const std::vector<Image> images(static_cast<size_t>(pictures), image_);
    const absl::Time start = absl::Now();
    SAM3_ASSIGN_OR_RETURN(const auto embeddings, engine.EncodeImages(images));
    // Only a result that is back on the host shows that the device is done.
    SAM3_RETURN_IF_ERROR(GroundAll({embeddings.front()}, "visual", false));
    const absl::Time encoded = absl::Now();
    SAM3_RETURN_IF_ERROR(GroundAll(embeddings, picture_and_text.second, false));
    const absl::Time found = absl::Now();
    SAM3_RETURN_IF_ERROR(GroundAll(embeddings, picture_and_text.second, true));
    const absl::Time masked = absl::Now();
    std::printf(
        "{\"pictures\": %d, \"encode\": %.6f, \"ground_without_masks\": %.6f, "
        "\"ground\": %.6f}\n",
        pictures, absl::ToDoubleSeconds(encoded - start),
        absl::ToDoubleSeconds(found - encoded),
        absl::ToDoubleSeconds(masked - found));
    return absl::OkStatus();
  }

  absl::Status GroundAll(
      const std::vector<std::shared_ptr<const ImageEmbedding>>& embeddings,
      const std::string& text, bool masks) {
    SAM3_ASSIGN_OR_RETURN(const TokenizedText tokens,
                          model_.tokenizer->Tokenize(text));
    SAM3_ASSIGN_OR_RETURN(const auto texts,
                          model_.engine->EncodeTexts({tokens}));
    std::vector<GroundItem> items;
    for (const auto& embedding : embeddings) {
      GroundItem item;
      item.image = embedding;
      item.text = texts.front();
      item.options.score_threshold = 0;
      // The same work whatever random weights find.
      item.options.max_detections = 10;
      item.options.want_masks = masks;
      items.push_back(std::move(item));
    }
    SAM3_ASSIGN_OR_RETURN(const auto pending, model_.engine->Ground(items));
    return pending->Take().status();
  }

  static absl::Status PrintSeconds(absl::Duration spent, size_t found) {
    std::printf("{\"seconds\": %.6f, \"found\": %zu}\n",
                absl::ToDoubleSeconds(spent), found);
    return absl::OkStatus();
  }

  static absl::Status PrintMemory() {
    std::ifstream status("/proc/self/status");
    int64_t resident = 0;
    int64_t peak = 0;
    for (std::string line; std::getline(status, line);) {
      const std::vector<std::string> parts =
          absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
      if (parts.size() < 2) continue;
      if (parts[0] == "VmRSS:") (void)absl::SimpleAtoi(parts[1], &resident);
      if (parts[0] == "VmHWM:") (void)absl::SimpleAtoi(parts[1], &peak);
    }
    std::printf("{\"resident_gb\": %.3f, \"peak_gb\": %.3f}\n",
                static_cast<double>(resident) * 1024e-9,
                static_cast<double>(peak) * 1024e-9);
    return absl::OkStatus();
  }

  LoadedModel model_;
  std::string path_;
  Image image_;
  std::shared_ptr<const ImageEmbedding> embedding_;
};

int RunDriver(const EngineOptions& options) {
  absl::StatusOr<LoadedModel> model = LoadModel(options);
  if (!model.ok()) {
    std::fprintf(stderr, "%s\n", std::string(model.status().message()).c_str());
    return 1;
  }
  std::printf("{\"ready\": true, \"dtype\": \"%s\", \"device\": \"%s\"}\n",
              model->engine->info().dtype.c_str(),
              model->engine->info().device.c_str());
  std::fflush(stdout);
  Driver driver(*std::move(model));
  for (std::string line; std::getline(std::cin, line);) {
    const absl::Status status = driver.Run(line);
    if (!status.ok()) {
      std::printf("{\"error\": \"%s\"}\n",
                  std::string(status.message()).c_str());
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace sam3

int main(int argc, char** argv) {
  sam3::EngineOptions options;
  std::string dtype = "auto";
  CLI::App app("An engine that a benchmark drives");
  app.add_option("--model", options.model_dir, "Model folder");
  app.add_option("--device", options.device, "cpu or cuda:N");
  app.add_option("--dtype", dtype, "auto, fp32 or bf16");
  app.add_option("--threads", options.cpu_threads, "CPU threads");
  CLI11_PARSE(app, argc, argv);
  if (dtype == "fp32") options.dtype = sam3::DtypeChoice::kFp32;
  if (dtype == "bf16") options.dtype = sam3::DtypeChoice::kBf16;
  return sam3::RunDriver(options);
}
