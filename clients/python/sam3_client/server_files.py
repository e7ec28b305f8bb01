"""Files that lie where the server is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerFile:
    """A picture or a video under the server's media root."""

    path: str
