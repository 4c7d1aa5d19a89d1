"""How a file store trades speed for durability."""

from __future__ import annotations

import attrs

__all__ = ["Options"]


@attrs.frozen
class Options:
    """``interval`` seconds between commits; ``durable`` syncs them to the disk.

    ``timeout`` seconds of failing writes are borne before StoreError is raised. Up to
    ``buffer`` bytes wait for a commit, then ``put`` does; a segment ends at ``roll`` bytes.
    A writer that owns claims shows every ``heartbeat`` seconds that it lives.
    """

    interval: float = 0.2
    durable: bool = True
    timeout: float = 600.0
    buffer: int = 16 << 20
    roll: int = 64 << 20
    heartbeat: float = 30.0
