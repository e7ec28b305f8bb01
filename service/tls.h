#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sam3 {

// The files that a server proves itself with, the same for every door.
struct TlsSettings {
  // PEM, the server's own certificate first; empty is no TLS.
  std::string certificate_file;
  std::string private_key_file;
  // PEM; empty asks clients for no certificate.
  std::string client_ca_file;
  // The files are looked at so often and used once they have changed.
  absl::Duration reload_interval = absl::Seconds(10);

  bool enabled() const { return !certificate_file.empty(); }
};

// What the files hold.
struct TlsPem {
  std::string certificate;
  std::string private_key;
  std::string client_ca;  // empty asks clients for no certificate

  bool operator==(const TlsPem&) const = default;
};

// Whether the files can be read and fit each other; INVALID_ARGUMENT says what
// is wrong with which. Reads files; keeps nothing.
absl::Status CheckTlsFiles(const TlsSettings& settings);

// The contents of files that pass CheckTlsFiles(); its errors.
absl::StatusOr<TlsPem> ReadTlsFiles(const TlsSettings& settings);

}  // namespace sam3
