#include "cli/client_stream.h"

#include <fstream>

namespace sam3 {
namespace {

constexpr size_t kChunkBytes = 256 << 10;

}  // namespace

ClientStream::ClientStream(v1::SegmentationService::Stub& stub,
                           const v1::SegmentStreamRequest& config,
                           const std::string& file)
    : stream_(stub.SegmentStream(&context_)) {
  stream_->Write(config);
  if (!file.empty()) sender_ = std::thread([this, file] { SendFile(file); });
}

ClientStream::~ClientStream() {
  Cancel();
  if (sender_.joinable()) sender_.join();
}

bool ClientStream::Read(v1::SegmentStreamResponse* message) {
  return stream_->Read(message);
}

grpc::Status ClientStream::Finish() {
  if (sender_.joinable()) sender_.join();
  return stream_->Finish();
}

void ClientStream::SendFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string buffer(kChunkBytes, '\0');
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())),
         file.gcount() > 0) {
    v1::SegmentStreamRequest request;
    request.mutable_chunk()->set_data(buffer.data(),
                                      static_cast<size_t>(file.gcount()));
    // False: the server ended the stream; its status says why.
    if (!stream_->Write(request)) break;
  }
  stream_->WritesDone();
}

}  // namespace sam3
