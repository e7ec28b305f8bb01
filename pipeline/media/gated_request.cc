#include "pipeline/media/gated_request.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "pipeline/media/url_failure.h"

namespace sam3 {
namespace {

uint16_t PortOf(const curl_sockaddr& address) {
  // The port is at the same place for both families.
  uint16_t port = 0;
  std::copy_n(address.addr.sa_data, sizeof(port),
              reinterpret_cast<char*>(&port));
  return ntohs(port);
}

}  // namespace

GatedRequest::GatedRequest(const CheckedUrl& url,
                           const std::vector<IpAddress>& addresses,
                           const std::string& ca_file)
    : url_(url), addresses_(addresses), curl_(curl_easy_init()) {
  if (curl_ == nullptr) {
    setting_ = CURLE_OUT_OF_MEMORY;
    return;
  }
  Set(CURLOPT_URL, url_.text.c_str());
  Set(CURLOPT_PROTOCOLS_STR, url_.encrypted() ? "https" : "http");
  Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(CURLOPT_FOLLOWLOCATION, 0L);
  Set(CURLOPT_USERAGENT, "sam3-server");
  Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  Set(CURLOPT_PROXY, "");
  Set(CURLOPT_NOPROXY, "*");
  Set(CURLOPT_SSL_VERIFYPEER, 1L);
  Set(CURLOPT_SSL_VERIFYHOST, 2L);
  Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!ca_file.empty()) {
    Set(CURLOPT_CAINFO, ca_file.c_str());
    Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  Set(CURLOPT_NOSIGNAL, 1L);
  Set(CURLOPT_OPENSOCKETFUNCTION, &GatedRequest::OpenSocket);
  Set(CURLOPT_OPENSOCKETDATA, this);
  Pin();
}

void GatedRequest::Pin() {
  if (url_.address.has_value()) return;
  std::string pinned = absl::StrCat(url_.host, ":", url_.port);
  char separator = ':';
  for (const IpAddress& address : addresses_) {
    absl::StrAppend(&pinned, absl::string_view(&separator, 1),
                    address.is_v4() ? "" : "[", address.ToString(),
                    address.is_v4() ? "" : "]");
    separator = ',';
  }
  pinned_.reset(curl_slist_append(nullptr, pinned.c_str()));
  Set(CURLOPT_RESOLVE, pinned_.get());
}

absl::Status GatedRequest::status() const {
  if (!refusal_.ok()) return refusal_;
  if (setting_ == CURLE_OK) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("libcurl: ", curl_easy_strerror(setting_)));
}

int64_t GatedRequest::http_status() const {
  long code = 0;
  curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &code);
  return code;
}

bool GatedRequest::is_redirect() const {
  const int64_t code = http_status();
  return code == 301 || code == 302 || code == 303 || code == 307 ||
         code == 308;
}

std::string GatedRequest::Header(const char* name) const {
  curl_header* header = nullptr;
  const CURLHcode code =
      curl_easy_header(curl_.get(), name, 0, CURLH_HEADER, -1, &header);
  return code == CURLHE_OK ? header->value : "";
}

// The last gate: what is not among the addresses that passed gets no socket.
curl_socket_t GatedRequest::OpenSocket(void* self, curlsocktype purpose,
                                       curl_sockaddr* to) {
  auto& request = *static_cast<GatedRequest*>(self);
  const std::optional<IpAddress> address = IpAddress::FromSockaddr(to->addr);
  const auto& allowed = request.addresses_;
  if (purpose != CURLSOCKTYPE_IPCXN || to->socktype != SOCK_STREAM ||
      !address.has_value() || PortOf(*to) != request.url_.port ||
      std::find(allowed.begin(), allowed.end(), *address) == allowed.end()) {
    request.refusal_ = UrlFailed(UrlFailure::kAddress,
                                 "the host has an address that was not "
                                 "checked");
    return CURL_SOCKET_BAD;
  }
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

}  // namespace sam3
