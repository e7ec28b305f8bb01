#include "pipeline/media/camera_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/descriptor.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

constexpr size_t kReceiveBytes = 64 << 10;
// For one of several addresses.
constexpr absl::Duration kConnectTimeout = absl::Seconds(3);

absl::Status Broken(absl::string_view what) {
  return SourceFailed(SourceFailure::kConnection, what);
}

struct SslFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

// One slice of waiting for `events`.
absl::Status Await(int fd, short events, LiveWait& wait) {
  SAM3_RETURN_IF_ERROR(wait.Check());
  pollfd polled = {fd, events, 0};
  ::poll(&polled, 1, LiveWait::kSliceMilliseconds);
  return absl::OkStatus();
}

// What a call that would have blocked or failed means.
enum class Verdict { kDone, kRead, kWrite, kEnd, kBroken };

class PlainSocket : public CameraSocket {
 public:
  explicit PlainSocket(Descriptor socket) : socket_(std::move(socket)) {}

  absl::Status Send(absl::string_view bytes, LiveWait& wait) override {
    while (!bytes.empty()) {
      size_t sent = 0;
      const Verdict verdict = TrySend(bytes, &sent);
      bytes.remove_prefix(sent);
      SAM3_RETURN_IF_ERROR(Continue(verdict, wait));
    }
    return absl::OkStatus();
  }

  void SendIfRoom(absl::string_view bytes) override {
    size_t sent = 0;
    TrySend(bytes, &sent);
  }

  absl::StatusOr<std::string> Receive(LiveWait& wait) override {
    std::string bytes(kReceiveBytes, '\0');
    while (true) {
      size_t received = 0;
      const Verdict verdict = TryReceive(&bytes, &received);
      if (verdict == Verdict::kEnd) return std::string();
      if (verdict == Verdict::kDone) {
        bytes.resize(received);
        wait.Restart();
        return bytes;
      }
      SAM3_RETURN_IF_ERROR(Continue(verdict, wait));
    }
  }

 protected:
  int fd() const { return socket_.get(); }

  absl::Status Continue(Verdict verdict, LiveWait& wait) const {
    switch (verdict) {
      case Verdict::kDone:
        return absl::OkStatus();
      case Verdict::kRead:
        return Await(fd(), POLLIN, wait);
      case Verdict::kWrite:
        return Await(fd(), POLLOUT, wait);
      case Verdict::kEnd:
      case Verdict::kBroken:
        break;
    }
    return Broken("the connection broke");
  }

  virtual Verdict TrySend(absl::string_view bytes, size_t* sent) {
    const ssize_t count =
        ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      *sent = static_cast<size_t>(count);
      return Verdict::kDone;
    }
    return errno == EAGAIN || errno == EINTR ? Verdict::kWrite
                                             : Verdict::kBroken;
  }

  virtual Verdict TryReceive(std::string* bytes, size_t* received) {
    const ssize_t count = ::recv(fd(), bytes->data(), bytes->size(), 0);
    if (count == 0) return Verdict::kEnd;
    if (count > 0) {
      *received = static_cast<size_t>(count);
      return Verdict::kDone;
    }
    return errno == EAGAIN || errno == EINTR ? Verdict::kRead
                                             : Verdict::kBroken;
  }

 private:
  const Descriptor socket_;
};

class TlsSocket final : public PlainSocket {
 public:
  explicit TlsSocket(Descriptor socket) : PlainSocket(std::move(socket)) {}

  absl::Status Handshake(const CheckedUrl& url, const std::string& ca_file,
                         LiveWait& wait) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (context_ == nullptr) return absl::ResourceExhaustedError("no memory");
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                         SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    const int trusted = ca_file.empty()
                            ? SSL_CTX_set_default_verify_paths(context_.get())
                            : SSL_CTX_load_verify_locations(
                                  context_.get(), ca_file.c_str(), nullptr);
    ssl_.reset(SSL_new(context_.get()));
    if (trusted != 1 || ssl_ == nullptr || SSL_set_fd(ssl_.get(), fd()) != 1) {
      return absl::InternalError("OpenSSL cannot be set up");
    }
    X509_VERIFY_PARAM* rules = SSL_get0_param(ssl_.get());
    const bool named =
        url.address.has_value()
            ? X509_VERIFY_PARAM_set1_ip_asc(rules, url.host.c_str()) == 1
            : SSL_set1_host(ssl_.get(), url.host.c_str()) == 1 &&
                  SSL_set_tlsext_host_name(ssl_.get(), url.host.c_str()) == 1;
    if (!named) return absl::InternalError("OpenSSL takes no such host");
    while (true) {
      const int result = SSL_connect(ssl_.get());
      if (result == 1) return absl::OkStatus();
      const Verdict verdict = Judge(result);
      if (verdict == Verdict::kEnd || verdict == Verdict::kBroken) {
        const bool believed = SSL_get_verify_result(ssl_.get()) == X509_V_OK;
        return SourceFailed(believed ? SourceFailure::kTlsHandshake
                                     : SourceFailure::kTlsCertificate,
                            believed
                                ? "no encrypted connection came about"
                                : "the host's certificate is not believed");
      }
      SAM3_RETURN_IF_ERROR(Continue(verdict, wait));
    }
  }

 private:
  Verdict Judge(int result) {
    const int error = SSL_get_error(ssl_.get(), result);
    // Left errors would be taken for those of the thread's next call.
    ERR_clear_error();
    switch (error) {
      case SSL_ERROR_WANT_READ:
        return Verdict::kRead;
      case SSL_ERROR_WANT_WRITE:
        return Verdict::kWrite;
      case SSL_ERROR_ZERO_RETURN:
        return Verdict::kEnd;
      default:
        return Verdict::kBroken;
    }
  }

  Verdict TrySend(absl::string_view bytes, size_t* sent) override {
    const int result =
        SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), sent);
    return result == 1 ? Verdict::kDone : Judge(result);
  }

  Verdict TryReceive(std::string* bytes, size_t* received) override {
    const int result =
        SSL_read_ex(ssl_.get(), bytes->data(), bytes->size(), received);
    return result == 1 ? Verdict::kDone : Judge(result);
  }

  std::unique_ptr<SSL_CTX, SslFree> context_;
  std::unique_ptr<SSL, SslFree> ssl_;
};

// Length 0 for what is no address, which cannot be.
socklen_t ToSockaddr(const IpAddress& address, uint16_t port,
                     sockaddr_storage* out) {
  *out = {};
  if (address.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(out);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return ::inet_pton(AF_INET, address.ToString().c_str(), &v4->sin_addr) == 1
               ? sizeof(*v4)
               : 0;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(out);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  return ::inet_pton(AF_INET6, address.ToString().c_str(), &v6->sin6_addr) == 1
             ? sizeof(*v6)
             : 0;
}

absl::StatusOr<Descriptor> ConnectTo(const IpAddress& address, uint16_t port,
                                     LiveWait& wait) {
  sockaddr_storage to;
  const socklen_t size = ToSockaddr(address, port, &to);
  Descriptor socket(::socket(
      to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (size == 0 || socket.get() < 0) return Broken("there is no socket left");
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), size) ==
      0) {
    return socket;
  }
  if (errno != EINPROGRESS) return Broken("the host cannot be connected to");
  pollfd polled = {socket.get(), POLLOUT, 0};
  for (absl::Duration waited; waited < kConnectTimeout;
       waited += absl::Milliseconds(LiveWait::kSliceMilliseconds)) {
    SAM3_RETURN_IF_ERROR(wait.Check());
    if (::poll(&polled, 1, LiveWait::kSliceMilliseconds) <= 0) {
      continue;
    }
    int error = 0;
    socklen_t error_size = sizeof(error);
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &error_size);
    if (error == 0) return socket;
    return Broken("the host cannot be connected to");
  }
  return SourceFailed(SourceFailure::kTimeout,
                      "the host does not answer to connecting");
}

}  // namespace

absl::StatusOr<std::unique_ptr<CameraSocket>> CameraSocket::Connect(
    const CheckedUrl& url, const std::vector<IpAddress>& addresses,
    const std::string& ca_file, LiveWait& wait) {
  absl::Status failure = Broken("the host has no address");
  for (const IpAddress& address : addresses) {
    absl::StatusOr<Descriptor> socket = ConnectTo(address, url.port, wait);
    if (!socket.ok()) {
      failure = socket.status();
      // Cancelled, or no time is left: wait would say so again.
      if (!wait.Check().ok()) break;
      continue;
    }
    if (!url.encrypted()) {
      return std::make_unique<PlainSocket>(*std::move(socket));
    }
    auto tls = std::make_unique<TlsSocket>(*std::move(socket));
    SAM3_RETURN_IF_ERROR(tls->Handshake(url, ca_file, wait));
    return tls;
  }
  return failure;
}

}  // namespace sam3
