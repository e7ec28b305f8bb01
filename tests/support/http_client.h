#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sam3 {

// One connection to a port of loopback.
class LoopbackSocket {
 public:
  explicit LoopbackSocket(int port);
  ~LoopbackSocket() { Close(); }
  LoopbackSocket(const LoopbackSocket&) = delete;
  LoopbackSocket& operator=(const LoopbackSocket&) = delete;

  bool connected() const { return connected_; }
  void Send(absl::string_view bytes);
  // Everything until the server closes.
  std::string ReceiveAll();
  void Close();

 private:
  int socket_;
  bool connected_ = false;
};

struct HttpReply {
  int status = 0;  // 0 when there was no answer
  std::string head;
  std::string body;

  // Empty when there is none.
  std::string Header(absl::string_view name) const;
};

// A whole request, to be sent; `headers` end in \r\n each. The server closes
// after its answer.
std::string HttpRequestText(absl::string_view method, absl::string_view target,
                            absl::string_view body,
                            absl::string_view headers = "");

// Sends it on a connection of its own and waits for the answer.
HttpReply AskHttp(int port, absl::string_view method, absl::string_view target,
                  absl::string_view body = "", absl::string_view headers = "");

}  // namespace sam3
