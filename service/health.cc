#include "service/health.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

class GrpcHealth final : public HealthEndpoint {
 public:
  GrpcHealth(std::unique_ptr<grpc::CallbackGenericService> rest,
             std::unique_ptr<grpc::Server> server, int port)
      : rest_(std::move(rest)), server_(std::move(server)), port_(port) {}
  ~GrpcHealth() override {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  void SetServing(bool serving) override {
    grpc::HealthCheckServiceInterface& health =
        *server_->GetHealthCheckService();
    if (serving) health.SetServingStatus("startup", true);
    health.SetServingStatus("readiness", serving);
    health.SetServingStatus("", serving);
  }
  int port() const override { return port_; }

 private:
  // Outlives the server.
  const std::unique_ptr<grpc::CallbackGenericService> rest_;
  const std::unique_ptr<grpc::Server> server_;
  const int port_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HealthEndpoint>> HealthEndpoint::Start(
    const std::string& address) {
  // gRPC offers the service through a process-wide switch that is read when a
  // server is built; it is off again before the data server is.
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A server without a service of its own is refused; this one answers
  // UNIMPLEMENTED to everything but health.
  auto rest = std::make_unique<grpc::CallbackGenericService>();
  builder.RegisterCallbackGenericService(rest.get());
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  grpc::EnableDefaultHealthCheckService(false);
  if (server == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", address,
        " for health: the port is taken or the address is not this host's"));
  }
  server->GetHealthCheckService()->SetServingStatus("", false);
  server->GetHealthCheckService()->SetServingStatus("readiness", false);
  server->GetHealthCheckService()->SetServingStatus("startup", false);
  server->GetHealthCheckService()->SetServingStatus("liveness", true);
  return std::make_unique<GrpcHealth>(std::move(rest), std::move(server), port);
}

}  // namespace sam3
