#include "service/http/http_server.h"

#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "inference/base/status_macros.h"
#include "service/http/hangup_watch.h"
#include "service/http/listen_socket.h"

namespace sam3 {
namespace {

// Request line and headers of one connection.
constexpr size_t kMaxHeaderBytes = 32 << 10;
constexpr char kTlsVersions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
// A client that sends too much is heard out up to this many times the limit,
// since many read no answer before they have sent everything.
constexpr size_t kPatience = 4;

HttpResponse Plain(int status, const std::string& message, const char* reason) {
  return {status,
          "application/json",
          {},
          absl::StrCat("{\"message\":\"", message, "\",\"reason\":\"", reason,
                       "\"}")};
}

// One request on one connection. The library's thread builds it up; from the
// handler's call on it is shared with whoever answers.
class Exchange final : public HttpExchange {
 public:
  Exchange(MHD_Connection* connection, HangupWatch& hangups)
      : connection_(connection), hangups_(hangups) {}

  const HttpRequest& request() const override { return request_; }
  std::string TakeBody() override { return std::move(request_.body); }

  void Respond(HttpResponse response) override {
    {
      const absl::MutexLock lock(&mutex_);
      if (answered_) return;
      answered_ = true;
      response_ = std::move(response);
      if (!suspended_) return;
    }
    // Nobody but this resumes it, so the connection is still there.
    if (watched_fd_ >= 0) hangups_.Remove(watched_fd_);
    MHD_resume_connection(connection_);
  }

  void WhenAbandoned(std::function<void()> on_hangup) override {
    on_hangup_ = std::move(on_hangup);
  }

  // What was answered; nothing leaves the connection to Respond().
  std::optional<HttpResponse> ResponseOrSuspend() {
    const absl::MutexLock lock(&mutex_);
    if (answered_) return std::move(response_);
    MHD_suspend_connection(connection_);
    suspended_ = true;
    if (on_hangup_ != nullptr) {
      watched_fd_ = MHD_get_connection_info(connection_,
                                            MHD_CONNECTION_INFO_CONNECTION_FD)
                        ->connect_fd;
      hangups_.Add(watched_fd_, std::move(on_hangup_));
    }
    return std::nullopt;
  }

  // The connection is gone: what is answered from now on is dropped.
  void Detach() {
    const absl::MutexLock lock(&mutex_);
    answered_ = true;
  }

  HttpRequest& mutable_request() { return request_; }

  // For the library's thread alone.
  struct Reading {
    absl::Time since = absl::Now();
    bool too_large = false;
    bool no_room = false;
    // Of the server's room for bodies.
    size_t reserved = 0;
    size_t discarded = 0;
    bool handled = false;
  };
  Reading reading;

 private:
  MHD_Connection* const connection_;
  HangupWatch& hangups_;
  HttpRequest request_;
  std::function<void()> on_hangup_;
  // Written before the connection is suspended, read by whoever resumes it.
  int watched_fd_ = -1;
  absl::Mutex mutex_;
  std::optional<HttpResponse> response_ ABSL_GUARDED_BY(mutex_);
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;
  bool suspended_ ABSL_GUARDED_BY(mutex_) = false;
};

MHD_Result AppendField(void* fields, MHD_ValueKind, const char* key,
                       size_t key_size, const char* value, size_t value_size) {
  static_cast<HttpFields*>(fields)->emplace_back(
      std::string(key, key_size),
      value == nullptr ? std::string() : std::string(value, value_size));
  return MHD_YES;
}

std::string PeerOf(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (info == nullptr) return "";
  const sockaddr* address = info->client_addr;
  const socklen_t size = address->sa_family == AF_INET6 ? sizeof(sockaddr_in6)
                                                        : sizeof(sockaddr_in);
  char host[NI_MAXHOST] = "";
  ::getnameinfo(address, size, host, sizeof(host), nullptr, 0, NI_NUMERICHOST);
  return host;
}

MHD_Result Queue(MHD_Connection* connection, const HttpResponse& response) {
  MHD_Response* out = MHD_create_response_from_buffer(
      response.body.size(), const_cast<char*>(response.body.data()),
      MHD_RESPMEM_MUST_COPY);
  if (out == nullptr) return MHD_NO;
  MHD_add_response_header(out, MHD_HTTP_HEADER_CONTENT_TYPE,
                          response.content_type.c_str());
  for (const auto& [name, value] : response.headers) {
    MHD_add_response_header(out, name.c_str(), value.c_str());
  }
  const MHD_Result queued = MHD_queue_response(
      connection, static_cast<unsigned>(response.status), out);
  MHD_destroy_response(out);
  return queued;
}

class MicrohttpdServer final : public HttpServer {
 public:
  MicrohttpdServer(const Options& options, Handler handler)
      : options_(options), handler_(std::move(handler)) {}

  ~MicrohttpdServer() override {
    Quiesce();
    // The library does not stop while a connection is suspended.
    for (const auto& exchange : Open()) exchange->Respond(Stops());
    if (daemon_ != nullptr) retired_.push_back(daemon_);
    for (MHD_Daemon* daemon : retired_) MHD_stop_daemon(daemon);
  }

  absl::Status Listen() {
    SAM3_ASSIGN_OR_RETURN(ListenSocket socket,
                          ListenSocket::Bind(options_.address));
    socket_.emplace(std::move(socket));
    SAM3_ASSIGN_OR_RETURN(daemon_, StartDaemon(options_.tls));
    return absl::OkStatus();
  }

  int port() const override { return socket_->port(); }

  // The library reads certificates when it starts, so that another of its
  // daemons takes over the socket; the old one keeps its connections.
  absl::Status UseTls(const TlsPem& tls) override {
    SAM3_ASSIGN_OR_RETURN(MHD_Daemon* const next, StartDaemon(tls));
    StopAccepting(daemon_);
    retired_.push_back(daemon_);
    daemon_ = next;
    const auto idle = std::partition(
        retired_.begin(), retired_.end(), [](MHD_Daemon* daemon) {
          return MHD_get_daemon_info(daemon,
                                     MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
                     ->num_connections > 0;
        });
    std::for_each(idle, retired_.end(), MHD_stop_daemon);
    retired_.erase(idle, retired_.end());
    return absl::OkStatus();
  }

  void Drain(absl::Time deadline) override {
    Quiesce();
    const absl::MutexLock lock(&mutex_);
    const auto nothing_open = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return open_.empty();
    };
    mutex_.AwaitWithDeadline(absl::Condition(&nothing_open), deadline);
  }

 private:
  using Slot = std::shared_ptr<Exchange>;

  // A daemon on the server's socket.
  absl::StatusOr<MHD_Daemon*> StartDaemon(const std::optional<TlsPem>& tls) {
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    std::vector<MHD_OptionItem> security;
    const auto secure = [&security](MHD_OPTION option, const char* text) {
      security.push_back({option, 0, const_cast<char*>(text)});
    };
    if (tls.has_value()) {
      flags |= MHD_USE_TLS;
      secure(MHD_OPTION_HTTPS_MEM_KEY, tls->private_key.c_str());
      secure(MHD_OPTION_HTTPS_MEM_CERT, tls->certificate.c_str());
      secure(MHD_OPTION_HTTPS_PRIORITIES, kTlsVersions);
      if (!tls->client_ca.empty()) {
        secure(MHD_OPTION_HTTPS_MEM_TRUST, tls->client_ca.c_str());
      }
    }
    security.push_back({MHD_OPTION_END, 0, nullptr});
    // A pool of one is refused: one thread is what there is without a pool.
    const int pool = options_.threads > 1 ? options_.threads : 0;
    const int socket = ::fcntl(socket_->fd(), F_DUPFD_CLOEXEC, 0);
    MHD_Daemon* const daemon = MHD_start_daemon(
        flags, 0, nullptr, nullptr, &MicrohttpdServer::OnAccess, this,
        MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_THREAD_POOL_SIZE,
        static_cast<unsigned>(pool), MHD_OPTION_CONNECTION_LIMIT,
        static_cast<unsigned>(options_.max_connections),
        MHD_OPTION_CONNECTION_TIMEOUT,
        static_cast<unsigned>(absl::ToInt64Seconds(options_.idle_timeout)),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, kMaxHeaderBytes,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
        &MicrohttpdServer::OnCompleted, this, MHD_OPTION_ARRAY, security.data(),
        MHD_OPTION_END);
    if (daemon != nullptr) return daemon;
    const int error = errno;
    if (socket >= 0) ::close(socket);
    return absl::UnavailableError(absl::StrCat(
        "cannot serve HTTP on ", options_.address,
        tls.has_value() ? ": the certificate or its key cannot be used, or "
                        : ": ",
        "the system refuses threads or descriptors (", strerrordesc_np(error),
        ")"));
  }

  static void StopAccepting(MHD_Daemon* daemon) {
    const MHD_socket listener = MHD_quiesce_daemon(daemon);
    if (listener != MHD_INVALID_SOCKET) ::close(listener);
  }

  void Quiesce() {
    if (daemon_ != nullptr) StopAccepting(daemon_);
    // Connections that wait to be accepted are refused rather than left alone.
    if (socket_.has_value() && socket_->fd() >= 0) ::close(socket_->Release());
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }

  bool AsksForCertificates() const {
    return options_.tls.has_value() && !options_.tls->client_ca.empty();
  }

  static bool HasTrustedCertificate(MHD_Connection* connection) {
    auto* const session = static_cast<gnutls_session_t>(
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)
            ->tls_session);
    unsigned problems = 0;
    return gnutls_certificate_verify_peers2(session, &problems) ==
               GNUTLS_E_SUCCESS &&
           problems == 0;
  }

  bool Stopping() {
    const absl::MutexLock lock(&mutex_);
    return stopping_;
  }

  static HttpResponse Stops() {
    HttpResponse response = Plain(503, "the server stops", "DRAINING");
    response.headers = {{"Connection", "close"}, {"Retry-After", "1"}};
    return response;
  }

  std::vector<Slot> Open() {
    const absl::MutexLock lock(&mutex_);
    return {open_.begin(), open_.end()};
  }

  static MHD_Result OnAccess(void* self, MHD_Connection* connection,
                             const char* url, const char* method,
                             const char* /*version*/, const char* data,
                             size_t* size, void** slot) {
    auto& server = *static_cast<MicrohttpdServer*>(self);
    if (*slot == nullptr) {
      return server.Begin(connection, url, method, slot);
    }
    const Slot& exchange = *static_cast<Slot*>(*slot);
    if (*size > 0) return server.Read(exchange.get(), data, size);
    return server.Answer(connection, exchange);
  }

  // Headers are there, the body is not.
  MHD_Result Begin(MHD_Connection* connection, const char* url,
                   const char* method, void** slot) {
    auto exchange = std::make_shared<Exchange>(connection, hangups_);
    HttpRequest& request = exchange->mutable_request();
    request.method = method;
    request.path = url;
    request.peer = PeerOf(connection);
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, &AppendField,
                                &request.headers);
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, &AppendField,
                                &request.query);
    {
      const absl::MutexLock lock(&mutex_);
      open_.insert(exchange);
    }
    *slot = new Slot(exchange);
    if (AsksForCertificates() && !HasTrustedCertificate(connection)) {
      return Queue(connection, Plain(403,
                                     "a certificate of the client's is needed "
                                     "that this server trusts",
                                     "CERTIFICATE_NEEDED"));
    }
    uint64_t length = 0;
    const auto declared = FindField(request.headers, "content-length");
    if (declared && absl::SimpleAtoi(*declared, &length)) {
      exchange->reading.too_large = length > options_.max_body_bytes;
      if (length > kPatience * options_.max_body_bytes) {
        return Queue(connection, TooLarge());
      }
      if (!exchange->reading.too_large && Reserve(exchange.get(), length)) {
        request.body.reserve(length);
      }
    }
    return MHD_YES;
  }

  // Room for `size` bytes of the body in all.
  bool Reserve(Exchange* exchange, size_t size) {
    Exchange::Reading& reading = exchange->reading;
    if (options_.max_bodies_bytes == 0 || size <= reading.reserved) return true;
    const size_t more = size - reading.reserved;
    const absl::MutexLock lock(&mutex_);
    if (more > options_.max_bodies_bytes - reserved_) {
      reading.no_room = true;
      return false;
    }
    reserved_ += more;
    reading.reserved = size;
    return true;
  }

  MHD_Result Read(Exchange* exchange, const char* data, size_t* size) {
    Exchange::Reading& reading = exchange->reading;
    std::string& body = exchange->mutable_request().body;
    if (body.size() + *size > options_.max_body_bytes) reading.too_large = true;
    if (reading.too_large || reading.no_room ||
        !Reserve(exchange, body.size() + *size)) {
      body = std::string();
      reading.discarded += *size;
    } else {
      body.append(data, *size);
    }
    *size = 0;
    const bool endless =
        reading.discarded > kPatience * options_.max_body_bytes ||
        absl::Now() - reading.since > options_.request_timeout;
    return endless ? MHD_NO : MHD_YES;
  }

  // The request is whole: hands it over, or sends what was answered meanwhile.
  MHD_Result Answer(MHD_Connection* connection, const Slot& exchange) {
    if (exchange->reading.too_large) return Queue(connection, TooLarge());
    if (exchange->reading.no_room) return Queue(connection, NoRoom());
    if (!exchange->reading.handled) {
      exchange->reading.handled = true;
      if (Stopping()) return Queue(connection, Stops());
      handler_(exchange);
    }
    const std::optional<HttpResponse> response = exchange->ResponseOrSuspend();
    return response.has_value() ? Queue(connection, *response) : MHD_YES;
  }

  static HttpResponse NoRoom() {
    HttpResponse response =
        Plain(503, "too many requests are under way", "OVERLOADED");
    response.headers = {{"Retry-After", "1"}};
    return response;
  }

  HttpResponse TooLarge() const {
    return Plain(413,
                 absl::StrCat("the body is larger than ",
                              options_.max_body_bytes, " bytes"),
                 "MEDIA_TOO_LARGE");
  }

  static void OnCompleted(void* self, MHD_Connection*, void** slot,
                          MHD_RequestTerminationCode) {
    if (*slot == nullptr) return;
    auto& server = *static_cast<MicrohttpdServer*>(self);
    const std::unique_ptr<Slot> owned(static_cast<Slot*>(*slot));
    *slot = nullptr;
    (*owned)->Detach();
    const absl::MutexLock lock(&server.mutex_);
    server.open_.erase(*owned);
    server.reserved_ -= (*owned)->reading.reserved;
  }

  const Options options_;
  const Handler handler_;
  HangupWatch hangups_;
  std::optional<ListenSocket> socket_;
  MHD_Daemon* daemon_ = nullptr;
  // Accept no more, and have connections left.
  std::vector<MHD_Daemon*> retired_;
  absl::Mutex mutex_;
  absl::flat_hash_set<Slot> open_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Bytes of bodies that are under way.
  size_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const Options& options, Handler handler) {
  auto server = std::make_unique<MicrohttpdServer>(options, std::move(handler));
  SAM3_RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace sam3
