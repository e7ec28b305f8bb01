#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdio>

#include "cli/connection.h"
#include "cli/output.h"

namespace sam3 {

// How a command prints its response: in its own words, or as JSON.
enum class Output { kWords, kJsonLine, kIndentedJson };

// A command that is one call: opens the connection, calls `method` of the stub
// and prints the response, in words by `show(response)`. Prints what goes
// wrong. Returns the exit status, 0 when `response` holds the answer.
template <typename Request, typename Response, typename Show>
int CallOnce(const ConnectionOptions& options,
             grpc::Status (v1::SegmentationService::Stub::*method)(
                 grpc::ClientContext*, const Request&, Response*),
             const Request& request, Output output, Response* response,
             Show show) {
  const auto connection = Connection::Open(options);
  if (!connection.ok()) {
    return Complain(connection.status(), ExitStatusOf(connection.status()));
  }
  grpc::ClientContext context;
  const grpc::Status status =
      ((*connection)->stub().*method)(&context, request, response);
  if (!status.ok()) {
    PrintError(status);
    return ExitStatusOf(status);
  }
  if (output == Output::kWords) {
    show(*response);
  } else {
    std::printf("%s\n",
                ToJson(*response, output == Output::kIndentedJson).c_str());
  }
  return 0;
}

}  // namespace sam3
