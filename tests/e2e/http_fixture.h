#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "service/http/http_door.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/http_client.h"

namespace sam3 {

// A server with both doors open, and a client of the second.
class HttpFixture : public ServerFixture {
 protected:
  HttpFixture() { OpenDoor({}); }

  // Opens it anew.
  void OpenDoor(HttpApi::Options api);
  void OpenDoor(HttpCompat compat) {
    HttpApi::Options api;
    api.compat = compat;
    OpenDoor(std::move(api));
  }

  // Picture() as `image`.
  static nlohmann::json ImageJson();
  // A body with Picture() and prompts with these texts.
  static nlohmann::json ConceptsJson(const std::vector<std::string>& texts);

  HttpReply Post(const std::string& target, const nlohmann::json& body) {
    return AskHttp(door_->port(), "POST", target, body.dump());
  }
  HttpReply Concepts(const nlohmann::json& body) {
    return Post("/sam3/concept_segment", body);
  }
  HttpReply Objects(const nlohmann::json& body) {
    return Post("/sam3/visual_segment", body);
  }

  // Parsed; null for what is no JSON.
  static nlohmann::json In(const HttpReply& reply) {
    return nlohmann::json::parse(reply.body, nullptr, false);
  }

  std::unique_ptr<HttpDoor> door_;
};

}  // namespace sam3
