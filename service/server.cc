#include "service/server.h"

#include <dlfcn.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <limits>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/clock.h"
#include "inference/base/status_macros.h"
#include "service/process_facts.h"
#include "service/resume_secret.h"
#include "service/resume_tokens.h"
#include "service/rpc/call_log.h"
#include "service/rpc/completion_loop.h"
#include "service/rpc/server_credentials.h"
#include "service/rpc/stream_call.h"
#include "service/rpc/unary_call.h"
#include "service/rpc/upload_call.h"
#include "service/rpc/wire.h"
#include "service/segmentation_calls.h"
#include "service/validate.h"

namespace sam3 {
namespace {

// Calls that wait to be accepted, per method; each accepted one is replaced.
constexpr int kListeners = 4;
constexpr int kMaxSendBytes = 64 << 20;
// Time for the last words of calls that a drain's deadline has ended.
constexpr absl::Duration kFarewell = absl::Seconds(2);
constexpr int kMaxMetadataBytes = 32 << 10;

// gRPC takes the largest int for "never".
int Milliseconds(absl::Duration duration) {
  return static_cast<int>(std::min(absl::ToInt64Milliseconds(duration),
                                   int64_t{std::numeric_limits<int>::max()}));
}

// What calls have left from the moment that their connection is asked to go.
absl::Duration ConnectionGrace(const Server::Options& options) {
  return std::max(options.least_connection_grace, options.max_connection_age);
}

void SetChannelArguments(const Server::Options& options,
                         grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(
      static_cast<int>(options.limits.max_message_bytes));
  builder->SetMaxSendMessageSize(kMaxSendBytes);
  grpc::ResourceQuota quota("sam3");
  quota.Resize(options.receive_memory_bytes > 0
                   ? options.receive_memory_bytes
                   : static_cast<size_t>(UsableMemoryBytes() / 4));
  builder->SetResourceQuota(quota);
  const int age_ms = Milliseconds(options.max_connection_age);
  const std::pair<const char*, int> arguments[] = {
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams},
      {GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes},
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10'000},
      {GRPC_ARG_KEEPALIVE_TIME_MS, 20'000},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000},
      {GRPC_ARG_HTTP2_MAX_PING_STRIKES, 2},
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
      {GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, 64 << 10},
      {GRPC_ARG_MAX_CONNECTION_IDLE_MS, 300'000},
      {GRPC_ARG_MAX_CONNECTION_AGE_MS, age_ms},
      {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
       Milliseconds(ConnectionGrace(options))}};
  for (const auto& [name, value] : arguments) {
    builder->AddChannelArgument(name, value);
  }
  // Masks are compressed already and pictures are too.
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
}

// Linking gRPC's reflection library would be enough to offer reflection on
// every server of the process, so it is loaded only when somebody asks for it;
// loading registers it with all server builders that are made afterwards.
absl::Status LoadReflection() {
  if (::dlopen(SAM3_REFLECTION_LIBRARY, RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("--reflection: " SAM3_REFLECTION_LIBRARY
                     " cannot be loaded; it belongs to gRPC's C++ package"));
  }
  return absl::OkStatus();
}

class GrpcServer final : public Server {
 public:
  GrpcServer(const Options& options, std::unique_ptr<Segmenter> segmenter,
             RpcMetrics& metrics, Secret resume_secret)
      : log_(metrics, options.log, clock_),
        segmenter_(std::move(segmenter)),
        validator_(options.limits, segmenter_->tokenizer(),
                   segmenter_->engine_info(), options.media_root,
                   options.aliases),
        calls_(*segmenter_, validator_, options.version),
        tokens_(
            {.secret = std::move(resume_secret),
             .model_fingerprint = segmenter_->engine_info().model_fingerprint},
            clock_),
        stream_rules_{tokens_, ConnectionGrace(options),
                      options.connection_notice},
        uploads_(options.limits.max_uploading_bytes),
        authenticator_(options.authenticator) {}

  ~GrpcServer() override {
    Drain(absl::Now());
    // Destroying the pipeline ends what is left, so that after it no call can
    // start another operation on the queue.
    segmenter_.reset();
    loop_.Stop();
  }

  absl::Status Bind(const Options& options) {
    grpc::ServerBuilder builder;
    SetChannelArguments(options, &builder);
    builder.AddListeningPort(options.address,
                             MakeServerCredentials(options.tls), &port_);
    builder.RegisterService(&service_);
    std::unique_ptr<grpc::ServerCompletionQueue> queue =
        builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      return absl::UnavailableError(absl::StrCat(
          "cannot listen on ", options.address,
          ": the port is taken or the address is not this host's"));
    }
    loop_.Start(std::move(queue), options.poller_threads);
    for (int i = 0; i < kListeners; ++i) Listen();
    return absl::OkStatus();
  }

  int port() const override { return port_; }
  Segmenter& segmenter() override { return *segmenter_; }
  const SegmentationCalls& calls() const override { return calls_; }

  void Drain(absl::Time deadline) override {
    if (server_ == nullptr || drained_) return;
    drained_ = true;
    // Shutting down waits for calls that only the draining pipeline ends. Its
    // own deadline would end them without a reason and comes after the
    // pipeline's.
    std::thread shutdown([this, deadline] {
      server_->Shutdown(absl::ToChronoTime(deadline + kFarewell));
    });
    segmenter_->Drain(deadline);
    shutdown.join();
  }

 private:
  // `Base` is the generated class that declares the method.
  template <typename Base, typename Request, typename Response>
  void ListenTo(
      RpcMethod method,
      void (Base::*accept)(grpc::ServerContext*, grpc::ByteBuffer*,
                           grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>*,
                           grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                           void*),
      void (SegmentationCalls::*handle)(
          const Request&, const std::shared_ptr<RequestContext>&,
          const SegmentationCalls::Respond<Response>&) const) {
    UnaryCall<Request, Response>::Listen(
        loop_, log_, authenticator_, method,
        [this, accept](auto* context, auto* request, auto* responder,
                       auto* queue, void* tag) {
          (service_.*accept)(context, request, responder, queue, queue, tag);
        },
        [this, handle](const Request& request,
                       const std::shared_ptr<RequestContext>& context,
                       const auto& respond) {
          (calls_.*handle)(request, context, respond);
        });
  }

  void Listen() {
    ListenTo(RpcMethod::kSegmentConcepts, &WireService::RequestSegmentConcepts,
             &SegmentationCalls::SegmentConcepts);
    ListenTo(RpcMethod::kSegmentObjects, &WireService::RequestSegmentObjects,
             &SegmentationCalls::SegmentObjects);
    ListenTo(RpcMethod::kEmbedImage, &WireService::RequestEmbedImage,
             &SegmentationCalls::EmbedImage);
    ListenTo(RpcMethod::kExplain, &WireService::RequestExplain,
             &SegmentationCalls::Explain);
    ListenTo(RpcMethod::kGetServerInfo, &WireService::RequestGetServerInfo,
             &SegmentationCalls::GetServerInfo);
    UploadCall::Listen(loop_, service_, calls_, uploads_, log_, authenticator_);
    StreamCall::Listen(loop_, service_, calls_, stream_rules_, log_,
                       authenticator_);
  }

  RealClock clock_;
  CallLog log_;
  std::unique_ptr<Segmenter> segmenter_;
  const RequestValidator validator_;
  const SegmentationCalls calls_;
  const ResumeTokens tokens_;
  const StreamRules stream_rules_;
  UploadBudget uploads_;
  Authenticator* const authenticator_;
  WireService service_;
  CompletionLoop loop_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  bool drained_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const Options& options, std::unique_ptr<Segmenter> segmenter,
    RpcMetrics& metrics) {
  if (options.reflection) SAM3_RETURN_IF_ERROR(LoadReflection());
  Secret secret = options.resume_secret;
  if (secret.empty()) {
    SAM3_ASSIGN_OR_RETURN(secret, RandomResumeSecret());
  }
  auto server = std::make_unique<GrpcServer>(options, std::move(segmenter),
                                             metrics, std::move(secret));
  const absl::Status bound = server->Bind(options);
  if (!bound.ok()) return bound;
  return server;
}

}  // namespace sam3
