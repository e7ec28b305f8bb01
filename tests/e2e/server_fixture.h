#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "inference/fake_engine.h"
#include "pipeline/metrics.h"
#include "pipeline/segmenter_factory.h"
#include "sam3/v1/segmentation_service.grpc.pb.h"
#include "service/http/http_metrics.h"
#include "service/server.h"

namespace sam3 {

// A whole server on the fake engine, on a free loopback port, and a stub that
// talks to it over a real socket.
class ServerFixture : public testing::Test {
 protected:
  ServerFixture() { StartServer({}, {}); }
  ~ServerFixture() override {
    script_->OpenGate();
    server_.reset();
  }

  void StartServer(SegmenterOptions segmenter, Server::Options options);

  // A picture with one red and one blue area, and prompts.
  static v1::SegmentConceptsRequest RequestFor(
      const std::vector<std::string>& texts);
  static const std::string& Picture();

  // The ErrorInfo reason of a failed call.
  static std::string ReasonIn(const grpc::Status& status);
  // Field paths of its BadRequest.
  static std::vector<std::string> FieldsIn(const grpc::Status& status);

  const std::shared_ptr<FakeEngineScript> script_ =
      std::make_shared<FakeEngineScript>();
  RealClock clock_;
  PipelineMetrics metrics_;
  RpcMetrics calls_;
  HttpMetrics http_answers_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::SegmentationService::Stub> stub_;
};

}  // namespace sam3
