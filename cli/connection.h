#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "sam3/v1/segmentation_service.grpc.pb.h"

namespace sam3 {

// Where a command's server is: somewhere else, or in this process.
struct ConnectionOptions {
  std::string server = "localhost:50051";
  // In process when `in_process`; an empty folder is the embedded demo model.
  bool in_process = false;
  std::string model_dir = {};
  std::string device = "cpu";
  std::string dtype = "auto";
  std::string media_root = {};
  // Where the key is that calls present; empty: the environment's.
  std::string api_key_file = {};
  // With TLS; the server is checked against `tls_ca_file`, or what the system
  // trusts where that is empty.
  bool tls = false;
  std::string tls_ca_file = {};
  // What the client proves itself with, where the server asks.
  std::string tls_certificate_file = {};
  std::string tls_private_key_file = {};
  // A key may go to other hosts unencrypted.
  bool plaintext = false;
};

// A channel on which every call presents the key. INVALID_ARGUMENT and
// NOT_FOUND for files that do not serve; says what to do.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const ConnectionOptions& options);

// A stub and whatever has to live as long as it. Used by one thread.
class Connection {
 public:
  // Loads the model for an in-process server, which blocks; otherwise waits a
  // moment for the server. UNAVAILABLE says what to do; otherwise as above.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(
      const ConnectionOptions& options);
  virtual ~Connection() = default;
  virtual v1::SegmentationService::Stub& stub() = 0;
};

// The exit status of sam3ctl where a connection could not be opened: 2 for what
// the flags name, 4 when this process failed, 5 unreachable.
int ExitStatusOf(const absl::Status& status);
// That for an error of the server: 3 refused, 4 failed, 5 unreachable.
int ExitStatusOf(const grpc::Status& status);

// Code, message and details, one line each, to standard error.
void PrintError(const grpc::Status& status);

}  // namespace sam3
