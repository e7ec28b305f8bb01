// Streams that go on: on another server when theirs stops, and on another
// connection when theirs has come of age; and who may not go on with them. Over
// real sockets.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/keys/authenticator.h"
#include "service/resume_tokens.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// A server of the fleet.
class FleetServer {
 public:
  explicit FleetServer(Server::Options options) {
    SegmenterOptions segmenter;
    segmenter.drain_notice = absl::Hours(1);
    auto created =
        CreateSegmenter(MakeFakeModel(nullptr), segmenter, clock_, metrics_);
    EXPECT_THAT(created, IsOk());
    options.address = "127.0.0.1:0";
    auto server = Server::Start(options, *std::move(created), calls_);
    EXPECT_THAT(server, IsOk());
    server_ = *std::move(server);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::SegmentationService::NewStub(grpc::CreateCustomChannel(
        absl::StrCat("127.0.0.1:", server_->port()),
        grpc::InsecureChannelCredentials(), arguments));
  }
  ~FleetServer() {
    if (drain_.joinable()) drain_.join();
  }

  void Drain() {
    drain_ = std::thread([this] { server_->Drain(absl::InfiniteFuture()); });
  }
  v1::SegmentationService::Stub& stub() { return *stub_; }
  const EngineInfo& model() const { return server_->segmenter().engine_info(); }

 private:
  RealClock clock_;
  PipelineMetrics metrics_;
  RpcMetrics calls_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::SegmentationService::Stub> stub_;
  std::thread drain_;
};

// One call from the client's side.
class Call {
 public:
  Call(FleetServer& server, const v1::StreamConfig& config,
       const std::string& key = "") {
    if (!key.empty()) context_.AddMetadata("x-api-key", key);
    stream_ = server.stub().SegmentStream(&context_);
    v1::SegmentStreamRequest request;
    *request.mutable_config() = config;
    stream_->Write(request);
  }

  bool Push(const std::string& picture) {
    v1::SegmentStreamRequest request;
    request.mutable_frame()->set_content(picture);
    return stream_->Write(request);
  }
  void HalfClose() { stream_->WritesDone(); }
  void Cancel() { context_.TryCancel(); }

  // The next message that is no result; ids and indexes of results are kept.
  v1::SegmentStreamResponse Next() {
    v1::SegmentStreamResponse response;
    while (stream_->Read(&response)) {
      if (!response.has_result()) return response;
      indexes_.push_back(response.result().frame_index());
      for (const auto& instance : response.result().result().instances()) {
        ids_.push_back(instance.object_id());
      }
    }
    return {};
  }
  grpc::Status Finish() { return stream_->Finish(); }

  std::vector<int64_t> ids_;
  std::vector<int64_t> indexes_;

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::SegmentStreamRequest,
                                           v1::SegmentStreamResponse>>
      stream_;
};

Server::Options Fleet(char letter) {
  Server::Options options;
  options.resume_secret = Secret(std::string(32, letter));
  return options;
}

v1::StreamConfig Tracking() {
  v1::StreamConfig config;
  config.mutable_pushed_frames();
  config.set_task(v1::StreamConfig::TASK_TRACK);
  config.add_prompts()->set_text("red");
  return config;
}

v1::StreamConfig Resuming(const std::string& token) {
  v1::StreamConfig config;
  config.mutable_pushed_frames();
  config.set_resume_token(token);
  return config;
}

std::string RedAt(int x) {
  return DrawAreasPng(128, 64, {{"red", x, 8, 24, 24}});
}

std::string ReasonOfError(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  google::rpc::ErrorInfo info;
  return details.details_size() > 0 && details.details(0).UnpackTo(&info)
             ? info.reason()
             : "";
}

// What a stream of one red object leaves on a server that stops.
struct Leftover {
  v1::GoingAway going_away;
  v1::StreamSummary summary;
};
Leftover Leave(FleetServer& server, const v1::StreamConfig& config, int frames,
               const std::string& key = "") {
  Leftover left;
  Call call(server, config, key);
  EXPECT_TRUE(call.Next().has_started());
  for (int i = 0; i < frames; ++i) EXPECT_TRUE(call.Push(RedAt(8 + 2 * i)));
  server.Drain();
  left.going_away = call.Next().going_away();
  call.HalfClose();
  left.summary = call.Next().summary();
  EXPECT_TRUE(call.Finish().ok());
  EXPECT_EQ(call.ids_.size(), static_cast<size_t>(frames));
  return left;
}

TEST(ResumeRpcTest, ObjectsGoOnOnAnotherServer) {
  FleetServer first(Fleet('a'));
  FleetServer second(Fleet('a'));
  const Leftover left = Leave(first, Tracking(), 3);
  EXPECT_EQ(left.summary.frames_in_count(), 3);
  EXPECT_EQ(left.summary.answered_count(), 3);
  Call call(second, Resuming(left.summary.resume_token()));
  const v1::StreamStarted started = call.Next().started();
  EXPECT_EQ(started.policy().task(), v1::StreamConfig::TASK_TRACK);
  EXPECT_EQ(started.resumed().object_count(), 1);
  EXPECT_EQ(started.resumed().frames_before_count(), 3);
  call.Push(RedAt(14));
  // A second one, which is new.
  call.Push(
      DrawAreasPng(128, 64, {{"red", 16, 8, 24, 24}, {"red", 90, 30, 24, 24}}));
  call.HalfClose();
  const v1::SegmentStreamResponse last = call.Next();
  EXPECT_EQ(last.summary().answered_count(), 2);
  // Nobody stops here.
  EXPECT_EQ(last.summary().resume_token(), "");
  EXPECT_TRUE(call.Finish().ok());
  EXPECT_THAT(call.ids_, ElementsAre(0, 0, 1));
  EXPECT_THAT(call.indexes_, ElementsAre(0, 1));
}

TEST(ResumeRpcTest, TheTokenOfTheNoticeServesToo) {
  FleetServer first(Fleet('a'));
  FleetServer second(Fleet('a'));
  Call old(first, Tracking());
  EXPECT_TRUE(old.Next().has_started());
  old.Push(RedAt(8));
  old.Push("no picture");
  // What is refused comes behind the first frame's result.
  EXPECT_TRUE(old.Next().has_refused());
  first.Drain();
  const v1::GoingAway notice = old.Next().going_away();
  Call next(second, Resuming(notice.resume_token()));
  EXPECT_EQ(next.Next().started().resumed().frames_before_count(), 2);
  next.Push(RedAt(10));
  next.Push(
      DrawAreasPng(128, 64, {{"red", 10, 8, 24, 24}, {"red", 90, 30, 24, 24}}));
  next.HalfClose();
  EXPECT_TRUE(next.Next().has_summary());
  EXPECT_THAT(next.ids_, ElementsAre(0, 0, 1));
  old.HalfClose();
  EXPECT_TRUE(old.Next().has_summary());
}

TEST(ResumeRpcTest, WhatIsNoTokenIsRefused) {
  FleetServer first(Fleet('a'));
  FleetServer stranger(Fleet('b'));
  const Leftover left = Leave(first, Tracking(), 1);
  for (const std::string& token :
       {left.summary.resume_token(), std::string("nonsense")}) {
    Call call(stranger, Resuming(token));
    EXPECT_FALSE(call.Next().has_started());
    const grpc::Status status = call.Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(ReasonOfError(status), "RESUME_REJECTED");
  }
  // Without a secret of the fleet, tokens are a process's own.
  FleetServer alone({});
  FleetServer other({});
  const Leftover own = Leave(alone, Tracking(), 1);
  Call call(other, Resuming(own.summary.resume_token()));
  EXPECT_FALSE(call.Next().has_started());
  EXPECT_EQ(ReasonOfError(call.Finish()), "RESUME_REJECTED");
}

TEST(ResumeRpcTest, PromptsDoNotGoWithAToken) {
  FleetServer first(Fleet('a'));
  FleetServer second(Fleet('a'));
  const Leftover left = Leave(first, Tracking(), 1);
  v1::StreamConfig both = Tracking();
  both.set_resume_token(left.summary.resume_token());
  Call call(second, both);
  EXPECT_FALSE(call.Next().has_started());
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOfError(status), "INVALID_REQUEST");
  EXPECT_THAT(status.error_message(), HasSubstr("config.prompts"));
}

TEST(ResumeRpcTest, StreamsThatOnlyDetectLeaveNothing) {
  FleetServer server(Fleet('a'));
  v1::StreamConfig config = Tracking();
  config.set_task(v1::StreamConfig::TASK_DETECT);
  const Leftover left = Leave(server, config, 1);
  EXPECT_TRUE(left.going_away.has_within());
  EXPECT_EQ(left.going_away.resume_token(), "");
  EXPECT_EQ(left.summary.resume_token(), "");
}

TEST(ResumeRpcTest, AStreamEndsBeforeItsConnectionDoes) {
  Server::Options options = Fleet('a');
  options.max_connection_age = absl::Seconds(1);
  options.least_connection_grace = absl::Seconds(4);
  options.connection_notice = absl::Seconds(1);
  FleetServer server(options);
  v1::StreamConfig config = Tracking();
  int64_t before = 0;
  // The first call's connection is asked to go while it runs; the second call
  // has another one.
  for (int i = 0; i < 2; ++i) {
    Call call(server, config);
    ASSERT_TRUE(call.Next().has_started());
    std::atomic<bool> told = false;
    int64_t pushed = 0;
    std::thread pusher([&] {
      while (!told && call.Push(RedAt(8 + static_cast<int>(pushed % 8)))) {
        ++pushed;
        absl::SleepFor(absl::Milliseconds(10));
      }
      call.HalfClose();
    });
    const v1::SegmentStreamResponse notice = call.Next();
    told = true;
    pusher.join();
    ASSERT_TRUE(notice.has_going_away());
    const v1::StreamSummary summary = call.Next().summary();
    EXPECT_TRUE(call.Finish().ok());
    EXPECT_GT(pushed, 0);
    EXPECT_EQ(summary.frames_in_count(), pushed);
    EXPECT_EQ(summary.answered_count(), pushed);
    EXPECT_EQ(call.indexes_.size(), static_cast<size_t>(pushed));
    EXPECT_THAT(call.ids_, Not(Contains(testing::Ne(0))));
    config = Resuming(summary.resume_token());
    before += pushed;
  }
  Call call(server, config);
  EXPECT_EQ(call.Next().started().resumed().frames_before_count(), before);
  call.HalfClose();
  EXPECT_TRUE(call.Next().has_summary());
}

TEST(ResumeRpcTest, AClientThatDoesNotListenEndsInTimeToo) {
  Server::Options options = Fleet('a');
  options.max_connection_age = absl::Seconds(1);
  options.least_connection_grace = absl::Seconds(3);
  options.connection_notice = absl::Seconds(1);
  FleetServer server(options);
  Call call(server, Tracking());
  ASSERT_TRUE(call.Next().has_started());
  call.Push(RedAt(8));
  EXPECT_TRUE(call.Next().has_going_away());
  call.Push(RedAt(10));
  const v1::StreamSummary summary = call.Next().summary();
  EXPECT_EQ(summary.answered_count(), 2);
  EXPECT_NE(summary.resume_token(), "");
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOfError(status), "DRAINING");
}

// The keys of a fleet, in a file that its servers share.
class FleetKeys {
 public:
  explicit FleetKeys(const std::vector<std::string>& ids) {
    std::vector<KeyRecord> keys;
    for (const std::string& id : ids) {
      const auto made = MakeKey(id);
      EXPECT_THAT(made, IsOk());
      texts_[id] = made->text.Reveal();
      keys.push_back(
          {.id = id, .secret_digest = made->digest, .scopes = {Scope::kAll}});
    }
    WriteText(file_, FormatKeyFile(keys));
    auto ring = KeyRing::Open({file_}, metrics_, &logger_);
    EXPECT_THAT(ring, IsOk());
    ring_ = *std::move(ring);
    gate_ = std::make_unique<Authenticator>(*ring_, clock_, metrics_, &logger_);
  }

  // Servers of the fleet must not outlive the keys.
  Server::Options On(Server::Options options) {
    options.authenticator = gate_.get();
    return options;
  }
  const std::string& Text(const std::string& id) { return texts_[id]; }

 private:
  const TempFolder folder_;
  const std::string file_ = folder_ / "keys.json";
  const Logger logger_{LogLevel::kError, LogFormat::kKeyValue};
  RealClock clock_;
  KeyMetrics metrics_;
  std::map<std::string, std::string> texts_;
  std::unique_ptr<KeyRing> ring_;
  std::unique_ptr<Authenticator> gate_;
};

class ResumeWithKeysTest : public testing::Test {
 protected:
  // A stream that was not opened.
  static grpc::Status Refusal(FleetServer& server, const std::string& token,
                              const std::string& key) {
    Call call(server, Resuming(token), key);
    if (call.Next().has_started()) {
      ADD_FAILURE() << "the stream was opened";
      call.Cancel();
    }
    return call.Finish();
  }

  static void ExpectRejected(const grpc::Status& status,
                             grpc::StatusCode code) {
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_EQ(ReasonOfError(status), "RESUME_REJECTED");
    EXPECT_THAT(status.error_message(), HasSubstr("config.resume_token: "));
  }

  // Nothing that a token of alice's holds is told with it.
  void ExpectNothingTold(const grpc::Status& status) {
    ExpectRejected(status, grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_EQ(status.error_message(),
              "config.resume_token: is of a stream of another API key");
    for (const std::string& secret :
         {std::string("alice"), keys_.Text("alice"), std::string("red"),
          second_.model().model_fingerprint}) {
      EXPECT_THAT(status.error_details(), Not(HasSubstr(secret)));
    }
  }

  // The token of an object that alice's stream leaves, were it made by others.
  std::string Token(char fleet, const std::string& model, absl::Duration age) {
    FakeClock then;
    then.Advance(absl::Now() - age - then.Now());
    const ResumeTokens tokens(
        {.secret = Secret(std::string(32, fleet)), .model_fingerprint = model},
        then);
    ResumeState state;
    state.prompts.resize(1);
    state.prompts[0].prompt_id = "0";
    state.prompts[0].text = "red";
    state.mask_size = second_.model().mask_size;
    return tokens.Issue(state, "alice");
  }

  FleetKeys keys_{{"alice", "bob"}};
  FleetServer first_{keys_.On(Fleet('a'))};
  FleetServer second_{keys_.On(Fleet('a'))};
};

TEST_F(ResumeWithKeysTest, AnotherKeyIsRefusedAndTheOwnerGoesOn) {
  const Leftover left = Leave(first_, Tracking(), 2, keys_.Text("alice"));
  for (const std::string& token :
       {left.going_away.resume_token(), left.summary.resume_token()}) {
    ExpectNothingTold(Refusal(second_, token, keys_.Text("bob")));
    // Whoever has no key at all is not even read.
    EXPECT_EQ(ReasonOfError(Refusal(second_, token, "")), "KEY_MISSING");
  }
  Call call(second_, Resuming(left.summary.resume_token()),
            keys_.Text("alice"));
  EXPECT_EQ(call.Next().started().resumed().object_count(), 1);
  call.Push(RedAt(12));
  call.HalfClose();
  EXPECT_TRUE(call.Next().has_summary());
  EXPECT_THAT(call.ids_, ElementsAre(0));
}

TEST_F(ResumeWithKeysTest, NobodysStreamIsNotAKeysNorTheOtherWayAround) {
  FleetServer open(Fleet('a'));
  const Leftover nobodys = Leave(open, Tracking(), 1);
  ExpectRejected(
      Refusal(second_, nobodys.summary.resume_token(), keys_.Text("bob")),
      grpc::StatusCode::PERMISSION_DENIED);
  FleetServer other(Fleet('a'));
  const Leftover alices = Leave(first_, Tracking(), 1, keys_.Text("alice"));
  ExpectNothingTold(Refusal(other, alices.summary.resume_token(), ""));
}

TEST_F(ResumeWithKeysTest, OfAnotherFleetOrModelOrTooOld) {
  const std::string model = second_.model().model_fingerprint;
  const std::string& alice = keys_.Text("alice");
  const std::string stale = Token('a', model, absl::Seconds(61));
  const grpc::Status old = Refusal(second_, stale, alice);
  ExpectRejected(old, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(old.error_message(), HasSubstr("old, and good for 1m"));
  const std::string strange = Token('a', "another", absl::ZeroDuration());
  const grpc::Status models = Refusal(second_, strange, alice);
  ExpectRejected(models, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(models.error_message(), HasSubstr("of the model another"));
  const grpc::Status fleets =
      Refusal(second_, Token('b', model, absl::ZeroDuration()), alice);
  ExpectRejected(fleets, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(fleets.error_message(), HasSubstr("--resume-secret-file"));
  // Nor does another key learn what else is wrong.
  ExpectNothingTold(Refusal(second_, stale, keys_.Text("bob")));
  ExpectNothingTold(Refusal(second_, strange, keys_.Text("bob")));
  Call call(second_, Resuming(Token('a', model, absl::Seconds(30))), alice);
  EXPECT_TRUE(call.Next().has_started());
}

TEST_F(ResumeWithKeysTest, CutOrChangedAnywhere) {
  const std::string token =
      Token('a', second_.model().model_fingerprint, absl::ZeroDuration());
  const std::string& alice = keys_.Text("alice");
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = static_cast<char>(changed[i] ^ (1 << i % 8));
    ExpectRejected(Refusal(second_, changed, alice),
                   grpc::StatusCode::INVALID_ARGUMENT);
    // Of no bytes at all it is a stream without prompts.
    if (i == 0) continue;
    ExpectRejected(Refusal(second_, token.substr(0, i), alice),
                   grpc::StatusCode::INVALID_ARGUMENT);
  }
  Call call(second_, Resuming(token), alice);
  EXPECT_TRUE(call.Next().has_started());
}

}  // namespace
}  // namespace sam3
