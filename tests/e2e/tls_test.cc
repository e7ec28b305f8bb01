// TLS on the gRPC port, with certificates that the test makes.
#include "service/tls.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/certificate_maker.h"
#include "tests/support/eventually.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TlsTest : public ServerFixture {
 protected:
  TlsTest() {
    make_.Authority("ca");
    make_.Authority("other-ca");
    make_.Signed("server", "ca", "localhost");
    tls_.certificate_file = make_.Path("server.pem");
    tls_.private_key_file = make_.Path("server.key");
    tls_.reload_interval = absl::Seconds(1);
  }

  void Serve() {
    ASSERT_THAT(CheckTlsFiles(tls_), IsOk());
    Server::Options options;
    options.tls = tls_;
    StartServer({}, options);
  }

  // One call on a connection of its own.
  grpc::Status Call(
      const std::shared_ptr<grpc::ChannelCredentials>& credentials,
      const std::string& name = "localhost") {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetSslTargetNameOverride(name);
    const auto stub = v1::SegmentationService::NewStub(
        grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server_->port()),
                                  credentials, arguments));
    grpc::ClientContext context;
    v1::GetServerInfoResponse response;
    return stub->GetServerInfo(&context, {}, &response);
  }
  std::shared_ptr<grpc::ChannelCredentials> Trusting(
      const std::string& authorities, const std::string& own = "") {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = authorities;
    if (!own.empty()) {
      options.pem_cert_chain = make_.Text(own + ".pem");
      options.pem_private_key = make_.Text(own + ".key");
    }
    return grpc::SslCredentials(options);
  }

  ProgramRun Handshake(const std::string& flags) {
    return RunProgram(absl::StrCat(
        "openssl s_client -brief -alpn h2 -connect 127.0.0.1:", server_->port(),
        " -CAfile ", make_.Path("ca.pem"), " -verify_return_error ", flags,
        " </dev/null"));
  }

  const TempFolder folder_;
  const CertificateMaker make_{folder_.path().string()};
  TlsSettings tls_;
};

TEST_F(TlsTest, OnlyWhoTrustsTheServerTalksToIt) {
  Serve();
  const std::string ca = make_.Text("ca.pem");
  EXPECT_TRUE(Call(Trusting(ca)).ok());
  EXPECT_EQ(Call(Trusting(make_.Text("other-ca.pem"))).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(Trusting(ca), "example.com").error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(grpc::InsecureChannelCredentials()).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, AnExpiredCertificateIsNotTrusted) {
  make_.Signed("expired", "ca", "localhost", /*days=*/-1);
  tls_.certificate_file = make_.Path("expired.pem");
  tls_.private_key_file = make_.Path("expired.key");
  Serve();
  EXPECT_EQ(Call(Trusting(make_.Text("ca.pem"))).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, OldVersionsAreRefused) {
  Serve();
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    const ProgramRun good = Handshake(version);
    EXPECT_EQ(good.exit_status, 0) << good.output;
  }
  // At its default security level openssl would not even offer them.
  for (const char* version : {"-tls1", "-tls1_1"}) {
    testing::internal::CaptureStderr();
    const ProgramRun old =
        Handshake(absl::StrCat(version, " -cipher DEFAULT@SECLEVEL=0"));
    // The server's word for it; the client only sees the end.
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                HasSubstr("unsupported protocol"));
    EXPECT_NE(old.exit_status, 0);
  }
}

TEST_F(TlsTest, ClientsProveThemselvesWhereTheyHaveTo) {
  make_.Authority("client-ca");
  make_.Signed("client", "client-ca", "client");
  make_.Signed("stranger", "other-ca", "stranger");
  make_.Signed("late", "client-ca", "late", /*days=*/-1);
  tls_.client_ca_file = make_.Path("client-ca.pem");
  Serve();
  const std::string ca = make_.Text("ca.pem");
  EXPECT_TRUE(Call(Trusting(ca, "client")).ok());
  for (const char* own : {"", "stranger", "late", "server"}) {
    EXPECT_EQ(Call(Trusting(ca, own)).error_code(),
              grpc::StatusCode::UNAVAILABLE)
        << own;
  }
}

TEST_F(TlsTest, CertificatesAreReplacedUnderCalls) {
  // As kubelet lays secrets out: one link changes both files at once.
  make_.Signed("next", "other-ca", "localhost");
  for (const char* name : {"server", "next"}) {
    fs::create_directory(make_.Path(absl::StrCat("..", name)));
    for (const char* kind : {"pem", "key"}) {
      fs::copy(make_.Path(absl::StrCat(name, ".", kind)),
               make_.Path(absl::StrCat("..", name, "/tls.", kind)));
    }
  }
  fs::create_directory_symlink("..server", make_.Path("..data"));
  tls_.certificate_file = make_.Path("..data/tls.pem");
  tls_.private_key_file = make_.Path("..data/tls.key");
  Serve();
  const std::string old_ca = make_.Text("ca.pem");
  const std::string new_ca = make_.Text("other-ca.pem");
  const auto either = Trusting(old_ca + new_ca);
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0};
  std::thread caller([&] {
    while (!stop) {
      const grpc::Status status = Call(either);
      EXPECT_TRUE(status.ok()) << status.error_message();
      ++calls;
    }
  });
  EXPECT_TRUE(Call(Trusting(old_ca)).ok());
  fs::create_directory_symlink("..next", make_.Path("..data_tmp"));
  fs::rename(make_.Path("..data_tmp"), make_.Path("..data"));
  EXPECT_TRUE(Eventually([&] { return Call(Trusting(new_ca)).ok(); }));
  EXPECT_FALSE(Call(Trusting(old_ca)).ok());
  stop = true;
  caller.join();
  EXPECT_GT(calls, 0);
}

TEST_F(TlsTest, APairThatDoesNotFitIsMendedByTheNextLook) {
  Serve();
  make_.Signed("next", "ca", "localhost");
  const auto credentials = Trusting(make_.Text("ca.pem"));
  const auto replace = [&](const char* kind) {
    fs::rename(make_.Path(absl::StrCat("next.", kind)),
               make_.Path(absl::StrCat("server.", kind)));
  };
  replace("pem");
  // Until then nobody gets in, which is why both should change at once.
  EXPECT_TRUE(Eventually([&] { return !Call(credentials).ok(); }));
  replace("key");
  EXPECT_TRUE(Eventually([&] { return Call(credentials).ok(); }));
}

TEST_F(TlsTest, FilesThatVanishLeaveTheOldOnesInUse) {
  Serve();
  const auto credentials = Trusting(make_.Text("ca.pem"));
  EXPECT_TRUE(Call(credentials).ok());
  fs::remove(tls_.certificate_file);
  WriteText(tls_.private_key_file, "no key");
  // Longer than it takes to look at the files again.
  const absl::Time until = absl::Now() + 3 * tls_.reload_interval;
  while (absl::Now() < until) {
    const grpc::Status status = Call(credentials);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
}

TEST_F(TlsTest, WhatIsWrongWithFilesIsSaid) {
  EXPECT_THAT(CheckTlsFiles(tls_), IsOk());
  TlsSettings wrong = tls_;
  wrong.private_key_file = make_.Path("ca.key");
  EXPECT_THAT(
      CheckTlsFiles(wrong),
      StatusIs(absl::StatusCode::kInvalidArgument,
               absl::StrCat(wrong.private_key_file, " is not the key of ")));
  const std::string locked = make_.Path("locked.key");
  ASSERT_EQ(RunProgram(absl::StrCat("openssl ec -aes128 -passout pass:x -in ",
                                    tls_.private_key_file, " -out ", locked))
                .exit_status,
            0);
  wrong = {"/nonexistent.pem", locked, tls_.private_key_file};
  const absl::Status status = CheckTlsFiles(wrong);
  for (const std::string& part :
       {std::string("/nonexistent.pem is no readable PEM certificate"),
        locked + " is no readable PEM private key without a passphrase",
        tls_.private_key_file + " is no readable PEM certificate"}) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }
}

}  // namespace
}  // namespace sam3
