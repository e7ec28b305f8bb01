#include "service/rpc/server_credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>

namespace sam3 {

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(
    const TlsSettings& settings) {
  if (!settings.enabled()) return grpc::InsecureServerCredentials();
  const auto seconds = static_cast<unsigned int>(
      std::max<int64_t>(1, absl::ToInt64Seconds(settings.reload_interval)));
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          settings.private_key_file, settings.certificate_file,
          settings.client_ca_file, seconds));
  options.watch_identity_key_cert_pairs();
  if (!settings.client_ca_file.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace sam3
