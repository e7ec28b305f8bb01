#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "service/tls.h"

namespace sam3 {

// What a gRPC port proves itself with: nothing without TLS; otherwise the
// files, TLS 1.2 or later, and with a client CA only clients that it has
// signed. Files that change are used for connections made afterwards; ones that
// cannot be read leave the old ones in use. Change certificate and key
// together, as by one symbolic link: in between, a pair that does not fit is
// used.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(
    const TlsSettings& settings);

}  // namespace sam3
