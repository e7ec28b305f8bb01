// Asks a server to embed pictures by URL and prints what it is told, one JSON
// document a line. For tests that need a client inside a network namespace.
//
//   url_driver ADDRESS < URLS     one URL a line, as a JSON string
#include <grpcpp/grpcpp.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "sam3/v1/segmentation_service.grpc.pb.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto stub = sam3::v1::SegmentationService::NewStub(
      grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
  for (std::string line; std::getline(std::cin, line);) {
    sam3::v1::EmbedImageRequest request;
    request.mutable_image()->set_url(
        nlohmann::json::parse(line).get<std::string>());
    grpc::ClientContext context;
    sam3::v1::EmbedImageResponse response;
    const grpc::Status status = stub->EmbedImage(&context, request, &response);
    google::rpc::Status details;
    details.ParseFromString(status.error_details());
    std::string reason;
    for (const auto& any : details.details()) {
      google::rpc::ErrorInfo info;
      if (any.UnpackTo(&info)) reason = info.reason();
    }
    std::cout << nlohmann::json({{"code", status.error_code()},
                                 {"reason", reason},
                                 {"message", status.error_message()},
                                 {"width", response.image_info().width_px()}})
                     .dump()
              << std::endl;
  }
  return 0;
}
