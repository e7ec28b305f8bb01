// The HTTP server over real sockets: late answers, limits, hang-ups, the end.
#include "service/http/http_server.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// One connection to loopback.
class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address),
                           sizeof(address)) == 0;
  }
  ~Client() { Close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void Send(absl::string_view text) {
    EXPECT_EQ(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // Everything until the server closes.
  std::string ReceiveAll() {
    std::string all;
    std::array<char, 4096> buffer;
    ssize_t count = 0;
    while ((count = ::recv(socket_, buffer.data(), buffer.size(), 0)) > 0) {
      all.append(buffer.data(), static_cast<size_t>(count));
    }
    return all;
  }
  void Close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

 private:
  int socket_;
  bool connected_ = false;
};

std::string Post(absl::string_view path, absl::string_view body) {
  return absl::StrCat("POST ", path,
                      " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                      "X-Note: seen\r\nContent-Length: ",
                      body.size(), "\r\n\r\n", body);
}

std::unique_ptr<HttpServer> Serve(HttpServer::Handler handler) {
  HttpServer::Options options;
  options.address = "127.0.0.1:0";
  options.threads = 2;
  options.max_body_bytes = 1000;
  options.max_bodies_bytes = 1500;
  auto server = HttpServer::Start(options, std::move(handler));
  EXPECT_THAT(server, IsOk());
  return *std::move(server);
}

TEST(HttpServerTest, TheHandlerSeesTheWholeRequest) {
  const auto server = Serve([](const std::shared_ptr<HttpExchange>& exchange) {
    const HttpRequest& request = exchange->request();
    exchange->Respond(
        {201,
         "text/plain",
         {{"X-Answer", "yes"}},
         absl::StrCat(request.method, " ", request.path, " ",
                      FindField(request.query, "a").value_or("-"), " ",
                      FindField(request.headers, "x-note").value_or("-"), " ",
                      exchange->TakeBody())});
  });
  Client client(server->port());
  client.Send(Post("/some%20path?a=1%262&b", "the body"));
  const std::string answer = client.ReceiveAll();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 201 "));
  EXPECT_THAT(answer, HasSubstr("X-Answer: yes\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nPOST /some path 1&2 seen the body"));
}

TEST(HttpServerTest, AnswersLaterFromAnotherThread) {
  absl::Notification arrived;
  std::shared_ptr<HttpExchange> waiting;
  const auto server = Serve([&](std::shared_ptr<HttpExchange> exchange) {
    if (exchange->request().path == "/now") return exchange->Respond({});
    waiting = std::move(exchange);
    arrived.Notify();
  });
  Client slow(server->port());
  slow.Send(Post("/later", "x"));
  arrived.WaitForNotification();
  // Others are served meanwhile.
  Client quick(server->port());
  quick.Send(Post("/now", "x"));
  EXPECT_THAT(quick.ReceiveAll(), StartsWith("HTTP/1.1 200 "));
  std::thread([&] { waiting->Respond({202}); }).join();
  EXPECT_THAT(slow.ReceiveAll(), StartsWith("HTTP/1.1 202 "));
}

TEST(HttpServerTest, BodiesAreBoundedHoweverTheyCome) {
  const auto server = Serve([](const std::shared_ptr<HttpExchange>& exchange) {
    exchange->Respond({200, "text/plain", {}, exchange->TakeBody()});
  });
  const auto answer = [&](const std::string& request) {
    Client client(server->port());
    client.Send(request);
    return client.ReceiveAll();
  };
  EXPECT_THAT(answer(Post("/", std::string(1000, 'x'))),
              StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer(Post("/", std::string(1001, 'x'))),
              StartsWith("HTTP/1.1 413 "));
  // Refused by its announcement alone.
  EXPECT_THAT(answer("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                     "Content-Length: 99999999999\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  std::string chunked =
      "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 11; ++i) {
    absl::StrAppend(&chunked, "64\r\n", std::string(100, 'x'), "\r\n");
  }
  EXPECT_THAT(answer(chunked + "0\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
  // One that never ends is cut.
  for (int i = 0; i < 50; ++i) {
    absl::StrAppend(&chunked, "64\r\n", std::string(100, 'x'), "\r\n");
  }
  EXPECT_EQ(answer(chunked), "");
}

TEST(HttpServerTest, BodiesTogetherAreBounded) {
  absl::Notification arrived;
  std::shared_ptr<HttpExchange> waiting;
  const auto server = Serve([&](std::shared_ptr<HttpExchange> exchange) {
    if (exchange->request().path != "/later") return exchange->Respond({});
    waiting = std::move(exchange);
    arrived.Notify();
  });
  Client first(server->port());
  first.Send(Post("/later", std::string(1000, 'x')));
  arrived.WaitForNotification();
  const auto answer = [&](const std::string& request) {
    Client client(server->port());
    client.Send(request);
    return client.ReceiveAll();
  };
  EXPECT_THAT(answer(Post("/", std::string(500, 'x'))),
              StartsWith("HTTP/1.1 200 "));
  const std::string refused = answer(Post("/", std::string(501, 'x')));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1"));
  // Also where the length is not told before.
  std::string chunked =
      "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 6; ++i) {
    absl::StrAppend(&chunked, "64\r\n", std::string(100, 'x'), "\r\n");
  }
  EXPECT_THAT(answer(chunked + "0\r\n\r\n"), StartsWith("HTTP/1.1 503 "));
  waiting->Respond({});
  first.ReceiveAll();
  EXPECT_THAT(answer(Post("/", std::string(1000, 'x'))),
              StartsWith("HTTP/1.1 200 "));
}

TEST(HttpServerTest, AClientThatHangsUpIsNoticed) {
  absl::Notification arrived;
  absl::Notification abandoned;
  std::shared_ptr<HttpExchange> waiting;
  const auto server = Serve([&](std::shared_ptr<HttpExchange> exchange) {
    waiting = std::move(exchange);
    waiting->WhenAbandoned([&] { abandoned.Notify(); });
    arrived.Notify();
  });
  Client client(server->port());
  client.Send(Post("/", "x"));
  arrived.WaitForNotification();
  EXPECT_FALSE(abandoned.HasBeenNotified());
  client.Close();
  abandoned.WaitForNotification();
  waiting->Respond({});
}

TEST(HttpServerTest, DrainingFinishesWhatCameAndRefusesTheRest) {
  absl::Notification arrived;
  std::shared_ptr<HttpExchange> waiting;
  const auto server = Serve([&](std::shared_ptr<HttpExchange> exchange) {
    waiting = std::move(exchange);
    arrived.Notify();
  });
  Client client(server->port());
  client.Send(Post("/", "x"));
  arrived.WaitForNotification();
  // Its time is up at once: the request stays open.
  server->Drain(absl::InfinitePast());
  EXPECT_FALSE(Client(server->port()).connected());
  std::thread drain([&] { server->Drain(absl::InfiniteFuture()); });
  waiting->Respond({200, "text/plain", {}, "finished"});
  EXPECT_THAT(client.ReceiveAll(), HasSubstr("finished"));
  drain.join();
}

TEST(HttpServerTest, OutlivedRequestsAreCut) {
  absl::Notification arrived;
  std::shared_ptr<HttpExchange> waiting;
  auto server = Serve([&](std::shared_ptr<HttpExchange> exchange) {
    waiting = std::move(exchange);
    arrived.Notify();
  });
  Client client(server->port());
  client.Send(Post("/", "x"));
  arrived.WaitForNotification();
  server.reset();
  client.ReceiveAll();
  // Too late, and harmless.
  waiting->Respond({});
}

TEST(HttpServerTest, SaysWhyItCannotListen) {
  const auto server = Serve([](const std::shared_ptr<HttpExchange>&) {});
  const auto start = [](const std::string& address) {
    HttpServer::Options options;
    options.address = address;
    return HttpServer::Start(options,
                             [](const std::shared_ptr<HttpExchange>&) {})
        .status();
  };
  EXPECT_THAT(start(absl::StrCat("127.0.0.1:", server->port())),
              StatusIs(absl::StatusCode::kUnavailable, "already in use"));
  EXPECT_THAT(start("192.0.2.1:0"),
              StatusIs(absl::StatusCode::kUnavailable, "assign requested"));
  EXPECT_THAT(start("nowhere"),
              StatusIs(absl::StatusCode::kUnavailable, "HOST:PORT"));
}

}  // namespace
}  // namespace sam3
