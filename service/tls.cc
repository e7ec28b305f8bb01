#include "service/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

struct OpenSslDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <typename T>
using OpenSslPtr = std::unique_ptr<T, OpenSslDeleter>;

// A server has nobody to ask for a passphrase.
int NoPassphrase(char*, int, int, void*) { return -1; }

OpenSslPtr<X509> ReadCertificate(const std::string& path) {
  const OpenSslPtr<BIO> file(BIO_new_file(path.c_str(), "r"));
  if (file == nullptr) return nullptr;
  return OpenSslPtr<X509>(
      PEM_read_bio_X509(file.get(), nullptr, NoPassphrase, nullptr));
}

OpenSslPtr<EVP_PKEY> ReadPrivateKey(const std::string& path) {
  const OpenSslPtr<BIO> file(BIO_new_file(path.c_str(), "r"));
  if (file == nullptr) return nullptr;
  return OpenSslPtr<EVP_PKEY>(
      PEM_read_bio_PrivateKey(file.get(), nullptr, NoPassphrase, nullptr));
}

}  // namespace

absl::Status CheckTlsFiles(const TlsSettings& settings) {
  std::vector<std::string> violations;
  const OpenSslPtr<X509> certificate =
      ReadCertificate(settings.certificate_file);
  const OpenSslPtr<EVP_PKEY> key = ReadPrivateKey(settings.private_key_file);
  if (certificate == nullptr) {
    violations.push_back(absl::StrCat(settings.certificate_file,
                                      " is no readable PEM certificate"));
  }
  if (key == nullptr) {
    violations.push_back(
        absl::StrCat(settings.private_key_file,
                     " is no readable PEM private key without a passphrase"));
  }
  if (certificate != nullptr && key != nullptr &&
      X509_check_private_key(certificate.get(), key.get()) != 1) {
    violations.push_back(absl::StrCat(settings.private_key_file,
                                      " is not the key of ",
                                      settings.certificate_file));
  }
  if (!settings.client_ca_file.empty() &&
      ReadCertificate(settings.client_ca_file) == nullptr) {
    violations.push_back(absl::StrCat(settings.client_ca_file,
                                      " is no readable PEM certificate"));
  }
  // What went wrong is said; the library's own list would stay for others.
  ERR_clear_error();
  if (violations.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(violations, "; "));
}

absl::StatusOr<TlsPem> ReadTlsFiles(const TlsSettings& settings) {
  SAM3_RETURN_IF_ERROR(CheckTlsFiles(settings));
  const auto read = [](const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  return TlsPem{
      read(settings.certificate_file), read(settings.private_key_file),
      settings.client_ca_file.empty() ? "" : read(settings.client_ca_file)};
}

}  // namespace sam3
