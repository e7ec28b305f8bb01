// Broken input of every kind, for every method, over a real socket: the code,
// the reason and the field that the client is told.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <limits>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/e2e/raw_call.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/synthetic_picture.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

using testing::Contains;
using testing::IsEmpty;

constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Bytes that are no protobuf message, whatever its type.
const std::vector<std::pair<const char*, std::string>>& BrokenMessages() {
  static const std::vector<std::pair<const char*, std::string>> kMessages = {
      {"field number 0", std::string("\x02\x00", 2)},
      {"varint that does not end", "\x78\x80\x80"},
      {"varint of eleven bytes", "\x78" + std::string(10, '\xff') + "\x01"},
      {"length beyond the end", "\x7a\x20short"},
      {"length of 2^63", "\x7a" + std::string(9, '\xff') + "\x7f"},
      {"wire type 6", std::string("\x7e\x00", 2)},
      {"wire type 7", std::string("\x7f\x00", 2)},
      {"end of a group that never began", "\x7c"},
      {"group without an end", "\x7b\x78\x01"},
      {"cut 64-bit number", "\x79\x01\x02"},
      {"cut 32-bit number", "\x7d\x01"},
      {"text", "GET / HTTP/1.1"}};
  return kMessages;
}

class BadInputTest : public ServerFixture {
 protected:
  // Nothing is left of what the test did, and the next client is served.
  void TearDown() override {
    EXPECT_EQ(Segment(RequestFor({"red"})).error_code(), grpc::StatusCode::OK);
    while (metrics_.streams_active.value() > 0) std::this_thread::yield();
    EXPECT_EQ(metrics_.queued_jobs.value(), 0);
  }

  static void Expect(const grpc::Status& status, grpc::StatusCode code,
                     const std::string& reason, const std::string& field) {
    const std::string told = absl::StrCat(field, ": ", status.error_message());
    EXPECT_EQ(status.error_code(), code) << told;
    EXPECT_EQ(ReasonIn(status), reason) << told;
    if (field.empty()) {
      EXPECT_THAT(FieldsIn(status), IsEmpty()) << told;
    } else {
      EXPECT_THAT(FieldsIn(status), Contains(field)) << told;
    }
  }

  grpc::Status Segment(const v1::SegmentConceptsRequest& request) {
    grpc::ClientContext context;
    v1::SegmentConceptsResponse response;
    return stub_->SegmentConcepts(&context, request, &response);
  }

  grpc::Status Embed(const v1::EmbedImageRequest& request) {
    grpc::ClientContext context;
    v1::EmbedImageResponse response;
    return stub_->EmbedImage(&context, request, &response);
  }

  grpc::Status Upload(const std::vector<v1::UploadImageRequest>& messages) {
    grpc::ClientContext context;
    v1::UploadImageResponse response;
    const auto writer = stub_->UploadImage(&context, &response);
    for (const auto& message : messages) {
      if (!writer->Write(message)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }

  grpc::Status Stream(const std::vector<v1::SegmentStreamRequest>& messages) {
    grpc::ClientContext context;
    const auto stream = stub_->SegmentStream(&context);
    for (const auto& message : messages) {
      if (!stream->Write(message)) break;
    }
    stream->WritesDone();
    v1::SegmentStreamResponse response;
    refusals_.clear();
    while (stream->Read(&response)) {
      if (response.has_refused()) {
        refusals_.push_back(response.refused().status());
      } else if (response.has_rejected()) {
        refusals_.push_back(response.rejected().status());
      }
    }
    return stream->Finish();
  }

  static v1::Image PictureOf(const std::string& content) {
    v1::Image image;
    image.set_content(content);
    return image;
  }

  // A header of 100,000 x 100,000 pixels.
  static std::string Gigantic() {
    std::string png = Picture();
    for (const size_t at : {16, 20}) {
      png.replace(at, 4, std::string("\x00\x01\x86\xA0", 4));
    }
    return png;
  }

  static std::string LongText() {
    std::string text;
    for (int i = 0; i < 33; ++i) absl::StrAppend(&text, "cat ");
    return text;
  }

  static v1::SegmentStreamRequest Config() {
    v1::SegmentStreamRequest request;
    request.mutable_config()->mutable_pushed_frames();
    request.mutable_config()->add_prompts()->set_text("red");
    return request;
  }

  static v1::SegmentStreamRequest ChunksConfig() {
    v1::SegmentStreamRequest request = Config();
    request.mutable_config()->mutable_pushed_chunks();
    return request;
  }

  static v1::SegmentStreamRequest Frame(const std::string& content) {
    v1::SegmentStreamRequest request;
    request.mutable_frame()->set_content(content);
    return request;
  }

  static v1::SegmentStreamRequest Chunk(const std::string& data) {
    v1::SegmentStreamRequest request;
    request.mutable_chunk()->set_data(data);
    return request;
  }

  static v1::UploadImageRequest Piece(const std::string& data) {
    v1::UploadImageRequest request;
    request.set_data(data);
    return request;
  }

  static void SetBox(v1::ConceptPrompt* prompt, float x, float y, float width,
                     float height) {
    auto* box = prompt->add_exemplars()->mutable_box()->mutable_xywh();
    box->set_x(x);
    box->set_y(y);
    box->set_width(width);
    box->set_height(height);
  }

  std::vector<google::rpc::Status> refusals_;
};

TEST_F(BadInputTest, BytesThatAreNoMessageForEveryMethod) {
  for (const char* method : {"SegmentConcepts", "EmbedImage", "UploadImage",
                             "SegmentStream", "Explain", "GetServerInfo"}) {
    for (const auto& [kind, bytes] : BrokenMessages()) {
      SCOPED_TRACE(absl::StrCat(method, ", ", kind));
      Expect(SendBytes(channel_, method, {bytes}), kInvalid, "INVALID_REQUEST",
             "message");
    }
  }
}

TEST_F(BadInputTest, ABrokenMessageIsNotTakenForTheEndOfTheInput) {
  const auto& broken = BrokenMessages()[0].second;
  Expect(SendBytes(channel_, "UploadImage",
                   {Piece(Picture()).SerializeAsString(), broken}),
         kInvalid, "INVALID_REQUEST", "message");
  Expect(SendBytes(channel_, "SegmentStream",
                   {Config().SerializeAsString(),
                    Frame(Picture()).SerializeAsString(), broken}),
         kInvalid, "INVALID_REQUEST", "message");
}

TEST_F(BadInputTest, TextsThatAreNotUtf8AreNamed) {
  const std::string latin1 = "caf\xe9";
  v1::SegmentConceptsRequest request = RequestFor({"red", latin1});
  Expect(SendBytes(channel_, "SegmentConcepts", {request.SerializeAsString()}),
         kInvalid, "INVALID_REQUEST", "prompts[1].text");
  v1::ExplainRequest explain;
  *explain.mutable_request() = request;
  Expect(SendBytes(channel_, "Explain", {explain.SerializeAsString()}),
         kInvalid, "INVALID_REQUEST", "request.prompts[1].text");
  request = RequestFor({"red"});
  request.mutable_fields()->add_paths(latin1);
  Expect(SendBytes(channel_, "SegmentConcepts", {request.SerializeAsString()}),
         kInvalid, "INVALID_REQUEST", "fields.paths[0]");
  v1::EmbedImageRequest embed;
  *embed.mutable_image() = PictureOf(Picture());
  embed.mutable_image()->set_image_id(latin1);
  Expect(SendBytes(channel_, "EmbedImage", {embed.SerializeAsString()}),
         kInvalid, "INVALID_REQUEST", "image.image_id");
  v1::UploadImageRequest piece = Piece(Picture());
  piece.set_image_id(latin1);
  Expect(SendBytes(channel_, "UploadImage", {piece.SerializeAsString()}),
         kInvalid, "INVALID_REQUEST", "image_id");
  v1::SegmentStreamRequest update;
  update.mutable_prompt_update()->add_remove_prompt_ids(latin1);
  Expect(SendBytes(channel_, "SegmentStream",
                   {Config().SerializeAsString(), update.SerializeAsString()}),
         kInvalid, "INVALID_REQUEST", "prompt_update.remove_prompt_ids[0]");
}

TEST_F(BadInputTest, AMessageOfAnotherTypeLacksWhatIsNeeded) {
  v1::EmbedImageRequest embed;
  *embed.mutable_image() = PictureOf(Picture());
  Expect(SendBytes(channel_, "SegmentConcepts", {embed.SerializeAsString()}),
         kInvalid, "INVALID_REQUEST", "prompts");
}

TEST_F(BadInputTest, PicturesThatAreNone) {
  const std::string no_pixels = DrawAreasPng(8, 8, {}).substr(0, 33);
  const std::tuple<const char*, std::string, grpc::StatusCode, const char*>
      kinds[] = {
          {"empty", "", kInvalid, "INVALID_REQUEST"},
          {"text", "This is no picture, it is a sentence.", kInvalid,
           "MEDIA_UNDECODABLE"},
          {"one byte", "\x89", kInvalid, "MEDIA_UNDECODABLE"},
          {"signature alone", Picture().substr(0, 8), kInvalid,
           "MEDIA_UNDECODABLE"},
          {"header alone", no_pixels, kInvalid, "MEDIA_UNDECODABLE"},
          {"half", Picture().substr(0, Picture().size() / 2), kInvalid,
           "MEDIA_UNDECODABLE"},
          {"JPEG signature before a PNG", "\xff\xd8\xff\xe0" + Picture(),
           kInvalid, "MEDIA_UNDECODABLE"},
          {"GIF", "GIF89a\x01\x01", kInvalid, "MEDIA_UNDECODABLE"},
          {"zeros", std::string(5000, '\0'), kInvalid, "MEDIA_UNDECODABLE"},
          {"gigantic header", Gigantic(), grpc::StatusCode::RESOURCE_EXHAUSTED,
           "MEDIA_TOO_LARGE"}};
  for (const auto& [kind, content, code, reason] : kinds) {
    SCOPED_TRACE(kind);
    v1::SegmentConceptsRequest request = RequestFor({"red"});
    request.mutable_image()->set_content(content);
    Expect(Segment(request), code, reason, "image.content");
    v1::EmbedImageRequest embed;
    *embed.mutable_image() = PictureOf(content);
    Expect(Embed(embed), code, reason, "image.content");
    Expect(Upload({Piece(content)}), code, reason, "data");
    if (content.empty()) continue;
    // On a stream it is the frame's fault, and the stream goes on.
    EXPECT_TRUE(Stream({Config(), Frame(content), Frame(Picture())}).ok());
    ASSERT_EQ(refusals_.size(), 1u);
    EXPECT_EQ(refusals_[0].code(), code);
  }
}

TEST_F(BadInputTest, TheBytesSayWhatAPictureIsAndNotItsName) {
  v1::EmbedImageRequest embed;
  *embed.mutable_image() = PictureOf(Picture());
  embed.mutable_image()->set_image_id("photo.jpg");
  EXPECT_TRUE(Embed(embed).ok());
}

TEST_F(BadInputTest, NamesAndModelsThatAreWrong) {
  const auto embed = [&](const std::string& content, const std::string& name) {
    v1::EmbedImageRequest request;
    if (!content.empty()) request.mutable_image()->set_content(content);
    request.mutable_image()->set_image_id(name);
    return request;
  };
  Expect(Embed({}), kInvalid, "INVALID_REQUEST", "image");
  Expect(Embed(embed(Picture(), std::string(129, 'n'))), kInvalid,
         "INVALID_REQUEST", "image.image_id");
  Expect(Embed(embed(Picture(), "two\nlines")), kInvalid, "INVALID_REQUEST",
         "image.image_id");
  Expect(Embed(embed("", "nobody")), grpc::StatusCode::NOT_FOUND,
         "IMAGE_NOT_CACHED", "image.image_id");
  ASSERT_TRUE(Embed(embed(Picture(), "shelf")).ok());
  Expect(Embed(embed(DrawAreasPng(9, 9, {}), "shelf")),
         grpc::StatusCode::FAILED_PRECONDITION, "IMAGE_ID_CONFLICT",
         "image.image_id");
  v1::EmbedImageRequest request = embed(Picture(), "");
  request.set_model_id("sam2");
  Expect(Embed(request), grpc::StatusCode::NOT_FOUND, "MODEL_NOT_FOUND",
         "model_id");
  request = embed(Picture(), "");
  request.set_request_id(std::string(129, 'r'));
  Expect(Embed(request), kInvalid, "INVALID_REQUEST", "request_id");
  request = embed("", "");
  request.mutable_image()->set_url("file:///etc/passwd");
  Expect(Embed(request), grpc::StatusCode::PERMISSION_DENIED,
         "SOURCE_NOT_ALLOWED", "image.url");
}

TEST_F(BadInputTest, UploadsThatAreWrong) {
  Expect(Upload({}), kInvalid, "INVALID_REQUEST", "data");
  Expect(Upload({Piece(std::string((1 << 20) + 1, 'x'))}), kInvalid,
         "INVALID_REQUEST", "data");
  const std::vector<v1::UploadImageRequest> many(
      21, Piece(std::string(1 << 20, 'x')));
  Expect(Upload(many), grpc::StatusCode::RESOURCE_EXHAUSTED, "MEDIA_TOO_LARGE",
         "data");
  v1::UploadImageRequest named = Piece(Picture());
  named.set_image_id("shelf");
  Expect(Upload({Piece("x"), named}), kInvalid, "INVALID_REQUEST", "image_id");
  ASSERT_TRUE(Upload({named}).ok());
  v1::UploadImageRequest other = Piece(DrawAreasPng(9, 9, {}));
  other.set_image_id("shelf");
  Expect(Upload({other}), grpc::StatusCode::FAILED_PRECONDITION,
         "IMAGE_ID_CONFLICT", "image_id");
  named.set_image_id("a\tb");
  Expect(Upload({named}), kInvalid, "INVALID_REQUEST", "image_id");
  v1::UploadImageRequest model = Piece(Picture());
  model.set_model_id("sam2");
  Expect(Upload({model}), grpc::StatusCode::NOT_FOUND, "MODEL_NOT_FOUND",
         "model_id");
  Expect(Upload({Piece("x"), model}), kInvalid, "INVALID_REQUEST", "model_id");
}

TEST_F(BadInputTest, PromptsThatAreWrongInRequestsStreamsAndExplanations) {
  const auto check = [&](auto change, const std::string& field) {
    v1::SegmentConceptsRequest request = RequestFor({"red", "blue"});
    change(request.mutable_prompts());
    Expect(Segment(request), kInvalid, "INVALID_REQUEST", "prompts" + field);

    v1::SegmentStreamRequest config = Config();
    config.mutable_config()->add_prompts()->set_text("blue");
    change(config.mutable_config()->mutable_prompts());
    Expect(Stream({config}), kInvalid, "INVALID_REQUEST",
           "config.prompts" + field);

    v1::ExplainRequest explain;
    *explain.mutable_request() = request;
    grpc::ClientContext context;
    v1::ExplainResponse response;
    EXPECT_TRUE(stub_->Explain(&context, explain, &response).ok());
    std::vector<std::string> fields;
    for (const auto& violation : response.violations()) {
      fields.push_back(violation.field());
    }
    EXPECT_THAT(fields, Contains("prompts" + field));
  };
  check([](auto* prompts) { prompts->Clear(); }, "");
  check([](auto* prompts) { prompts->at(0).clear_text(); }, "[0]");
  check([](auto* prompts) { prompts->at(1).set_text(" \t "); }, "[1]");
  check([](auto* prompts) { prompts->at(1).set_text(LongText()); }, "[1].text");
  check([](auto* prompts) { prompts->at(0).set_text(std::string(2000, 'a')); },
        "[0].text");
  check(
      [](auto* prompts) {
        prompts->at(0).set_prompt_id("same");
        prompts->at(1).set_prompt_id("same");
      },
      "[1].prompt_id");
  check([](auto* prompts) { prompts->at(0).set_prompt_id("a\nb"); },
        "[0].prompt_id");
  check(
      [](auto* prompts) { prompts->at(0).set_prompt_id(std::string(65, 'i')); },
      "[0].prompt_id");
  check([](auto* prompts) { SetBox(&prompts->at(0), kNan, 0, 9, 9); },
        "[0].exemplars[0].box");
  check(
      [](auto* prompts) {
        SetBox(&prompts->at(0), 0, 0, std::numeric_limits<float>::infinity(),
               9);
      },
      "[0].exemplars[0].box");
  check([](auto* prompts) { SetBox(&prompts->at(0), 9, 9, -4, 4); },
        "[0].exemplars[0].box");
  check([](auto* prompts) { SetBox(&prompts->at(0), 9, 9, 0, 4); },
        "[0].exemplars[0].box");
  check([](auto* prompts) { prompts->at(1).add_exemplars(); },
        "[1].exemplars[0].box");
  check(
      [](auto* prompts) {
        SetBox(&prompts->at(0), 1, 1, 4, 4);
        prompts->at(0).mutable_exemplars(0)->set_label(
            static_cast<v1::Exemplar::Label>(9));
      },
      "[0].exemplars[0].label");
  check(
      [](auto* prompts) {
        for (int i = 0; i < 17; ++i) SetBox(&prompts->at(0), 1, 1, 4, 4);
      },
      "[0].exemplars");
  check([](auto* prompts) { prompts->at(1).set_score_threshold(kNan); },
        "[1].score_threshold");
}

TEST_F(BadInputTest, ABoxOutsideThePicture) {
  v1::SegmentConceptsRequest request = RequestFor({"red"});
  SetBox(request.mutable_prompts(0), 500, 500, 10, 10);
  Expect(Segment(request), kInvalid, "INVALID_REQUEST",
         "prompts[0].exemplars[0].box");
  // A stream learns it frame by frame.
  v1::SegmentStreamRequest config = Config();
  SetBox(config.mutable_config()->mutable_prompts(0), 500, 500, 10, 10);
  EXPECT_TRUE(Stream({config, Frame(Picture())}).ok());
  ASSERT_EQ(refusals_.size(), 1u);
  EXPECT_EQ(refusals_[0].code(), kInvalid);
}

TEST_F(BadInputTest, ConversationsThatAreWrong) {
  Expect(Stream({}), kInvalid, "INVALID_REQUEST", "config");
  Expect(Stream({Frame(Picture()), Config()}), kInvalid, "INVALID_REQUEST",
         "config");
  Expect(Stream({Config(), Config()}), kInvalid, "INVALID_REQUEST", "config");
  Expect(Stream({Config(), {}}), kInvalid, "INVALID_REQUEST", "message");
  Expect(Stream({Config(), Chunk("bytes")}), kInvalid, "INVALID_REQUEST",
         "chunk");
  Expect(Stream({ChunksConfig(), Frame(Picture())}), kInvalid,
         "INVALID_REQUEST", "frame");
  Expect(Stream({ChunksConfig(), Chunk(std::string((1 << 20) + 1, 'x'))}),
         kInvalid, "INVALID_REQUEST", "chunk.data");
  Expect(Stream({ChunksConfig(), Chunk(std::string(9000, 'x'))}), kInvalid,
         "MEDIA_UNDECODABLE", "chunk.data");
  Expect(Stream({ChunksConfig()}), kInvalid, "MEDIA_UNDECODABLE", "chunk.data");
  v1::SegmentStreamRequest late = Frame(Picture());
  late.mutable_frame()->mutable_capture_time()->set_seconds(
      std::numeric_limits<int64_t>::max());
  Expect(Stream({Config(), late}), kInvalid, "INVALID_REQUEST",
         "frame.capture_time");
  v1::SegmentStreamRequest update;
  v1::ConceptPrompt& added = *update.mutable_prompt_update()->add_add();
  added.set_prompt_id("long");
  added.set_text(LongText());
  // A wrong prompt costs nobody the stream.
  EXPECT_TRUE(Stream({Config(), update, Frame(Picture())}).ok());
  ASSERT_EQ(refusals_.size(), 1u);
  EXPECT_EQ(refusals_[0].code(), kInvalid);
  EXPECT_THAT(refusals_[0].message(),
              testing::HasSubstr("prompt_update.add[0].text"));
}

TEST_F(BadInputTest, FilesThatAreWrong) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(testing::TempDir()) / "sam3_bad_files";
  fs::remove_all(root);
  fs::create_directories(root / "folder");
  Server::Options options;
  options.media_root = root.string();
  StartServer({}, options);
  for (const std::string& name :
       {std::string(), std::string("."), std::string("folder"),
        std::string("none.mp4"), std::string("../"), std::string("/etc/passwd"),
        std::string("a\0b", 3)}) {
    v1::SegmentStreamRequest config = Config();
    config.mutable_config()->set_file(name);
    Expect(Stream({config}), kInvalid, "INVALID_REQUEST", "config.file");
    v1::EmbedImageRequest embed;
    embed.mutable_image()->set_file(name);
    Expect(Embed(embed), kInvalid, "INVALID_REQUEST", "image.file");
  }
  // What is no picture, and what is too much of one.
  WriteText((root / "a.txt").string(), "This is no picture.");
  fs::resize_file(root / "a.txt", 5000);
  v1::EmbedImageRequest embed;
  embed.mutable_image()->set_file("a.txt");
  Expect(Embed(embed), kInvalid, "MEDIA_UNDECODABLE", "image.file");
  fs::resize_file(root / "a.txt", (20 << 20) + 1);
  Expect(Embed(embed), grpc::StatusCode::RESOURCE_EXHAUSTED, "MEDIA_TOO_LARGE",
         "image.file");
  fs::remove_all(root);
}

TEST_F(BadInputTest, OptionsThatAreWrongInRequestsAndStreams) {
  const auto check = [&](auto change, const std::string& field) {
    v1::SegmentConceptsRequest request = RequestFor({"red"});
    change(&request);
    Expect(Segment(request), kInvalid, "INVALID_REQUEST", field);
    v1::SegmentStreamRequest config = Config();
    change(config.mutable_config());
    Expect(Stream({config}), kInvalid, "INVALID_REQUEST", "config." + field);
  };
  check([](auto* r) { r->set_score_threshold(-0.1f); }, "score_threshold");
  check([](auto* r) { r->set_score_threshold(kNan); }, "score_threshold");
  check([](auto* r) { r->mutable_nms(); }, "nms.iou_threshold");
  check([](auto* r) { r->mutable_nms()->set_iou_threshold(kNan); },
        "nms.iou_threshold");
  check([](auto* r) { r->set_max_instances_per_prompt(-1); },
        "max_instances_per_prompt");
  check([](auto* r) { r->mutable_fields()->add_paths("no.such.field"); },
        "fields.paths[0]");
  check(
      [](auto* r) {
        r->mutable_mask_options()->set_format(
            static_cast<v1::MaskOptions::Format>(77));
      },
      "mask_options.format");
  check(
      [](auto* r) {
        r->mutable_mask_options()->set_resolution(
            static_cast<v1::MaskOptions::Resolution>(77));
      },
      "mask_options.resolution");
  check(
      [](auto* r) {
        r->mutable_mask_options()->set_resolution(
            v1::MaskOptions::RESOLUTION_MAX_SIDE);
      },
      "mask_options.max_side_px");
  check(
      [](auto* r) {
        r->mutable_mask_options()->set_polygon_tolerance_px(kNan);
      },
      "mask_options.polygon_tolerance_px");
}

}  // namespace
}  // namespace sam3
