"""The conformance kit as authors of stores write it; type checkers read this, nothing runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from metalab.store import Store, StoreConfig, parse_to_config
from metalab.testing import StoreContract
from metalab.testing.faults import Cable, Faulty, deliver_again, replaced, stale_listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path


class TestMyStore(StoreContract):
    can_compact = False
    survives_kill = False
    cable: Cable

    @pytest.fixture
    def config(self, tmp_path: Path) -> Iterator[StoreConfig]:
        with Cable("localhost", 5432) as self.cable:
            yield parse_to_config(tmp_path)

    def appended_files(self, store: Store) -> Sequence[Path]:
        return []

    def lost_connection(self) -> AbstractContextManager[None]:
        return self.cable.lost()


def test_of_my_own(tmp_path: Path) -> None:
    store = parse_to_config(tmp_path).connect().scoped("a:1")
    with stale_listing(), replaced(tmp_path, "stat", Faulty(tmp_path.stat, fail={1})):
        again: int = deliver_again(store)
    assert again == 0
