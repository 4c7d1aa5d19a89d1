"""The same work in other systems, each in its own idiom: what its documentation shows first.

They are no dependencies of this project; those that are not installed are left out. In each
module, importing and defining happen before the clock starts, and running again is the very
same call, as it is with metalab.
"""

from __future__ import annotations

from importlib.util import find_spec

import attrs

from benchmarks.measure import Phase

__all__ = ["INSTALL", "PEERS", "POOLS", "Peer", "Pool"]

INSTALL = "uv pip install exca signac joblib optuna labtech executorlib"
"""The command that installs all of them."""


@attrs.frozen
class Peer:
    """Another system: what to import, the module here that uses it, and how many runs it is
    measured at, to take seconds.
    """

    name: str
    library: str
    module: str
    runs: int

    @property
    def is_installed(self) -> bool:
        """Whether its library can be imported here."""
        return find_spec(self.library) is not None

    @property
    def phases(self) -> dict[str, Phase]:
        """The pieces of work that it does, by workload."""
        run = Phase(f"peers.{self.module}:run")
        again = Phase(run.name, after=run)
        return {"W1": run, "W2": again, "W3": Phase(f"peers.{self.module}:frame", after=run)}


@attrs.frozen
class Pool:
    """Another system's worker processes: what to import, and the module here that uses it."""

    name: str
    library: str
    module: str

    @property
    def is_installed(self) -> bool:
        """Whether its library can be imported here."""
        return find_spec(self.library) is not None

    @property
    def phase(self) -> str:
        """What has its workers ready before the clock starts, and gives them the runs."""
        return f"peers.{self.module}:run"


PEERS = (
    Peer("exca MapInfra", "exca", "exca_map", 10_000),
    Peer("exca TaskInfra", "exca", "exca_task", 1_000),
    Peer("joblib.Memory", "joblib", "joblib_memory", 10_000),
    Peer("signac", "signac", "signac_job", 10_000),
    Peer("labtech, serial", "labtech", "labtech_task", 1_000),
    Peer("optuna, journal file", "optuna", "optuna_study", 100),
)

POOLS = (
    Pool("joblib, loky", "joblib", "joblib_loky"),
    Pool("executorlib", "executorlib", "executorlib_pool"),
)
