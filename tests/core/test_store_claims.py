"""Claims: of all who want a unit of a plan, one gets it."""

from __future__ import annotations

import errno
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from metalab.errors import StoreError
from metalab.store import FileStore
from metalab.store.claiming import Claim, unit_of
from metalab.store.file import disk
from metalab.store.file.claims import FileClaims


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "store").scoped("exp:1")


def claims(store, runs=1000):
    return store.claims("f" * 32, runs)


def race(root, writer):
    """Claim all units twice, taking over the first generation; returns what was won."""
    mine = claims(FileStore(root).scoped("exp:1"), 200)
    units = [(unit, generation) for generation in (1, 2) for unit in range(200)]
    return [place for place in units if mine.take(Claim(*place, writer, "launch"))]


class TestTaking:
    def test_a_unit_and_generation_is_taken_once(self, store):
        mine, other = claims(store), claims(store)
        assert mine.take(Claim(0, 1, "a", "x"))
        assert not other.take(Claim(0, 1, "b", "y"))
        assert mine.take(Claim(0, 1, "a", "x"))  # its owner still has it

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
    def test_of_eight_processes_one_wins_each_unit_of_each_generation(self, tmp_path):
        context = multiprocessing.get_context("fork")
        with context.Pool(8) as pool:
            won = pool.starmap(race, [(tmp_path, f"w{number}") for number in range(8)])
        all_won = sorted(claim for each in won for claim in each)
        assert all_won == sorted((unit, generation) for unit in range(200) for generation in (1, 2))

    def test_threads_of_one_process_exclude_each_other_too(self, store):
        mine = claims(store)
        with ThreadPoolExecutor(8) as pool:
            taken = pool.map(lambda n: mine.take(Claim(5, 1, f"w{n}", "x")), range(8))
        assert sum(taken) == 1

    def test_the_newest_claim_on_a_unit_owns_it(self, store):
        mine = claims(store)
        mine.take(Claim(3, 1, "a", "x"))
        mine.take(Claim(3, 2, "b", "y"))
        mine.take(Claim(4, 1, "a", "x"))
        found = claims(store).owners()
        assert found == {3: Claim(3, 2, "b", "y"), 4: Claim(4, 1, "a", "x")}

    def test_owners_sees_what_others_claimed_since(self, store):
        mine, other = claims(store), claims(store)
        assert mine.owners() == {}
        other.take(Claim(0, 1, "b", "y"))
        assert mine.owners() == {0: Claim(0, 1, "b", "y")}

    def test_a_claim_takes_no_inode(self, store):
        mine = claims(store)
        for unit in range(100):
            mine.take(Claim(unit, 1, "a", "x"))
        folder = store.get_working_directory() / "claims" / ("f" * 32)
        assert len(list(folder.iterdir())) == 102
        assert len({path.stat().st_ino for path in folder.iterdir()}) == 2


class TestUnits:
    def test_the_first_launch_fixes_the_units_for_all(self, store, monkeypatch):
        size = claims(store, 100_000).size
        monkeypatch.setattr("metalab.store.file.claims.unit_of", lambda _runs, _units: 7)
        assert claims(store, 100_000).size == size

    @pytest.mark.parametrize(
        ("runs", "size"), [(1, 1), (256, 1), (257, 2), (1000, 4), (10_000, 40), (10**7, 1024)]
    )
    def test_small_plans_have_small_units_and_large_ones_larger(self, runs, size):
        assert unit_of(runs) == size

    def test_plans_have_claims_of_their_own(self, store):
        assert store.claims("a" * 32, 10).take(Claim(0, 1, "w", "x"))
        assert store.claims("b" * 32, 10).take(Claim(0, 1, "v", "y"))

    def test_a_damaged_plan_is_named_with_what_to_do(self, store):
        mine = claims(store)
        mine.take(Claim(0, 1, "a", "x"))
        (path,) = store.get_working_directory().glob("claims/*/plan.json")
        path.write_text('{"unit": "many"}')
        with pytest.raises(StoreError, match=r"plan\.json tells no size of units; remove its"):
            claims(store)


class TestTrouble:
    def test_without_hard_links_a_new_file_is_the_claim(self, store, monkeypatch):
        def refuse(*_):
            raise PermissionError(errno.EPERM, "no hard links here")

        mine, other = claims(store), claims(store)
        mine.take(Claim(9, 1, "a", "x"))
        other.take(Claim(8, 1, "b", "y"))  # the cards are there
        monkeypatch.setattr(disk.os, "link", refuse)
        assert mine.take(Claim(0, 1, "a", "x"))
        assert not other.take(Claim(0, 1, "b", "y"))
        assert claims(store).owners()[0] == Claim(0, 1, "a", "x")

    def test_a_link_whose_answer_was_lost_is_ours(self, store, monkeypatch):
        link = os.link

        def replayed(source, name):
            link(source, name)
            raise FileExistsError(errno.EEXIST, "the server had done it", name)

        mine = claims(store)
        mine.take(Claim(9, 1, "a", "x"))
        monkeypatch.setattr(disk.os, "link", replayed)
        assert mine.take(Claim(0, 1, "a", "x"))

    def test_a_claim_without_content_is_nobody_s(self, store):
        mine = claims(store)
        mine.take(Claim(0, 1, "a", "x"))
        folder = store.get_working_directory() / "claims" / ("f" * 32)
        (folder / "1.1").write_bytes(b"")
        assert claims(store).owners()[1] == Claim(1, 1, "", "")
        assert store.ending("").closed

    def test_a_folder_that_was_removed_is_made_again(self, store):
        mine = claims(store)
        mine.take(Claim(0, 1, "a", "x"))
        folder = store.get_working_directory() / "claims" / ("f" * 32)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        assert mine.take(Claim(1, 1, "a", "x"))
        assert claims(store).owners() == {1: Claim(1, 1, "a", "x")}

    def test_a_full_disk_is_borne_for_a_while(self, store, monkeypatch):
        mine, link, failures = claims(store), disk.link, iter(range(3))

        def full(*names):
            if next(failures, None) is not None:
                raise OSError(errno.ENOSPC, "no space left")
            return link(*names)

        monkeypatch.setattr(disk, "link", full)
        assert mine.take(Claim(0, 1, "a", "x"))

    def test_a_disk_that_stays_full_is_an_error_in_words(self, store, monkeypatch):
        def full(*_):
            raise OSError(errno.ENOSPC, "no space left")

        make = partial(store._folder.make, "claims", "p")
        mine = FileClaims(make, 10, timeout=0.1)
        monkeypatch.setattr(disk, "link", full)
        with pytest.raises(StoreError, match="no run can be claimed in the store: no space left"):
            mine.take(Claim(0, 1, "a", "x"))
