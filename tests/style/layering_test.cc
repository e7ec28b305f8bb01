// Folders are layers: reads the include lines of every source file and fails on
// one that a layer must not have. Also holds the size of files to the habit.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sam3 {
namespace {

namespace fs = std::filesystem;

struct SourceFile {
  std::string path;
  std::vector<std::string> includes;
  // Classes that it defines for others.
  std::vector<std::string> classes;
  int lines = 0;
};

// "Image" of "class Image final : public Picture {", nothing of a declaration
// or of what is inside another class.
absl::string_view ClassOf(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "class ") &&
      !absl::ConsumePrefix(&line, "struct ")) {
    return "";
  }
  const absl::string_view name = line.substr(0, line.find_first_of(" ;{"));
  return absl::EndsWith(line, ";") || absl::StrContains(name, "::") ? "" : name;
}

const std::vector<SourceFile>& Sources() {
  static const std::vector<SourceFile> kSources = [] {
    std::vector<SourceFile> sources;
    for (const char* folder :
         {"inference", "pipeline", "service", "cli", "tests", "benchmarks"}) {
      for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const std::string extension = entry.path().extension().string();
        if (extension != ".h" && extension != ".cc") continue;
        SourceFile source;
        source.path = entry.path().string();
        std::ifstream stream(entry.path());
        for (std::string line; std::getline(stream, line);) {
          ++source.lines;
          const absl::string_view class_name = ClassOf(line);
          if (extension == ".h" && !class_name.empty()) {
            source.classes.emplace_back(class_name);
          }
          absl::string_view rest = line;
          if (!absl::ConsumePrefix(&rest, "#include ")) continue;
          source.includes.emplace_back(rest.substr(1, rest.size() - 2));
        }
        sources.push_back(std::move(source));
      }
    }
    return sources;
  }();
  return kSources;
}

bool StartsWithAny(absl::string_view text,
                   std::initializer_list<absl::string_view> prefixes) {
  for (const absl::string_view prefix : prefixes) {
    if (absl::StartsWith(text, prefix)) return true;
  }
  return false;
}

// Fails for every include that `banned` matches in a file that `allowed` does
// not.
void Forbid(const std::string& what,
            const std::function<bool(const std::string&)>& banned,
            std::initializer_list<absl::string_view> allowed) {
  int seen = 0;
  for (const SourceFile& source : Sources()) {
    for (const std::string& include : source.includes) {
      if (!banned(include)) continue;
      ++seen;
      EXPECT_TRUE(StartsWithAny(source.path, allowed))
          << source.path << " includes " << include << ": " << what;
    }
  }
  EXPECT_GT(seen, 0) << "the rule matches nothing: " << what;
}

TEST(LayeringTest, TorchStaysInItsFolder) {
  Forbid("libtorch belongs to inference/torch",
         [](const std::string& include) {
           return StartsWithAny(include, {"ATen/", "c10/", "torch/", "cuda"});
         },
         {"inference/torch/", "tests/inference/torch/",
          "benchmarks/engine/torch/"});
}

TEST(LayeringTest, GrpcAndProtobufStayInTheService) {
  Forbid("gRPC and protobuf belong to the service",
         [](const std::string& include) {
           return StartsWithAny(include, {"grpc", "google/"}) ||
                  absl::EndsWith(include, ".pb.h");
         },
         {"service/", "cli/", "tests/service/", "tests/e2e/", "tests/style/",
          "tests/cli/", "benchmarks/"});
}

// The linker would take one of two for both, without a word.
TEST(LayeringTest, AClassHasItsNameAlone) {
  std::map<std::string, std::string> files;
  for (const SourceFile& source : Sources()) {
    for (const std::string& name : source.classes) {
      const auto [known, is_new] = files.emplace(name, source.path);
      EXPECT_TRUE(is_new) << name << " is in " << known->second << " and in "
                          << source.path;
    }
  }
  EXPECT_GT(files.size(), 100u);
}

TEST(LayeringTest, KeysKnowNoTransport) {
  int seen = 0;
  for (const SourceFile& source : Sources()) {
    if (!absl::StartsWith(source.path, "service/keys/")) continue;
    ++seen;
    for (const std::string& include : source.includes) {
      EXPECT_FALSE(
          StartsWithAny(include, {"grpc", "google/", "service/rpc/"}) ||
          absl::EndsWith(include, ".pb.h"))
          << source.path << " includes " << include;
    }
  }
  EXPECT_GT(seen, 0);
}

TEST(LayeringTest, MediaLibrariesStayInMedia) {
  Forbid("FFmpeg, image codecs, libcurl and c-ares belong to pipeline/media",
         [](const std::string& include) {
           return StartsWithAny(include, {"libav", "libsw", "jpeglib", "png.h",
                                          "webp/", "curl/", "ares"});
         },
         {"pipeline/media/", "tests/pipeline/media/"});
}

TEST(LayeringTest, OpenCvDrawsAndTraces) {
  Forbid("OpenCV is for contours and drawing",
         [](const std::string& include) {
           return StartsWithAny(include, {"opencv2/"});
         },
         {"pipeline/polygon", "cli/overlay", "cli/demo_scene"});
}

TEST(LayeringTest, LowerLayersDoNotKnowHigherOnes) {
  Forbid("the service is above the pipeline",
         [](const std::string& include) {
           return StartsWithAny(include, {"service/", "cli/"});
         },
         {"service/", "cli/", "tests/", "benchmarks/"});
  Forbid("the pipeline is above inference",
         [](const std::string& include) {
           return StartsWithAny(include, {"pipeline/"});
         },
         {"pipeline/", "service/", "cli/", "tests/", "benchmarks/"});
}

TEST(LayeringTest, OnlyTheFactoryKnowsTheTorchEngine) {
  Forbid("the engine is made by the factory",
         [](const std::string& include) {
           return StartsWithAny(include, {"inference/torch/"});
         },
         {"inference/torch/", "inference/engine_factory.cc",
          "tests/inference/torch/", "benchmarks/engine/torch/"});
}

TEST(FileSizeTest, FilesStaySmall) {
  for (const SourceFile& source : Sources()) {
    const bool test = absl::StartsWith(source.path, "tests/");
    const int limit = absl::EndsWith(source.path, ".h") ? 200
                      : test                            ? 800
                                                        : 500;
    EXPECT_LE(source.lines, limit) << source.path;
  }
}

TEST(HeaderTest, HeadersAreIncludedOnceAndNeverOpenNamespaces) {
  for (const SourceFile& source : Sources()) {
    if (!absl::EndsWith(source.path, ".h")) continue;
    std::ifstream stream(source.path);
    std::string first;
    std::getline(stream, first);
    EXPECT_EQ(first, "#pragma once") << source.path;
  }
}

}  // namespace
}  // namespace sam3
