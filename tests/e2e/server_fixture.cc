#include "tests/e2e/server_fixture.h"

#include <grpcpp/grpcpp.h>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"

namespace sam3 {

void ServerFixture::StartServer(SegmenterOptions segmenter,
                                Server::Options options) {
  server_.reset();
  auto created =
      CreateSegmenter(MakeFakeModel(script_), segmenter, clock_, metrics_);
  ASSERT_THAT(created, IsOk());
  options.address = "127.0.0.1:0";
  auto server = Server::Start(options, *std::move(created), calls_);
  ASSERT_THAT(server, IsOk());
  server_ = *std::move(server);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  // A channel of its own for every test.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel_ =
      grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server_->port()),
                                grpc::InsecureChannelCredentials(), arguments);
  stub_ = v1::SegmentationService::NewStub(channel_);
}

const std::string& ServerFixture::Picture() {
  static const std::string kPng =
      DrawAreasPng(128, 64, {{"red", 8, 8, 32, 16}, {"blue", 8, 40, 16, 16}});
  return kPng;
}

v1::SegmentConceptsRequest ServerFixture::RequestFor(
    const std::vector<std::string>& texts) {
  v1::SegmentConceptsRequest request;
  request.mutable_image()->set_content(Picture());
  for (const std::string& text : texts) request.add_prompts()->set_text(text);
  return request;
}

std::string ServerFixture::ReasonIn(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& any : details.details()) {
    google::rpc::ErrorInfo info;
    if (any.UnpackTo(&info)) return info.reason();
  }
  return "";
}

std::vector<std::string> ServerFixture::FieldsIn(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  std::vector<std::string> fields;
  for (const auto& any : details.details()) {
    google::rpc::BadRequest bad;
    if (!any.UnpackTo(&bad)) continue;
    for (const auto& violation : bad.field_violations()) {
      fields.push_back(violation.field());
    }
  }
  return fields;
}

}  // namespace sam3
