#include "pipeline/media/rtsp_authorization.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sam3 {
namespace {

std::string HexDigest(const EVP_MD* function, absl::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, function,
                 nullptr) != 1) {
    return "";
  }
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

// name=value and name="value", separated by commas; quotes may hold commas.
std::map<std::string, std::string> Parameters(absl::string_view text) {
  std::map<std::string, std::string> out;
  while (!text.empty()) {
    const size_t equals = text.find('=');
    if (equals == absl::string_view::npos) break;
    const std::string name = absl::AsciiStrToLower(
        absl::StripAsciiWhitespace(text.substr(0, equals)));
    text = absl::StripLeadingAsciiWhitespace(text.substr(equals + 1));
    std::string value;
    if (absl::ConsumePrefix(&text, "\"")) {
      const size_t end = text.find('"');
      value = std::string(text.substr(0, end));
      text.remove_prefix(end == absl::string_view::npos ? text.size()
                                                        : end + 1);
    } else {
      value = std::string(
          absl::StripAsciiWhitespace(text.substr(0, text.find(','))));
    }
    out[name] = std::move(value);
    const size_t comma = text.find(',');
    text.remove_prefix(comma == absl::string_view::npos ? text.size()
                                                        : comma + 1);
  }
  return out;
}

const EVP_MD* FunctionOf(const std::string& algorithm) {
  if (algorithm.empty() || absl::EqualsIgnoreCase(algorithm, "MD5")) {
    return EVP_md5();
  }
  return absl::EqualsIgnoreCase(algorithm, "SHA-256") ? EVP_sha256() : nullptr;
}

bool OffersAuth(const std::string& qop) {
  for (const absl::string_view word : absl::StrSplit(qop, ',')) {
    if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(word), "auth")) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool RtspAuthorization::Accept(const RtspMessage& refused) {
  if (user_.empty() && password_.empty()) return false;
  const bool was_used = used_;
  const std::string old_scheme = scheme_;
  bool stale = false;
  scheme_.clear();
  for (const auto& [name, value] : refused.headers) {
    if (!absl::EqualsIgnoreCase(name, "WWW-Authenticate")) continue;
    if (absl::StartsWithIgnoreCase(value, "digest ")) {
      auto challenge = Parameters(absl::string_view(value).substr(7));
      const std::string& qop = challenge["qop"];
      if (challenge["nonce"].empty() ||
          FunctionOf(challenge["algorithm"]) == nullptr ||
          !(qop.empty() || OffersAuth(qop))) {
        continue;
      }
      stale = absl::EqualsIgnoreCase(challenge["stale"], "true");
      challenge_ = std::move(challenge);
      scheme_ = "digest";
      nonce_count_ = 0;
      break;
    }
    if (absl::StartsWithIgnoreCase(value, "basic")) scheme_ = "basic";
  }
  used_ = false;
  return !scheme_.empty() && (!was_used || stale || old_scheme != scheme_);
}

std::string RtspAuthorization::Header(absl::string_view method,
                                      absl::string_view uri) {
  if (scheme_.empty()) return "";
  used_ = true;
  if (scheme_ == "digest") return Digest(method, uri);
  return absl::StrCat("Basic ",
                      absl::Base64Escape(absl::StrCat(user_, ":", password_)));
}

std::string RtspAuthorization::Digest(absl::string_view method,
                                      absl::string_view uri) {
  const EVP_MD* function = FunctionOf(challenge_["algorithm"]);
  const std::string& realm = challenge_["realm"];
  const std::string& nonce = challenge_["nonce"];
  const std::string ha1 =
      HexDigest(function, absl::StrCat(user_, ":", realm, ":", password_));
  const std::string ha2 = HexDigest(function, absl::StrCat(method, ":", uri));
  std::string out =
      absl::StrCat("Digest username=\"", user_, "\", realm=\"", realm,
                   "\", nonce=\"", nonce, "\", uri=\"", uri, "\"");
  if (challenge_["qop"].empty()) {
    absl::StrAppend(
        &out, ", response=\"",
        HexDigest(function, absl::StrCat(ha1, ":", nonce, ":", ha2)), "\"");
  } else {
    std::array<unsigned char, 8> random = {};
    RAND_bytes(random.data(), static_cast<int>(random.size()));
    const std::string cnonce = absl::BytesToHexString(absl::string_view(
        reinterpret_cast<const char*>(random.data()), random.size()));
    const std::string count = absl::StrFormat("%08x", ++nonce_count_);
    absl::StrAppend(
        &out, ", response=\"",
        HexDigest(function, absl::StrCat(ha1, ":", nonce, ":", count, ":",
                                         cnonce, ":auth:", ha2)),
        "\", qop=auth, nc=", count, ", cnonce=\"", cnonce, "\"");
  }
  if (!challenge_["algorithm"].empty()) {
    absl::StrAppend(&out, ", algorithm=", challenge_["algorithm"]);
  }
  if (!challenge_["opaque"].empty()) {
    absl::StrAppend(&out, ", opaque=\"", challenge_["opaque"], "\"");
  }
  return out;
}

}  // namespace sam3
