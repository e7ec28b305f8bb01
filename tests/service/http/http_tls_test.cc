// The HTTP server with TLS, asked by the openssl program.
#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "service/http/http_server.h"
#include "tests/support/certificate_maker.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

using testing::HasSubstr;
using testing::Not;

class HttpTlsTest : public testing::Test {
 protected:
  HttpTlsTest() {
    make_.Authority("ca");
    make_.Authority("other-ca");
    make_.Signed("server", "ca", "localhost");
    make_.Signed("next", "ca", "next.localhost");
    make_.Signed("client", "ca", "client");
    make_.Signed("stranger", "other-ca", "client");
  }

  TlsPem Pem(const std::string& name, const std::string& client_ca = "") {
    return {make_.Text(name + ".pem"), make_.Text(name + ".key"),
            client_ca.empty() ? "" : make_.Text(client_ca + ".pem")};
  }

  void Serve(const TlsPem& pem) {
    HttpServer::Options options;
    options.address = "127.0.0.1:0";
    options.threads = 2;
    options.tls = pem;
    auto server = HttpServer::Start(
        options, [](const std::shared_ptr<HttpExchange>& exchange) {
          exchange->Respond({200, "text/plain", {}, "served"});
        });
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
  }

  // What openssl says of one request, and what the server answers.
  std::string Ask(const std::string& flags) {
    return RunProgram(
               absl::StrCat("printf 'GET / HTTP/1.0\\r\\nHost: localhost\\r\\n"
                            "\\r\\n' | openssl s_client -connect 127.0.0.1:",
                            server_->port(), " -CAfile ", make_.Path("ca.pem"),
                            " -verify_return_error -ign_eof ", flags))
        .output;
  }

  const TempFolder folder_;
  const CertificateMaker make_{folder_.path()};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpTlsTest, OnlyThroughAVersionThatIsSafe) {
  Serve(Pem("server"));
  EXPECT_THAT(Ask(""), HasSubstr("served"));
  EXPECT_THAT(Ask("-tls1_2"), HasSubstr("served"));
  EXPECT_THAT(Ask("-tls1_1 -cipher DEFAULT@SECLEVEL=0"),
              Not(HasSubstr("served")));
  EXPECT_THAT(Ask(absl::StrCat("-CAfile ", make_.Path("other-ca.pem"))),
              Not(HasSubstr("served")));
}

TEST_F(HttpTlsTest, ClientsProveThemselvesWhereThatIsAsked) {
  Serve(Pem("server", "ca"));
  const auto as = [this](const std::string& name) {
    return Ask(absl::StrCat("-cert ", make_.Path(name), ".pem -key ",
                            make_.Path(name), ".key"));
  };
  EXPECT_THAT(as("client"), HasSubstr("served"));
  for (const std::string& refused : {Ask(""), as("stranger")}) {
    EXPECT_THAT(refused, HasSubstr("403"));
    EXPECT_THAT(refused, HasSubstr("CERTIFICATE_NEEDED"));
    EXPECT_THAT(refused, Not(HasSubstr("served")));
  }
}

TEST_F(HttpTlsTest, AnotherCertificateTakesOver) {
  Serve(Pem("server"));
  EXPECT_THAT(Ask(""), HasSubstr("CN = localhost"));
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(server_->UseTls(Pem("next")), IsOk());
    const std::string answer = Ask("");
    EXPECT_THAT(answer, HasSubstr("CN = next.localhost"));
    EXPECT_THAT(answer, HasSubstr("served"));
  }
  TlsPem broken = Pem("server");
  broken.private_key = "no key";
  EXPECT_THAT(server_->UseTls(broken),
              StatusIs(absl::StatusCode::kUnavailable, "certificate"));
  EXPECT_THAT(Ask(""), HasSubstr("served"));
}

}  // namespace
}  // namespace sam3
