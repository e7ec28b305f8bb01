#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "pipeline/media/rtsp_message.h"

namespace sam3 {

// Answers an RTSP server's challenges with a user's name and password: Digest
// (RFC 2617 and 7616; MD5 and SHA-256, with and without qop=auth), else Basic.
// Not thread-safe; never blocks.
class RtspAuthorization {
 public:
  RtspAuthorization(std::string user, std::string password)
      : user_(std::move(user)), password_(std::move(password)) {}

  // Takes the challenge of an answer with status 401. False when it cannot be
  // met, or was met already and the server did not like it.
  bool Accept(const RtspMessage& refused);

  // Value of the Authorization header; empty while nothing was asked for.
  std::string Header(absl::string_view method, absl::string_view uri);

 private:
  std::string Digest(absl::string_view method, absl::string_view uri);

  const std::string user_;
  const std::string password_;
  std::string scheme_;  // "digest", "basic" or empty
  // Of the digest challenge, by name in lower case.
  std::map<std::string, std::string> challenge_;
  bool used_ = false;
  int nonce_count_ = 0;
};

}  // namespace sam3
