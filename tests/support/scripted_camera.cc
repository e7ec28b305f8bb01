#include "tests/support/scripted_camera.h"

#include <openssl/evp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

constexpr size_t kMaxPayload = 1200;
constexpr char kNonce[] = "5ca1ab1e";

std::string Md5(absl::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), size));
}

std::vector<absl::string_view> SplitNals(absl::string_view stream) {
  std::vector<absl::string_view> nals;
  size_t begin = absl::string_view::npos;
  for (size_t i = 0; i + 3 <= stream.size(); ++i) {
    if (stream.substr(i, 3) != absl::string_view("\0\0\1", 3)) continue;
    if (begin != absl::string_view::npos) {
      const size_t zero = i > begin && stream[i - 1] == '\0' ? 1 : 0;
      nals.push_back(stream.substr(begin, i - zero - begin));
    }
    begin = i + 3;
  }
  if (begin != absl::string_view::npos) nals.push_back(stream.substr(begin));
  return nals;
}

std::string RtpHeader(bool marker, uint16_t sequence, uint32_t tick) {
  std::string header = {'\x80', static_cast<char>(marker ? 0xe0 : 0x60)};
  for (const int shift : {8, 0}) {
    header += static_cast<char>((sequence >> shift) & 0xff);
  }
  for (const int shift : {24, 16, 8, 0}) {
    header += static_cast<char>((tick >> shift) & 0xff);
  }
  return header + "cam!";
}

bool Send(int socket, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent =
        ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// The next request's head; empty at the end.
std::string ReadHead(int socket) {
  std::string head;
  char byte = 0;
  while (!absl::EndsWith(head, "\r\n\r\n")) {
    if (::recv(socket, &byte, 1, 0) != 1) return "";
    head += byte;
  }
  return head;
}

// What stands between `begin` and `end` in `text`.
std::string Between(const std::string& text, const std::string& begin,
                    const std::string& end) {
  const size_t at = text.find(begin);
  if (at == std::string::npos) return "";
  const size_t from = at + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

bool KnowsPassword(const ScriptedCamera::Behaviour& behaviour,
                   const std::string& request) {
  const std::string method = request.substr(0, request.find(' '));
  const std::string ha1 =
      Md5(absl::StrCat(behaviour.user, ":camera:", behaviour.password));
  const std::string ha2 =
      Md5(absl::StrCat(method, ":", Between(request, "uri=\"", "\"")));
  return Between(request, "response=\"", "\"") ==
         Md5(absl::StrCat(ha1, ":", kNonce, ":", ha2));
}

}  // namespace

std::vector<std::string> PacketizeH264(absl::string_view stream,
                                       uint32_t first_tick, uint32_t ticks) {
  std::vector<std::string> packets;
  uint32_t tick = first_tick;
  const auto add = [&](bool marker, const std::string& payload) {
    packets.push_back(
        RtpHeader(marker, static_cast<uint16_t>(packets.size()), tick) +
        payload);
  };
  for (const absl::string_view nal : SplitNals(stream)) {
    const int type = nal[0] & 0x1f;
    const bool slice = type == 1 || type == 5;
    if (nal.size() <= kMaxPayload) {
      add(slice, std::string(nal));
    } else {
      for (size_t at = 1; at < nal.size(); at += kMaxPayload) {
        const absl::string_view part = nal.substr(at, kMaxPayload);
        const bool last = at + part.size() == nal.size();
        std::string fragment = {
            static_cast<char>((nal[0] & 0xe0) | 28),
            static_cast<char>((at == 1 ? 0x80 : 0) | (last ? 0x40 : 0) | type)};
        fragment.append(part.data(), part.size());
        add(slice && last, fragment);
      }
    }
    if (slice) tick += ticks;
  }
  return packets;
}

std::string DescribeH264() {
  return "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=camera\r\n"
         "c=IN IP4 169.254.169.254\r\nt=0 0\r\na=control:*\r\n"
         "m=video 5004 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
         "a=fmtp:96 packetization-mode=1\r\na=control:trackID=0\r\n";
}

ScriptedCamera::ScriptedCamera(Behaviour behaviour)
    : behaviour_(std::move(behaviour)),
      listener_([this](int socket) { Serve(socket); }) {}

std::string ScriptedCamera::Url(absl::string_view user_part) const {
  return absl::StrCat("rtsp://", user_part, user_part.empty() ? "" : "@",
                      "127.0.0.1:", port(), "/live");
}

void ScriptedCamera::Behave(Behaviour behaviour) {
  const absl::MutexLock lock(&mutex_);
  behaviour_ = std::move(behaviour);
}

std::vector<std::string> ScriptedCamera::requests() const {
  const absl::MutexLock lock(&mutex_);
  return requests_;
}

void ScriptedCamera::Serve(int socket) {
  Behaviour behaviour;
  {
    const absl::MutexLock lock(&mutex_);
    behaviour = behaviour_;
  }
  bool plays = false;
  while (Converse(socket, behaviour, &plays)) {
    if (!plays) continue;
    plays = false;
    if (!Play(socket, behaviour) || !behaviour.keeps_connection) break;
  }
}

bool ScriptedCamera::Converse(int socket, const Behaviour& behaviour,
                              bool* plays) {
  const std::string request = ReadHead(socket);
  if (request.empty()) return false;
  {
    const absl::MutexLock lock(&mutex_);
    requests_.push_back(request);
  }
  return Send(socket, Answer(behaviour, request, plays));
}

bool ScriptedCamera::Play(int socket, const Behaviour& behaviour) {
  for (const std::string& packet : behaviour.packets) {
    pollfd polled = {socket, POLLIN, 0};
    bool plays = false;
    while (behaviour.pace_milliseconds > 0 &&
           ::poll(&polled, 1, behaviour.pace_milliseconds) > 0) {
      if (!Converse(socket, behaviour, &plays)) return false;
    }
    const std::string head = {'$', '\0', static_cast<char>(packet.size() >> 8),
                              static_cast<char>(packet.size() & 0xff)};
    if (!Send(socket, head + packet)) return false;
  }
  return true;
}

std::string ScriptedCamera::Answer(const Behaviour& behaviour,
                                   const std::string& request,
                                   bool* plays) const {
  if (!behaviour.garbage.empty()) return behaviour.garbage;
  const std::string tail =
      absl::StrCat("\r\nCSeq: ", Between(request, "CSeq: ", "\r\n"), "\r\n");
  const std::string ok = absl::StrCat("RTSP/1.0 200 OK", tail);
  const bool asks = absl::StartsWith(request, "OPTIONS ");
  if (asks) return absl::StrCat(ok, "Public: DESCRIBE, SETUP, PLAY\r\n\r\n");
  if (!behaviour.user.empty() && !KnowsPassword(behaviour, request)) {
    return absl::StrCat("RTSP/1.0 401 Unauthorized", tail,
                        "WWW-Authenticate: Digest realm=\"camera\", nonce=\"",
                        kNonce, "\"\r\n\r\n");
  }
  if (absl::StartsWith(request, "DESCRIBE ")) {
    if (!behaviour.location.empty()) {
      return absl::StrCat("RTSP/1.0 302 Moved", tail,
                          "Location: ", behaviour.location, "\r\n\r\n");
    }
    if (behaviour.description.empty()) {
      return absl::StrCat("RTSP/1.0 404 Not Found", tail, "\r\n");
    }
    // Nothing of this may lead a client elsewhere.
    return absl::StrCat(ok, "Content-Base: rtsp://169.254.169.254/live/\r\n",
                        "Content-Length: ", behaviour.description.size(),
                        "\r\n\r\n", behaviour.description);
  }
  if (absl::StartsWith(request, "SETUP ")) {
    return absl::StrCat(ok, "Transport: ", behaviour.transport,
                        "\r\nSession: ", behaviour.session, "\r\n\r\n");
  }
  *plays = absl::StartsWith(request, "PLAY ");
  return absl::StrCat(ok, "\r\n");
}

}  // namespace sam3
