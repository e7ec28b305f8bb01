#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "pipeline/media/ip_address.h"
#include "pipeline/media/url_gate.h"

namespace sam3 {

// One GET request of libcurl's to a URL that passed the gate, set up so that it
// reaches the addresses that passed as well and nothing else: the host's name
// is pinned, no socket is opened to another address or port, no redirect is
// followed, and proxies, netrc files, cookies and compression stay out. Who
// owns it adds what becomes of the answer, and performs it.
//
// Threads: one at a time. Construction does not block.
class GatedRequest {
 public:
  // What is borrowed must outlive the request. `ca_file` is empty for the
  // machine's own certificates.
  GatedRequest(const CheckedUrl& url, const std::vector<IpAddress>& addresses,
               const std::string& ca_file);
  GatedRequest(const GatedRequest&) = delete;
  GatedRequest& operator=(const GatedRequest&) = delete;

  template <typename Value>
  void Set(CURLoption option, Value value) {
    if (setting_ == CURLE_OK) {
      setting_ = curl_easy_setopt(curl_.get(), option, value);
    }
  }

  // INTERNAL when this libcurl refused a setting: one that lacks a protection
  // must not go without it. PERMISSION_DENIED once it asked for a socket that
  // it must not have.
  absl::Status status() const;

  CURL* handle() const { return curl_.get(); }

  // Of the answer; 0 before its status line.
  int64_t http_status() const;
  bool is_redirect() const;
  // Of the last answer; empty when it has no such header.
  std::string Header(const char* name) const;

 private:
  struct Free {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  void Pin();
  static curl_socket_t OpenSocket(void* self, curlsocktype purpose,
                                  curl_sockaddr* to);

  const CheckedUrl& url_;
  const std::vector<IpAddress>& addresses_;
  absl::Status refusal_;
  CURLcode setting_ = CURLE_OK;
  std::unique_ptr<curl_slist, Free> pinned_;
  std::unique_ptr<CURL, Free> curl_;
};

}  // namespace sam3
