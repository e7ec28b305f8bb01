// Keys of the HTTP API: where they may stand, in which order, in whose name.
#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "service/keys/authenticator.h"
#include "service/keys/key_file_edit.h"
#include "tests/e2e/http_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class HttpKeysTest : public HttpFixture {
 protected:
  HttpKeysTest() {
    one_ = Make("one", {Scope::kAll});
    two_ = Make("two", {Scope::kAll});
    weak_ = Make("weak", {Scope::kInfo});
    EXPECT_THAT(EditKeyFile(file_,
                            [this](std::vector<KeyRecord>* keys) {
                              *keys = records_;
                              return absl::OkStatus();
                            }),
                IsOk());
    auto ring = KeyRing::Open({file_}, key_metrics_, &logger_);
    EXPECT_THAT(ring, IsOk());
    ring_ = *std::move(ring);
    gate_ =
        std::make_unique<Authenticator>(*ring_, clock_, key_metrics_, &logger_);
    HttpApi::Options api;
    api.authenticator = gate_.get();
    OpenDoor(std::move(api));
  }
  ~HttpKeysTest() override { door_.reset(); }

  std::string Make(const std::string& id, std::vector<Scope> scopes) {
    const auto made = MakeKey(id);
    EXPECT_THAT(made, IsOk());
    KeyRecord record;
    record.id = id;
    record.secret_digest = made->digest;
    record.scopes = std::move(scopes);
    records_.push_back(std::move(record));
    return made->text.Reveal();
  }
  HttpReply Ask(const std::string& query, const std::string& bearer,
                const std::string& in_body) {
    Json body = ConceptsJson({"red"});
    if (!in_body.empty()) body["api_key"] = in_body;
    return AskHttp(door_->port(), "POST",
                   absl::StrCat("/sam3/concept_segment?source=x",
                                query.empty() ? "" : "&api_key=", query),
                   body.dump(),
                   bearer.empty() ? ""
                                  : absl::StrCat("Authorization: Bearer ",
                                                 bearer, "\r\n"));
  }

  const TempFolder folder_;
  const std::string file_ = folder_ / "keys.json";
  const Logger logger_{LogLevel::kDebug, LogFormat::kKeyValue};
  KeyMetrics key_metrics_;
  std::vector<KeyRecord> records_;
  std::unique_ptr<KeyRing> ring_;
  std::unique_ptr<Authenticator> gate_;
  std::string one_;
  std::string two_;
  std::string weak_;
};

TEST_F(HttpKeysTest, AKeyMayStandInThreePlaces) {
  EXPECT_EQ(Ask(one_, "", "").status, 200);
  EXPECT_EQ(Ask("", one_, "").status, 200);
  EXPECT_EQ(Ask("", "", one_).status, 200);
  const HttpReply none = Ask("", "", "");
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(In(none)["reason"], "KEY_MISSING");
}

TEST_F(HttpKeysTest, TheQueryWinsOverTheHeaderOverTheBody) {
  EXPECT_EQ(Ask(one_, "wrong", "wrong").status, 200);
  EXPECT_EQ(Ask("", one_, "wrong").status, 200);
  EXPECT_EQ(Ask("wrong", one_, one_).status, 401);
  EXPECT_EQ(Ask("", "wrong", one_).status, 401);
}

TEST_F(HttpKeysTest, WrongKeysAreRefusedAndNeverWritten) {
  testing::internal::CaptureStderr();
  const HttpReply scope = Ask(weak_, "", "");
  EXPECT_EQ(scope.status, 403);
  EXPECT_EQ(In(scope)["reason"], "KEY_SCOPE");
  std::string mistyped = one_;
  mistyped.back() = mistyped.back() == '0' ? '1' : '0';
  const HttpReply wrong = Ask(mistyped, "", "");
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(In(wrong)["reason"], "KEY_INVALID");
  const std::string log = testing::internal::GetCapturedStderr();
  for (const std::string& text : {log, wrong.body, scope.body}) {
    EXPECT_THAT(text, Not(HasSubstr(mistyped.substr(7))));
    EXPECT_THAT(text, Not(HasSubstr(weak_.substr(7))));
  }
  EXPECT_THAT(log, HasSubstr("127.0.0.1"));
}

TEST_F(HttpKeysTest, EachKeyHasPicturesOfItsOwn) {
  EXPECT_EQ(In(Ask(one_, "", ""))["embedding_cache"], "miss");
  EXPECT_EQ(In(Ask("", one_, ""))["embedding_cache"], "hit");
  EXPECT_EQ(In(Ask(two_, "", ""))["embedding_cache"], "miss");
}

TEST_F(HttpKeysTest, ProbesNeedNone) {
  EXPECT_EQ(AskHttp(door_->port(), "GET", "/healthz").status, 200);
  EXPECT_EQ(AskHttp(door_->port(), "GET", "/openapi.json").status, 200);
}

}  // namespace
}  // namespace sam3
