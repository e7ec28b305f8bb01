"""A gRPC server that fails as it is told; for errors that the real one makes
only when it is in trouble."""

from __future__ import annotations

import time
from concurrent import futures
from typing import Optional, Sequence

import grpc
from google.rpc import error_details_pb2, status_pb2

from sam3_client._proto.sam3.v1 import segmentation_service_pb2 as service_pb2
from sam3_client._proto.sam3.v1 import segmentation_service_pb2_grpc as stubs


def failure(code: grpc.StatusCode, reason: str,
            retry_after: Optional[float] = None) -> status_pb2.Status:
    status = status_pb2.Status(code=code.value[0],
                               message=f"because of {reason}")
    status.details.add().Pack(error_details_pb2.ErrorInfo(
        domain="sam3", reason=reason, metadata={"limit": "7"}))
    if retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(retry_after * 1e9))
        status.details.add().Pack(retry)
    return status


class ScriptedServer(stubs.SegmentationServiceServicer):
    """Answers GetServerInfo, UploadImage and SegmentStream with `script`, one
    entry a call, then well; notes when calls came and what they brought."""

    def __init__(self, script: Sequence[status_pb2.Status] = (),
                 credentials: Optional[grpc.ServerCredentials] = None):
        self.script = list(script)
        self.times: list[float] = []
        self.metadata: list[dict[str, str]] = []
        self.uploads: list[bytes] = []
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        stubs.add_SegmentationServiceServicer_to_server(self, self._server)
        port = (self._server.add_insecure_port("127.0.0.1:0")
                if credentials is None else
                self._server.add_secure_port("127.0.0.1:0", credentials))
        self.address = f"127.0.0.1:{port}"
        self._server.start()

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(self, *_) -> None:
        self._server.stop(None)

    def GetServerInfo(self, request, context):
        self._follow_script(context)
        return service_pb2.GetServerInfoResponse(version="scripted")

    def UploadImage(self, requests, context):
        data = b"".join(request.data for request in requests)
        self.uploads.append(data)
        self._follow_script(context)
        return service_pb2.UploadImageResponse()

    def SegmentStream(self, requests, context):
        next(requests)
        self._follow_script(context)
        yield from ()

    def _follow_script(self, context) -> None:
        self.times.append(time.monotonic())
        self.metadata.append({key: value for key, value
                              in context.invocation_metadata()})
        if self.script:
            status = self.script.pop(0)
            context.set_trailing_metadata((
                ("grpc-status-details-bin", status.SerializeToString()),))
            code = next(code for code in grpc.StatusCode
                        if code.value[0] == status.code)
            context.abort(code, status.message)
