// Keys over a real socket: who is let in, in whose name, and how much of it.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "service/keys/authenticator.h"
#include "service/keys/key_file_edit.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

using testing::HasSubstr;
using testing::Not;

using Headers = std::vector<std::pair<std::string, std::string>>;

class KeysTest : public ServerFixture {
 protected:
  KeysTest() {
    WriteText(file_, R"({"keys": []})");
    auto ring = KeyRing::Open({file_}, key_metrics_, &logger_);
    EXPECT_THAT(ring, IsOk());
    ring_ = *std::move(ring);
    gate_ = std::make_unique<Authenticator>(*ring_, key_clock_, key_metrics_,
                                            &logger_);
    Restart({});
  }
  ~KeysTest() override {
    script_->OpenGate();
    // Before what it borrows.
    server_.reset();
  }

  void Restart(SegmenterOptions segmenter) {
    Server::Options options;
    options.authenticator = gate_.get();
    options.log = &logger_;
    StartServer(segmenter, options);
  }

  // Makes a key; the server knows it when this returns.
  void Add(KeyRecord key) {
    const auto made = MakeKey(key.id);
    ASSERT_THAT(made, IsOk());
    texts_[key.id] = made->text.Reveal();
    key.secret_digest = made->digest;
    if (key.scopes.empty()) key.scopes = {Scope::kAll};
    Edit([&key](std::vector<KeyRecord>* keys) { keys->push_back(key); });
  }
  void Edit(const std::function<void(std::vector<KeyRecord>*)>& change) {
    const auto before = ring_->keys();
    ASSERT_THAT(EditKeyFile(file_,
                            [&change](std::vector<KeyRecord>* keys) {
                              change(keys);
                              return absl::OkStatus();
                            }),
                IsOk());
    ASSERT_TRUE(Eventually([&] { return ring_->keys() != before; }));
  }
  void Revoke(const std::string& id) {
    Edit([&id](std::vector<KeyRecord>* keys) {
      for (KeyRecord& key : *keys) key.revoked |= key.id == id;
    });
  }

  static void Present(grpc::ClientContext* context, const Headers& headers) {
    for (const auto& [name, value] : headers) context->AddMetadata(name, value);
  }
  Headers KeyOf(const std::string& id) { return {{"x-api-key", texts_[id]}}; }

  grpc::Status Segment(const Headers& headers) {
    return Segment(headers, RequestFor({"red"}));
  }
  grpc::Status Segment(const Headers& headers,
                       const v1::SegmentConceptsRequest& request) {
    grpc::ClientContext context;
    Present(&context, headers);
    v1::SegmentConceptsResponse response;
    return stub_->SegmentConcepts(&context, request, &response);
  }
  // Refused before a message is read: none is sent.
  grpc::Status Stream(const Headers& headers) {
    grpc::ClientContext context;
    Present(&context, headers);
    return stub_->SegmentStream(&context)->Finish();
  }
  grpc::Status Upload(const Headers& headers) {
    grpc::ClientContext context;
    Present(&context, headers);
    v1::UploadImageResponse response;
    return stub_->UploadImage(&context, &response)->Finish();
  }
  grpc::Status Embed(const Headers& headers, const std::string& image_id) {
    grpc::ClientContext context;
    Present(&context, headers);
    v1::EmbedImageRequest request;
    request.mutable_image()->set_content(Picture());
    request.mutable_image()->set_image_id(image_id);
    v1::EmbedImageResponse response;
    return stub_->EmbedImage(&context, request, &response);
  }
  grpc::Status Info(const Headers& headers) {
    grpc::ClientContext context;
    Present(&context, headers);
    v1::GetServerInfoResponse response;
    return stub_->GetServerInfo(&context, {}, &response);
  }
  grpc::Status Explain(const Headers& headers) {
    grpc::ClientContext context;
    Present(&context, headers);
    v1::ExplainRequest request;
    *request.mutable_request() = RequestFor({"red"});
    v1::ExplainResponse response;
    return stub_->Explain(&context, request, &response);
  }

  // The delay that an error tells, in milliseconds; negative when none.
  static int64_t RetryMillisecondsIn(const grpc::Status& status) {
    google::rpc::Status details;
    details.ParseFromString(status.error_details());
    for (const auto& any : details.details()) {
      google::rpc::RetryInfo retry;
      if (!any.UnpackTo(&retry)) continue;
      return retry.retry_delay().seconds() * 1000 +
             retry.retry_delay().nanos() / 1'000'000;
    }
    return -1;
  }

  const TempFolder folder_;
  const std::string file_ = folder_ / "keys.json";
  const Logger logger_{LogLevel::kDebug, LogFormat::kKeyValue};
  FakeClock key_clock_;
  KeyMetrics key_metrics_;
  std::map<std::string, std::string> texts_;
  std::unique_ptr<KeyRing> ring_;
  std::unique_ptr<Authenticator> gate_;
};

TEST_F(KeysTest, EveryWrongKeyIsRefusedOnEveryKindOfCallAndNeverWritten) {
  Add({.id = "cam"});
  Add({.id = "old", .expires = key_clock_.Now()});
  Add({.id = "gone", .revoked = true});
  Add({.id = "info", .scopes = {Scope::kInfo}});
  const std::string right = texts_["cam"];
  std::string mistyped = right;
  mistyped[12] = mistyped[12] == '0' ? '1' : '0';
  const std::string strange = MakeKey("strange")->text.Reveal();
  const std::string impostor = MakeKey("cam")->text.Reveal();
  const std::string huge = right + std::string(10'000, '7');
  const std::string prefix = right.substr(0, right.size() - 4);
  const std::pair<Headers, const char*> cases[] = {
      {{}, "KEY_MISSING"},
      {{{"x-api-key", ""}}, "KEY_MISSING"},
      {{{"authorization", "Bearer "}}, "KEY_MISSING"},
      {{{"authorization", "Basic dXNlcjpwYXNz"}}, "KEY_INVALID"},
      {{{"x-api-key", strange}}, "KEY_INVALID"},
      {{{"authorization", "Bearer " + impostor}}, "KEY_INVALID"},
      {{{"x-api-key", huge}}, "KEY_INVALID"},
      {{{"x-api-key", prefix}}, "KEY_INVALID"},
      {{{"x-api-key", mistyped}}, "KEY_INVALID"},
      {{{"x-api-key", right}, {"x-api-key", right}}, "KEY_INVALID"},
      {{{"x-api-key", right}, {"authorization", "Bearer " + strange}},
       "KEY_INVALID"},
      {{{"x-api-key", texts_["old"]}}, "KEY_EXPIRED"},
      {{{"x-api-key", texts_["gone"]}}, "KEY_REVOKED"},
      {{{"x-api-key", texts_["info"]}}, "KEY_SCOPE"}};
  testing::internal::CaptureStderr();
  int refused = 0;
  for (const auto& [headers, why] : cases) {
    for (const grpc::Status& status :
         {Segment(headers), Stream(headers), Upload(headers),
          Embed(headers, "x"), Explain(headers)}) {
      EXPECT_EQ(ReasonIn(status), why);
      EXPECT_EQ(status.error_code(), why == std::string("KEY_SCOPE")
                                         ? grpc::StatusCode::PERMISSION_DENIED
                                         : grpc::StatusCode::UNAUTHENTICATED);
      for (const auto& [name, value] : headers) {
        if (value.size() < 20) continue;
        EXPECT_THAT(status.error_message(), Not(HasSubstr(value.substr(7))));
      }
      ++refused;
    }
  }
  EXPECT_TRUE(Segment({{"x-api-key", right}}).ok());
  EXPECT_TRUE(Segment({{"authorization", "Bearer " + right}}).ok());
  EXPECT_TRUE(Segment({{"authorization", "bearer  " + right}}).ok());
  EXPECT_TRUE(Info(KeyOf("info")).ok());
  EXPECT_EQ(ReasonIn(Info({})), "KEY_MISSING");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("key_refused peer=ipv4:127.0.0.1 reason="));
  // Of no key its secret, nor most of it.
  for (const std::string& text :
       {right, mistyped, strange, impostor, texts_["old"], texts_["gone"]}) {
    EXPECT_THAT(log, Not(HasSubstr(text.substr(text.size() - 40, 20))));
  }
  int64_t counted = 0;
  for (const Counter& counter : key_metrics_.refused) {
    counted += counter.value();
  }
  EXPECT_EQ(counted, refused + 1);
}

TEST_F(KeysTest, ScopesOpenTheirMethodsOnly) {
  Add({.id = "segment", .scopes = {Scope::kSegment}});
  Add({.id = "embed", .scopes = {Scope::kEmbed}});
  Add({.id = "stream", .scopes = {Scope::kStream}});
  Add({.id = "info", .scopes = {Scope::kInfo}});
  for (const auto& [id, text] : texts_) {
    const auto open = [&](const grpc::Status& status) {
      return ReasonIn(status) != "KEY_SCOPE";
    };
    const Headers key = KeyOf(id);
    EXPECT_EQ(open(Segment(key)), id == "segment");
    EXPECT_EQ(open(Explain(key)), id == "segment");
    EXPECT_EQ(open(Embed(key, "x")), id == "embed");
    EXPECT_EQ(open(Info(key)), id == "info");
    grpc::ClientContext context;
    Present(&context, key);
    const auto stream = stub_->SegmentStream(&context);
    stream->WritesDone();
    EXPECT_EQ(open(stream->Finish()), id == "stream");
    grpc::ClientContext uploading;
    Present(&uploading, key);
    v1::UploadImageResponse response;
    const auto upload = stub_->UploadImage(&uploading, &response);
    upload->WritesDone();
    EXPECT_EQ(open(upload->Finish()), id == "embed");
  }
}

TEST_F(KeysTest, TwoKeysOnOneConnectionDoNotMix) {
  Add({.id = "one"});
  Add({.id = "two"});
  ASSERT_TRUE(Embed(KeyOf("one"), "mine").ok());
  v1::SegmentConceptsRequest request = RequestFor({"red"});
  request.mutable_image()->Clear();
  request.mutable_image()->set_image_id("mine");
  EXPECT_TRUE(Segment(KeyOf("one"), request).ok());
  EXPECT_EQ(ReasonIn(Segment(KeyOf("two"), request)), "IMAGE_NOT_CACHED");
  EXPECT_EQ(ReasonIn(Segment({}, request)), "KEY_MISSING");
  // The other one's name for another picture is free.
  EXPECT_TRUE(Embed(KeyOf("two"), "mine").ok());
  EXPECT_TRUE(Segment(KeyOf("two"), request).ok());
  EXPECT_EQ(metrics_.images_encoded.value(), 2);
}

TEST_F(KeysTest, ARevokedKeyIsRefusedAndItsStreamsEnd) {
  Add({.id = "cam"});
  Add({.id = "lab"});
  grpc::ClientContext context;
  Present(&context, KeyOf("cam"));
  const auto stream = stub_->SegmentStream(&context);
  v1::SegmentStreamRequest message;
  message.mutable_config()->mutable_pushed_frames();
  message.mutable_config()->add_prompts()->set_text("red");
  ASSERT_TRUE(stream->Write(message));
  v1::SegmentStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.has_started());
  Revoke("cam");
  EXPECT_EQ(ReasonIn(Segment(KeyOf("cam"))), "KEY_REVOKED");
  EXPECT_TRUE(Segment(KeyOf("lab")).ok());
  message.mutable_frame()->set_content(Picture());
  stream->Write(message);
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(ReasonIn(stream->Finish()), "KEY_REVOKED");
}

TEST_F(KeysTest, ABrokenFileLeavesTheKeysThatWere) {
  Add({.id = "cam"});
  WriteText(file_, "{\"keys\": [{}]}");
  ASSERT_TRUE(Eventually([&] { return key_metrics_.stale.value() == 1; }));
  EXPECT_TRUE(Segment(KeyOf("cam")).ok());
}

TEST_F(KeysTest, RequestsOverTheRateAreToldWhenToComeBack) {
  Add({.id = "cam", .limits = {.requests_per_second = 2, .burst = 1}});
  EXPECT_TRUE(Segment(KeyOf("cam")).ok());
  const grpc::Status refused = Segment(KeyOf("cam"));
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonIn(refused), "KEY_LIMIT");
  EXPECT_EQ(RetryMillisecondsIn(refused), 500);
  key_clock_.Advance(absl::Milliseconds(500));
  EXPECT_TRUE(Segment(KeyOf("cam")).ok());
}

TEST_F(KeysTest, CallsAndStreamsAtATime) {
  Add({.id = "cam", .limits = {.concurrent = 1, .streams = 1}});
  script_->CloseGate();
  std::thread holder([&] { EXPECT_TRUE(Segment(KeyOf("cam")).ok()); });
  script_->AwaitGateReached();
  grpc::Status refused = Segment(KeyOf("cam"));
  EXPECT_EQ(ReasonIn(refused), "KEY_LIMIT");
  EXPECT_GT(RetryMillisecondsIn(refused), 0);
  script_->OpenGate();
  holder.join();
  EXPECT_TRUE(Segment(KeyOf("cam")).ok());

  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    Present(&context, KeyOf("cam"));
    const auto stream = stub_->SegmentStream(&context);
    v1::SegmentStreamRequest config;
    config.mutable_config()->mutable_pushed_frames();
    config.mutable_config()->add_prompts()->set_text("red");
    ASSERT_TRUE(stream->Write(config));
    v1::SegmentStreamResponse response;
    ASSERT_TRUE(stream->Read(&response));
    refused = Stream(KeyOf("cam"));
    EXPECT_EQ(ReasonIn(refused), "KEY_LIMIT");
    EXPECT_GT(RetryMillisecondsIn(refused), 0);
    // Its place is free again when the client knows that it has ended.
    stream->WritesDone();
    while (stream->Read(&response)) {
    }
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST_F(KeysTest, DecodedPixelsAreChargedAndCachedOnesAreNot) {
  // A picture has 8192 pixels, 192 more than a second's worth.
  Add({.id = "cam", .limits = {.megapixels_per_second = 0.008}});
  EXPECT_TRUE(Segment(KeyOf("cam")).ok());
  const grpc::Status refused = Segment(KeyOf("cam"));
  EXPECT_EQ(ReasonIn(refused), "KEY_LIMIT");
  EXPECT_EQ(RetryMillisecondsIn(refused), 24);
  key_clock_.Advance(absl::Milliseconds(24));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Segment(KeyOf("cam")).ok());
}

TEST_F(KeysTest, AStreamInDebtIsReadAgainOnceItHasPaid) {
  SegmenterOptions segmenter;
  segmenter.heartbeat_interval = absl::Milliseconds(100);
  Restart(segmenter);
  Add({.id = "cam", .limits = {.megapixels_per_second = 0.008}});
  grpc::ClientContext context;
  Present(&context, KeyOf("cam"));
  const auto stream = stub_->SegmentStream(&context);
  v1::SegmentStreamRequest message;
  message.mutable_config()->mutable_pushed_frames();
  message.mutable_config()->add_prompts()->set_text("red");
  ASSERT_TRUE(stream->Write(message));
  message.mutable_frame()->set_content(Picture());
  ASSERT_TRUE(stream->Write(message));
  v1::SegmentStreamResponse response;
  const auto next_result = [&] {
    do {
      ASSERT_TRUE(stream->Read(&response));
    } while (!response.has_result());
  };
  next_result();
  // At most one more was on its way when the first was charged.
  ASSERT_TRUE(stream->Write(message));
  ASSERT_TRUE(stream->Write(message));
  int heartbeats = 0;
  int results = 1;
  while (heartbeats < 2) {
    ASSERT_TRUE(stream->Read(&response));
    heartbeats += response.has_heartbeat() ? 1 : 0;
    results += response.has_result() ? 1 : 0;
  }
  EXPECT_LT(results, 3);
  key_clock_.Advance(absl::Minutes(1));
  while (results < 3) {
    next_result();
    ++results;
  }
  // The last frame has to be paid for before the end is read.
  key_clock_.Advance(absl::Minutes(1));
  stream->WritesDone();
  while (stream->Read(&response)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace sam3
