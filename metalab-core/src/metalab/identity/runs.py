"""Run ids: one hash over all that tells one run from another."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import attrs

from metalab.identity.canonical import canonical_bytes, canonical_text, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["RunIdentity", "seed_fingerprint"]

# Part of every id; it changes only with a major version, and with it every id.
_FORMAT = "metalab.run/1"


@attrs.frozen
class RunIdentity:
    """What the runs of one experiment share; it gives their ids, 32 hex digits each.

    ``operation`` is the operation's name together with the identity of what it captured.
    """

    name: str
    version: str
    operation: str
    context_fingerprint: str
    root_seed: int
    _shared: Any = attrs.field(init=False, repr=False, eq=False)

    @_shared.default
    def _hash_shared(self) -> Any:
        shared = (
            _FORMAT,
            self.name,
            self.version,
            self.operation,
            self.context_fingerprint,
            self.root_seed,
        )
        return blake2b(canonical_bytes(shared, "run identity"), digest_size=16)

    def run_ids(self, params_fingerprint: str, replicates: Iterable[int | None]) -> Iterator[str]:
        """Yield the id of the run of each replicate at one point of the sweep."""
        packed = self.pack([params_fingerprint], replicates)
        return (run_id.hex() for run_id in packed)

    def pack(
        self, params_fingerprints: Iterable[str], replicates: Iterable[int | None]
    ) -> Iterator[bytes]:
        """Yield the 16 bytes of each id, the replicates of one point after another."""
        ends = [b"N" if replicate is None else b"i%x;" % replicate for replicate in replicates]
        begin = self._shared.copy
        for params_fingerprint in params_fingerprints:
            point = canonical_text(params_fingerprint)
            for end in ends:
                run = begin()
                run.update(point + end)
                yield run.digest()

    def __reduce__(self) -> tuple[Any, ...]:
        # A hash in progress does not travel between processes; it is begun again.
        fields = (self.name, self.version, self.operation, self.context_fingerprint)
        return type(self), (*fields, self.root_seed)


def seed_fingerprint(root_seed: int, replicate: int | None) -> str:
    """Return the hash that tells seed bundles apart; replicate None and 0 differ."""
    return fingerprint(("metalab.seed/1", root_seed, replicate))
