"""The origin of stored runs: the newest plan of an experiment, and the launch that made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import RebuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.store.base import Store

__all__ = ["Origin"]


@attrs.frozen
class Origin:
    """What a store says about the newest plan of an experiment.

    ``launch`` names the launch that made it and ``surroundings`` are what was kept of that,
    empty where nothing was, as in a store of the earlier layout.
    """

    store: Store
    manifest: Mapping[str, Any]
    launch: str
    surroundings: Mapping[str, Any]

    @classmethod
    def of(cls, store: Store) -> Origin:
        """Read the origin of one experiment's newest plan; raises RebuildError if none is kept.

        A launch that retried runs made no plan of its own, and says nothing about the script.
        """
        manifests = store.manifests()
        launches = {n: d for n, d in store.launches().items() if d.get("manifest") in manifests}
        launch = _newest(launches)
        surroundings = launches.get(launch, {})
        name = surroundings.get("manifest") or next(reversed(manifests), "")
        manifest = manifests.get(name, {})
        if "digest" not in manifest.get("plan", {}):
            raise RebuildError(
                f"{store.locator} does not say from what the runs of {store.experiment_id} were "
                "planned, so they cannot be planned again; metalab run FILE executes those that "
                "have no success"
            )
        return cls(store, manifest, launch, surroundings)

    @property
    def experiment_id(self) -> str:
        """The experiment's name and version."""
        return str(self.store.experiment_id)

    @property
    def digest(self) -> str:
        """The digest of the ids of all runs, in order."""
        return str(self.manifest["plan"]["digest"])

    @property
    def ref(self) -> str:
        """The operation's ``module:qualname``."""
        return str(self.manifest["operation"]["ref"])

    @property
    def module(self) -> str:
        """The name of the operation's module, which is a script's own name if that holds it."""
        return self.ref.partition(":")[0]

    @property
    def main(self) -> Path | None:
        """The script that launched the plan, which may be gone."""
        main = self.surroundings.get("main")
        return None if main is None else Path(main)

    @property
    def directory(self) -> str | None:
        """The working folder of the launch."""
        return self.surroundings.get("directory")


def _newest(launches: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the last launch that planned; "" if there is none."""
    # File times do not survive every copy of a store; what a launch says of itself does.
    moments = {
        name: str(document.get("started", ""))
        for name, document in launches.items()
        if not document.get("is_retry", False)
    }
    return max(moments, key=moments.__getitem__, default="")
