#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

namespace sam3 {

// Calls a method of the service, or of another one as
// "/package.Service/Method", with messages that need not be any; reads the
// answers and drops them. Blocks until the call ends, at most 30 s.
grpc::Status SendBytes(const std::shared_ptr<grpc::Channel>& channel,
                       const std::string& method,
                       const std::vector<std::string>& messages);

}  // namespace sam3
