"""The contract of stores, as a class of tests to inherit from."""

from __future__ import annotations

from metalab.testing.store.artifacts import ArtifactTests
from metalab.testing.store.collection import CollectionTests
from metalab.testing.store.copying import CopyingTests
from metalab.testing.store.documents import DocumentTests
from metalab.testing.store.folding import FoldTests
from metalab.testing.store.forgetting import ForgettingTests
from metalab.testing.store.histories import HistoryTests
from metalab.testing.store.logs import LogTests
from metalab.testing.store.maintenance import MaintenanceTests
from metalab.testing.store.processes import ProcessTests
from metalab.testing.store.queries import QueryTests
from metalab.testing.store.reading import ReadingTests
from metalab.testing.store.records import RecordTests
from metalab.testing.store.series import SeriesTests
from metalab.testing.store.sharing import SharingTests
from metalab.testing.store.trouble import TroubleTests
from metalab.testing.store.writers import WriterTests

__all__ = ["StoreContract"]


class StoreContract(
    RecordTests,
    FoldTests,
    ForgettingTests,
    ReadingTests,
    QueryTests,
    SeriesTests,
    ArtifactTests,
    LogTests,
    DocumentTests,
    WriterTests,
    SharingTests,
    CollectionTests,
    CopyingTests,
    MaintenanceTests,
    ProcessTests,
    TroubleTests,
    HistoryTests,
):
    """What every store does. Inherit, and give the fixture ``config``.

    ``config`` returns the ``StoreConfig`` of a place where nothing is kept yet. Attributes
    that are False (``StorePlace`` lists them) say what the store cannot do; the tests that
    need it are skipped and say so. A store of files also overrides ``appended_files``, one
    that talks to a server ``lost_connection``.
    """
