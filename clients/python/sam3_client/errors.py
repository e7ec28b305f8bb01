"""What the server refuses, as one exception with everything that it told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence

import grpc
from google.rpc import error_details_pb2, status_pb2

_DETAILS_KEY = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True)
class Violation:
    """One broken rule of a request."""

    field: str
    """Path of the field in the request, as in "prompts[0].text"."""
    description: str
    """What is wrong and what would be right."""


class Sam3Error(Exception):
    """A call, a stream, a frame or a prompt that the server did not serve."""

    code: grpc.StatusCode
    message: str
    """For people."""
    reason: str
    """The cause, as in "IMAGE_NOT_CACHED"; the service's proto lists them.
    Empty when the call did not reach a server of ours."""
    violations: tuple[Violation, ...]
    """Every broken rule at once."""
    retry_after: Optional[float]
    """Seconds after which it may succeed, when the server said so."""
    metadata: Mapping[str, str]
    """Facts about the cause."""

    def __init__(self, code: grpc.StatusCode, message: str, *,
                 reason: str = "", violations: Sequence[Violation] = (),
                 retry_after: Optional[float] = None,
                 metadata: Optional[Mapping[str, str]] = None):
        named = f"{code.name} ({reason})" if reason else code.name
        super().__init__(f"{named}: {message}")
        self.code = code
        self.message = message
        self.reason = reason
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.metadata = dict(metadata or {})


def error_from_status(status: status_pb2.Status) -> Sam3Error:
    reason, metadata = "", {}
    violations: list[Violation] = []
    retry_after = None
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            violations += [Violation(v.field, v.description)
                           for v in bad.field_violations]
        elif detail.Unpack(retry):
            delay = retry.retry_delay
            retry_after = delay.seconds + delay.nanos * 1e-9
    return Sam3Error(_CODES.get(status.code, grpc.StatusCode.UNKNOWN),
                     status.message, reason=reason, violations=violations,
                     retry_after=retry_after, metadata=metadata)


def error_from_call(call: Any) -> Sam3Error:
    """Of a grpc.RpcError that is also the call, as gRPC raises it."""
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            return error_from_status(status_pb2.Status.FromString(value))
    return Sam3Error(call.code(), call.details() or "the server says no more")
