#include "cli/connection.h"

#include <grpcpp/support/client_interceptor.h>

#include <chrono>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/api_key.h"
#include "cli/output.h"
#include "cli/prompt_flags.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "inference/base/clock.h"
#include "inference/base/status_macros.h"
#include "inference/engine_factory.h"
#include "pipeline/metrics.h"
#include "pipeline/segmenter_factory.h"
#include "service/keys/secret.h"
#include "service/listen_address.h"
#include "service/server.h"
#include "service/version.h"

namespace sam3 {
namespace {

constexpr int kMaxMessageBytes = 128 << 20;
constexpr std::chrono::seconds kConnectTimeout(5);

using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

// Adds the key to every call's metadata. gRPC's own way, call credentials, does
// not work without TLS, as on loopback.
class KeyPresenter final : public Interceptor {
 public:
  explicit KeyPresenter(const Secret& key) : key_(key) {}
  void Intercept(InterceptorBatchMethods* batch) override {
    if (batch->QueryInterceptionHookPoint(
            InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      batch->GetSendInitialMetadata()->emplace("x-api-key", key_.Reveal());
    }
    batch->Proceed();
  }

 private:
  const Secret& key_;
};

class KeyPresenterFactory final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit KeyPresenterFactory(Secret key) : key_(std::move(key)) {}
  Interceptor* CreateClientInterceptor(ClientRpcInfo*) override {
    return new KeyPresenter(key_);
  }

 private:
  const Secret key_;
};

std::shared_ptr<grpc::Channel> ChannelTo(
    const std::string& address,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials, Secret key) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  std::vector<
      std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
      interceptors;
  if (!key.empty()) {
    interceptors.push_back(
        std::make_unique<KeyPresenterFactory>(std::move(key)));
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      address, credentials, arguments, std::move(interceptors));
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const ConnectionOptions& options) {
  if (!options.tls) return grpc::InsecureChannelCredentials();
  if (options.tls_certificate_file.empty() !=
      options.tls_private_key_file.empty()) {
    return absl::InvalidArgumentError(
        "--tls-cert and --tls-key belong together");
  }
  grpc::SslCredentialsOptions files;
  for (const auto& [path, text] :
       {std::pair{&options.tls_ca_file, &files.pem_root_certs},
        std::pair{&options.tls_certificate_file, &files.pem_cert_chain},
        std::pair{&options.tls_private_key_file, &files.pem_private_key}}) {
    if (path->empty()) continue;
    SAM3_ASSIGN_OR_RETURN(*text, ReadWholeFile(*path));
  }
  return grpc::SslCredentials(files);
}

class RemoteConnection final : public Connection {
 public:
  explicit RemoteConnection(std::shared_ptr<grpc::Channel> channel)
      : channel_(std::move(channel)),
        stub_(v1::SegmentationService::NewStub(channel_)) {}

  bool Await() {
    return channel_->WaitForConnected(std::chrono::system_clock::now() +
                                      kConnectTimeout);
  }
  v1::SegmentationService::Stub& stub() override { return *stub_; }

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::SegmentationService::Stub> stub_;
};

class InProcessConnection final : public Connection {
 public:
  static absl::StatusOr<std::unique_ptr<Connection>> Open(
      const ConnectionOptions& options) {
    auto connection = std::make_unique<InProcessConnection>();
    EngineOptions engine;
    engine.model_dir = options.model_dir;
    engine.device = options.device;
    if (options.dtype == "fp32") engine.dtype = DtypeChoice::kFp32;
    if (options.dtype == "bf16") engine.dtype = DtypeChoice::kBf16;
    SAM3_ASSIGN_OR_RETURN(LoadedModel model, LoadModel(engine));
    SegmenterOptions options_without_warm_up;
    options_without_warm_up.warm_up = false;
    SAM3_ASSIGN_OR_RETURN(
        auto segmenter,
        CreateSegmenter(std::move(model), options_without_warm_up,
                        connection->clock_, connection->metrics_));
    Server::Options server;
    server.address = "127.0.0.1:0";
    server.version = kVersion;
    server.media_root = options.media_root;
    SAM3_ASSIGN_OR_RETURN(
        connection->server_,
        Server::Start(server, std::move(segmenter), connection->calls_));
    connection->remote_ = std::make_unique<RemoteConnection>(
        ChannelTo(absl::StrCat("127.0.0.1:", connection->server_->port()),
                  grpc::InsecureChannelCredentials(), Secret()));
    return connection;
  }

  v1::SegmentationService::Stub& stub() override { return remote_->stub(); }

 private:
  RealClock clock_;
  PipelineMetrics metrics_;
  RpcMetrics calls_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<RemoteConnection> remote_;
};

int ExitStatus(absl::StatusCode code, int refused) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kUnavailable:
      return kUnreachable;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return kServerFailed;
    default:
      return refused;
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const ConnectionOptions& options) {
  SAM3_ASSIGN_OR_RETURN(Secret key, FindApiKey(options.api_key_file));
  SAM3_ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(options));
  if (!key.empty() && !options.tls && !options.plaintext &&
      !IsLoopback(options.server)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the key would travel to ", options.server,
        " unencrypted; add --tls, or --tls-ca FILE, or --plaintext if that is "
        "meant"));
  }
  return ChannelTo(options.server, credentials, std::move(key));
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(
    const ConnectionOptions& options) {
  if (options.in_process) return InProcessConnection::Open(options);
  SAM3_ASSIGN_OR_RETURN(auto channel, MakeChannel(options));
  auto connection = std::make_unique<RemoteConnection>(std::move(channel));
  if (!connection->Await()) {
    return absl::UnavailableError(absl::StrCat(
        "no server answers at ", options.server,
        "; start one with sam3-server, name another with --server, or run "
        "without one: --model DIR, or --demo for the embedded model"));
  }
  return connection;
}

int ExitStatusOf(const absl::Status& status) {
  return ExitStatus(status.code(), kWrongUsage);
}

int ExitStatusOf(const grpc::Status& status) {
  return ExitStatus(static_cast<absl::StatusCode>(status.error_code()),
                    kServerRefused);
}

void PrintError(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  std::string reason;
  bool listed = false;
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    if (any.UnpackTo(&info)) reason = info.reason();
    google::rpc::BadRequest bad;
    if (!any.UnpackTo(&bad)) continue;
    listed = true;
    for (const auto& violation : bad.field_violations()) {
      std::fprintf(stderr, "sam3ctl: %s: %s\n", violation.field().c_str(),
                   violation.description().c_str());
    }
  }
  if (listed) return;
  std::fprintf(stderr, "sam3ctl: %s%s%s%s\n", status.error_message().c_str(),
               reason.empty() ? "" : " (", reason.c_str(),
               reason.empty() ? "" : ")");
}

}  // namespace sam3
