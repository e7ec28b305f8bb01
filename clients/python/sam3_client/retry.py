"""Repeats calls that an overloaded or draining server asked to repeat."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Callable, Optional, TypeVar

import grpc

from sam3_client.errors import Sam3Error, error_from_call

_Answer = TypeVar("_Answer")
_REPEATABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


@dataclass(frozen=True)
class RetryPolicy:
    """Bounds what is repeated.

    Repeated is only what fails with UNAVAILABLE or RESOURCE_EXHAUSTED and a
    delay that the server names (google.rpc.RetryInfo): after that delay and up
    to a quarter more, so that clients do not come back together. Streams are
    not repeated. When a bound is reached the last error is raised.
    """

    max_attempts: int = 4
    """Attempts in all; 1 repeats nothing."""
    max_seconds: float = 30.0
    """No attempt begins later than this after the first. A call's own timeout
    counts over all its attempts and bounds them as well."""


def call_with_retries(attempt: Callable[[Optional[float]], _Answer],
                      policy: RetryPolicy,
                      timeout: Optional[float]) -> _Answer:
    """Calls `attempt` with the seconds left, None for no limit."""
    start = time.monotonic()
    last_start = min(policy.max_seconds, timeout or policy.max_seconds)
    for number in range(1, policy.max_attempts + 1):
        passed = time.monotonic() - start
        try:
            return attempt(None if timeout is None else timeout - passed)
        except grpc.RpcError as failure:
            error = error_from_call(failure)
            delay = _delay_of(error)
            now = time.monotonic() - start
            if (delay is None or number == policy.max_attempts
                    or now + delay > last_start):
                raise error from None
        time.sleep(delay)
    raise ValueError("max_attempts must be at least 1")


def _delay_of(error: Sam3Error) -> Optional[float]:
    if error.code not in _REPEATABLE or error.retry_after is None:
        return None
    return error.retry_after * (1 + random.random() / 4)
