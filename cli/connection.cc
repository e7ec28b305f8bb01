#include "cli/connection.h"

#include <chrono>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "inference/base/clock.h"
#include "inference/base/status_macros.h"
#include "inference/engine_factory.h"
#include "pipeline/metrics.h"
#include "pipeline/segmenter_factory.h"
#include "service/server.h"
#include "service/version.h"

namespace sam3 {
namespace {

constexpr int kMaxMessageBytes = 128 << 20;
constexpr std::chrono::seconds kConnectTimeout(5);

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

class RemoteConnection final : public Connection {
 public:
  explicit RemoteConnection(const std::string& address)
      : channel_(MakeChannel(address)),
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
        absl::StrCat("127.0.0.1:", connection->server_->port()));
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

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(
    const ConnectionOptions& options) {
  if (options.in_process) return InProcessConnection::Open(options);
  auto connection = std::make_unique<RemoteConnection>(options.server);
  if (!connection->Await()) {
    return absl::UnavailableError(absl::StrCat(
        "no server answers at ", options.server,
        "; start one with sam3-server, name another with --server, or run "
        "without one: --model DIR, or --demo for the embedded model"));
  }
  return connection;
}

int ExitStatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kUnavailable:
      return 5;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return 4;
    default:
      return 3;
  }
}

int ExitStatusOf(const grpc::Status& status) {
  return ExitStatusOf(
      absl::Status(static_cast<absl::StatusCode>(status.error_code()), ""));
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
