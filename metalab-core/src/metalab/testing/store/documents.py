"""What is kept beside the runs: manifests, launches, patches, payloads and checkpoints."""

from __future__ import annotations

import hashlib
import math
import time
from typing import TYPE_CHECKING

import pytest

from metalab.errors import StoreError
from metalab.records import Status
from metalab.testing.asking import asked_if
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import EXPERIMENT, HOSTILE, made, put, run_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from metalab.store.base import Store
    from metalab.testing.store.place import OpenStore

__all__ = ["DocumentTests"]

_PAUSE = 0.02  # seconds


_USES: list[tuple[str, Callable[[Store], object]]] = [
    ("keeps_payloads", lambda store: store.put_payload(b"x")),
    ("keeps_payloads", lambda store: store.open_payload("0" * 64)),
    ("keeps_launch_files", lambda store: store.launch_folder("a")),
    ("keeps_launch_files", lambda store: store.put_launch_file("a", "name", b"x")),
    ("can_compact", lambda store: store.compact()),
    ("can_inspect", lambda store: store.inspect()),
]


class DocumentTests(StorePlace):
    """Manifests, launches, patches, payloads and checkpoints."""

    def test_equal_manifests_are_kept_once(self, store: Store) -> None:
        first = store.put_manifest({"a": 1, "b": [None, "é"]})
        again = store.put_manifest({"b": [None, "é"], "a": 1})
        assert again == first, "equal manifests, whose keys come in another order, have two names"
        assert store.manifests() == {first: {"a": 1, "b": [None, "é"]}}

    def test_the_newest_manifest_is_the_experiment_s(
        self, collection: Store, store: Store, tmp_path: Path
    ) -> None:
        assert store.get_experiment_manifest() is None
        store.put_manifest({"a": 1})
        _tick(tmp_path)
        store.put_manifest({"a": 2})
        assert store.get_experiment_manifest() == {"a": 2}
        assert collection.get_experiment_manifest(EXPERIMENT) == {"a": 2}

    def test_launches_come_back_by_name(self, store: Store, tmp_path: Path) -> None:
        store.put_launch("b", {"n": 1})
        _tick(tmp_path)
        store.put_launch("a", {"n": 2})
        store.put_launch("a", {"n": 2})
        assert list(store.launches().items()) == [("b", {"n": 1}), ("a", {"n": 2})], (
            "launches() gives others than were put, or not the oldest first"
        )

    def test_a_launch_is_described_once(self, store: Store) -> None:
        store.put_launch("a", {"n": 2})
        with pytest.raises(StoreError):
            store.put_launch("a", {"n": 3})

    def test_what_is_no_json_is_refused_as_manifest_and_launch(self, store: Store) -> None:
        for value in (math.nan, object()):
            with pytest.raises((TypeError, ValueError)):
                store.put_manifest({"x": value})
            with pytest.raises((TypeError, ValueError)):
                store.put_launch("a", {"x": value})
        assert (store.manifests(), store.launches()) == ({}, {})

    @asked_if(keeps_patches=True)
    def test_a_patch_comes_back_by_its_hash(self, store: Store, open_store: OpenStore) -> None:
        data = bytes(range(256)) * 100
        name = store.put_patch(data)
        assert name == hashlib.sha256(data).hexdigest(), "its name is not SHA-256's hex digits"
        assert store.put_patch(data) == name, "what is put twice has two names"
        assert open_store().get_patch(name) == data, "of a patch other bytes come back"

    @asked_if(keeps_patches=True)
    def test_a_patch_that_is_not_there_is_none(self, store: Store) -> None:
        store.put_patch(b"another")
        assert store.get_patch("0" * 64) is None
        assert store.get_patch("../experiment") is None

    @asked_if(keeps_payloads=True)
    def test_a_payload_comes_back_by_its_hash(self, store: Store, open_store: OpenStore) -> None:
        data = bytes(range(256)) * 100
        name = store.put_payload(data)
        assert name == hashlib.sha256(data).hexdigest(), "its name is not SHA-256's hex digits"
        assert store.put_payload(data) == name, "what is put twice has two names"
        with open_store().open_payload(name) as file:
            assert file.read() == data, "of a payload other bytes come back"

    @asked_if(keeps_payloads=True)
    def test_a_payload_that_is_not_there_is_a_store_error(self, store: Store) -> None:
        store.put_payload(b"another")
        with pytest.raises(StoreError):
            store.open_payload("../experiment")

    def test_later_attempts_of_an_epoch_go_on_from_the_newest_checkpoint(
        self, store: Store
    ) -> None:
        assert store.checkpoints(run_id(), 0, 1).latest() is None
        store.checkpoints(run_id(), 0, 1).keep(b"one")
        store.checkpoints(run_id(), 0, 1).keep(b"two")
        assert store.checkpoints(run_id(), 0, 1).latest() == b"two"
        assert store.checkpoints(run_id(), 0, 3).latest() == b"two"
        assert store.checkpoints(run_id(), 1, 1).latest() is None, "another epoch's is taken"
        assert store.checkpoints(run_id(1), 0, 1).latest() is None, "another run's is taken"

    def test_it_is_told_which_attempt_has_kept_a_checkpoint(
        self, store: Store, open_store: OpenStore
    ) -> None:
        store.checkpoints(run_id(), 0, 2).keep(b"state")
        again = open_store()
        assert again.has_checkpoint(run_id(), 0, 2), "a checkpoint that was kept is not known"
        assert not again.has_checkpoint(run_id(), 0, 1), "another attempt's is taken for its own"
        assert not again.has_checkpoint(run_id(1), 0, 2), "another run's is taken for its own"

    def test_checkpoints_go_when_their_run_is_forgotten(self, store: Store) -> None:
        put(store, made(Status.FAILED))
        store.checkpoints(run_id(), 0, 1).keep(b"state")
        store.checkpoints(run_id(1), 0, 1).keep(b"another's")
        store.delete_run(run_id())
        assert store.checkpoints(run_id(), 0, 1).latest() is None
        assert store.checkpoints(run_id(1), 0, 1).latest() == b"another's"

    def test_a_launch_may_have_any_name(self, store: Store) -> None:
        for number, name in enumerate(HOSTILE):
            store.put_launch(name, {"n": number})
        said = {name: document["n"] for name, document in store.launches().items()}
        named = {name: number for number, name in enumerate(HOSTILE)}
        assert said == named, "launches come back by other names, or names have met"

    def test_a_launch_of_any_name_may_be_described_again_as_it_was(self, store: Store) -> None:
        for name in HOSTILE:
            store.put_launch(name, {"n": 1})
            store.put_launch(name, {"n": 1})
        assert len(store.launches()) == len(HOSTILE), "names of launches have met"

    @asked_if(keeps_launch_files=True)
    def test_a_launch_s_files_are_in_a_folder_of_its_own(self, store: Store) -> None:
        for launch in ("a", "b"):
            store.put_launch_file(launch, "job.sh", launch.encode())
        assert (store.launch_folder("a") / "job.sh").read_bytes() == b"a"
        assert (store.launch_folder("b") / "job.sh").read_bytes() == b"b"

    def test_what_a_store_cannot_do_it_says_in_words(self, store: Store) -> None:
        for capability, use in _USES:
            if not getattr(self, capability):
                with pytest.raises(StoreError, match="cannot"):
                    use(store)


def _tick(folder: Path) -> None:
    """Wait until a file that is made now is known to be younger than those there are.

    Most file systems know that to a few milliseconds, some to a second or two.
    """
    clock = folder / "clock"
    clock.touch()
    before = clock.stat().st_mtime_ns
    while clock.stat().st_mtime_ns == before:
        time.sleep(_PAUSE)
        clock.touch()
    clock.unlink()
