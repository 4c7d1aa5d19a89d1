"""Where a store under test is, and what it says that it can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

import pytest

from metalab.testing.asking import Asked
from metalab.testing.store.samples import EXPERIMENT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from metalab.store.base import Store
    from metalab.store.config import StoreConfig

__all__ = ["OpenStore", "StorePlace"]

OpenStore = Callable[[], "Store"]
"""Opens one more handle on the store under test: two handles are two processes' view of it."""


class StorePlace(Asked):
    """What the parts of the store's contract share: fixtures, and what a store can do.

    One fixture has to be given, ``config``. The attributes say what a store can do, and by
    default that is everything; a test that is skipped names the attribute that made it so.
    """

    is_registered: ClassVar[bool] = True
    """An entry point in ``metalab.stores`` serves the scheme, so that workers can open it."""
    is_shared_between_processes: ClassVar[bool] = True
    """What one process puts, another reads."""
    shares_plans: ClassVar[bool] = True
    """``claims`` returns claims, so that launches share the runs of a plan."""
    survives_kill: ClassVar[bool] = True
    """What was put is kept when its process is killed. Asked where processes share the store."""
    syncs_through_os: ClassVar[bool] = True
    """It calls ``os.fsync`` or ``os.fdatasync`` itself; False where a database does that."""
    tells_how_writers_ended: ClassVar[bool] = True
    """``ending`` knows a killed process of this machine from one that is at work."""
    keeps_patches: ClassVar[bool] = True
    """``put_patch`` keeps what it is given."""
    keeps_payloads: ClassVar[bool] = True
    """``put_payload`` and ``open_payload`` keep what other processes are to execute."""
    keeps_launch_files: ClassVar[bool] = True
    """Launches have folders, so that executors such as Slurm's can work with the store."""
    can_compact: ClassVar[bool] = True
    """``compact`` merges what has ended."""
    can_inspect: ClassVar[bool] = True
    """``inspect`` checks all that is kept."""

    @pytest.fixture
    def config(self) -> StoreConfig:
        """Return the configuration of a place where nothing is kept yet; yours overrides this.

        Each test asks for a place of its own, below ``tmp_path`` or of a fresh name. The
        configuration must pickle, since other processes open the store, too.
        """
        pytest.fail(
            f"{type(self).__name__} has no fixture `config`: write one that returns the "
            "StoreConfig of an empty place",
            pytrace=False,
        )

    def appended_files(self, store: Store) -> Sequence[Path]:  # noqa: ARG002  for stores of files
        """Return the files of one experiment's store to whose end its writers append lines.

        Their last bytes are cut off, as the death of a machine may do. Override it in a store
        of files; none by default, as where a database keeps its own, or where a store is asked
        by its name: the tests of torn lines are skipped then.
        """
        return ()

    def lost_connection(self) -> AbstractContextManager[object] | None:
        """Return within what the store's server cannot be reached; None where it has none.

        Override it in a store that talks to a server: ``metalab.testing.faults.Cable`` stands
        between the two.
        """
        return None

    @pytest.fixture
    def collection(self, config: StoreConfig) -> Iterator[Store]:
        """Open the collection at the place, which makes it."""
        with config.connect() as store:
            yield store

    @pytest.fixture
    def store(self, collection: Store) -> Iterator[Store]:
        """Open one experiment's store, in which nothing is kept yet."""
        with collection.scoped(EXPERIMENT) as scoped:
            yield scoped

    @pytest.fixture
    def open_store(self, config: StoreConfig, store: Store) -> Iterator[OpenStore]:  # noqa: ARG002  which makes it
        """Open further handles on that store, which know nothing of each other."""
        opened: list[Store] = []

        def open_one() -> Store:
            opened.append(config.scoped(EXPERIMENT).connect())
            return opened[-1]

        yield open_one
        for each in opened:
            each.close()
