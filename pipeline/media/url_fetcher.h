#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "pipeline/media/host_resolver.h"
#include "pipeline/media/ip_address.h"
#include "pipeline/media/url_gate.h"
#include "pipeline/metrics.h"
#include "pipeline/request_context.h"
#include "pipeline/source_url.h"

namespace sam3 {

// Downloads what a client's URL names, without becoming the client's way into
// the operator's network.
//
// A name is resolved once for every request on the way. All its addresses must
// pass the gate; libcurl is told these and asks nobody else; and no socket is
// opened to an address that is not among them. What a name server says later,
// or to somebody else, therefore changes nothing (DNS rebinding). A redirect is
// a new URL and goes through all of it again. Only GET is sent, with Host,
// User-Agent and Accept: no cookies, credentials, referrer or proxy of this
// machine's environment. Nothing is decompressed.
//
// Threads: any, several at once. Blocks, within the time limits: the look-up of
// names is given up at the deadline as well.
// Errors: PERMISSION_DENIED (SOURCE_NOT_ALLOWED), FAILED_PRECONDITION
// (MEDIA_UNREACHABLE), RESOURCE_EXHAUSTED (MEDIA_TOO_LARGE), the context's
// status when nobody wants the answer. Messages hold the redacted URL, and no
// address.
class UrlFetcher {
 public:
  struct Options {
    // Of the answer's body, and of all its headers.
    int64_t max_bytes = 20'000'000;
    size_t max_header_bytes = 64 << 10;
    int max_redirects = 3;
    // For everything, and without a byte or a connection.
    absl::Duration total_timeout = absl::Seconds(10);
    absl::Duration idle_timeout = absl::Seconds(5);
    // Whose signatures are believed, in PEM; empty for the machine's own.
    std::string ca_file;
  };

  // Borrowed objects must outlive the fetcher.
  UrlFetcher(Options options, UrlGate gate, const HostResolver& resolver,
             Clock& clock, PipelineMetrics& metrics);
  ~UrlFetcher();
  UrlFetcher(const UrlFetcher&) = delete;
  UrlFetcher& operator=(const UrlFetcher&) = delete;

  // What can be said of the URL without looking at the network.
  absl::Status Check(const SourceUrl& url) const;

  absl::StatusOr<std::string> Fetch(const SourceUrl& url,
                                    const RequestContext& context) const;

 private:
  class Transfer;

  absl::StatusOr<std::string> Follow(const SourceUrl& url,
                                     const RequestContext& context) const;
  absl::Status Told(const SourceUrl& url, const absl::Status& status) const;

  const Options options_;
  const UrlGate gate_;
  const HostResolver& resolver_;
  Clock& clock_;
  PipelineMetrics& metrics_;
};

}  // namespace sam3
