#include "tests/e2e/http_fixture.h"

#include "absl/strings/escaping.h"
#include "tests/support/status_matchers.h"

namespace sam3 {

void HttpFixture::OpenDoor(HttpApi::Options api) {
  door_.reset();
  HttpDoor::Options options;
  options.address = "127.0.0.1:0";
  options.api = std::move(api);
  options.threads = 2;
  auto door = HttpDoor::Open(options, server_->calls(), clock_, http_answers_);
  ASSERT_THAT(door, IsOk());
  door_ = *std::move(door);
}

nlohmann::json HttpFixture::ImageJson() {
  return {{"type", "base64"}, {"value", absl::Base64Escape(Picture())}};
}

nlohmann::json HttpFixture::ConceptsJson(
    const std::vector<std::string>& texts) {
  nlohmann::json body = {{"image", ImageJson()},
                         {"prompts", nlohmann::json::array()}};
  for (const std::string& text : texts) {
    body["prompts"].push_back({{"type", "text"}, {"text", text}});
  }
  return body;
}

}  // namespace sam3
