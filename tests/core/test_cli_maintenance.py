"""``metalab compact``, ``fsck`` and ``rm``: what they print, what they do, and their exit codes."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

import metalab
from contract.memory_store import MemoryStoreConfig
from metalab.cli import main, storage
from metalab.cli.text import many, size
from metalab.errors import StoreError


@metalab.operation
def half(params, capture):
    capture.artifact("note", "x" * params["x"])
    return {"y": params["x"] / 2}


def launch(store, name="halves", **options):
    experiment = metalab.Experiment(
        name=name,
        version="1",
        context={},
        operation=half,
        params=metalab.grid(x=[1, 2, 3]),
        seeds=metalab.seeds(base=1),
    )
    return metalab.run(experiment, store, progress=False, **options).result()


@pytest.fixture
def kept(store):
    """A store with an experiment that was run twice, so that there are two segments."""
    launch(store)
    launch(store, resume=False)
    return store


@pytest.fixture
def said(capsys):
    def said(*words, code=0):
        assert main([*words]) == code, capsys.readouterr().err
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return said


@pytest.fixture
def refused(capsys):
    def refused(*words, code):
        assert main([*words]) == code
        return capsys.readouterr().err.strip()

    return refused


def runs(store) -> list[str]:
    return sorted(path.name for path in Path(store).glob("*/runs/*"))


class TestCompact:
    def test_it_says_how_many_files_of_what_size_became_how_many(self, kept, said):
        first, *rest = said("compact", kept).splitlines()
        assert first.startswith("halves:1: 2 files of ")
        assert " merged into 1 file of " in first
        assert rest == []
        assert len(runs(kept)) == 1
        assert said("compact", kept) == "halves:1: nothing to merge\n"
        assert len(metalab.load_results(kept)) == 3

    def test_a_dry_run_changes_nothing(self, kept, said):
        before = runs(kept)
        assert said("compact", kept, "--dry-run").endswith(" would be merged\n")
        assert runs(kept) == before

    def test_it_can_compress_and_drop_attempts(self, kept, said):
        out = said("compact", kept, "--gzip", "--drop-attempts")
        assert "3 lines left out; metalab fsck lists artifacts of theirs" in out
        assert runs(kept)[0].endswith(".jsonl.gz")
        assert len(metalab.load_results(kept)) == 3

    def test_what_it_leaves_is_named_with_the_reason(self, kept, said):
        other = next(Path(kept).glob("*/runs")) / "mine.jsonl"
        other.write_bytes(b"")
        line = said("compact", kept).splitlines()[1]
        assert line.startswith(f"  left as it is: {other}: it was renamed or joined by hand")

    def test_what_an_interrupted_one_left_is_removed(self, kept, said):
        originals = {path: path.read_bytes() for path in Path(kept).glob("*/runs/*")}
        said("compact", kept)
        for path, content in originals.items():
            path.write_bytes(content)
        assert "which an interrupted compaction had merged, removed" in said("compact", kept)
        assert len(runs(kept)) == 1

    def test_json_is_one_object_for_each_experiment(self, kept, said):
        launch(kept, "others")
        first, second = json.loads(said("compact", kept, "--json"))
        assert (first["experiment_id"], second["experiment_id"]) == ("halves:1", "others:1")
        assert [Path(path).name for path in first["made"]] == [
            name for name in runs(kept) if name.startswith("compact.")
        ]
        assert len(first["merged"]) == 2
        assert second["merged"] == []

    def test_one_experiment_can_be_chosen(self, kept, said):
        launch(kept, "others")
        assert said("compact", kept, "-e", "others") == "others:1: nothing to merge\n"

    def test_a_store_that_is_not_there_is_an_error_and_is_not_made(self, store, refused):
        assert "there is no store" in refused("compact", store, code=1)
        assert not Path(store).exists()


class TestFsck:
    def test_a_sound_store(self, kept, said):
        assert said("fsck", kept) == "halves:1: sound (2 segments, 12 lines, 6 artifacts)\n"
        document = json.loads(said("fsck", kept, "--json"))
        assert document["ok"] is True
        assert document["experiments"][0]["flaws"] == []

    def test_damage_is_named_and_ends_with_1(self, kept, said):
        path = next(Path(kept).glob("*/runs/*.jsonl"))
        path.write_bytes(path.read_bytes().replace(b'"y":1.5', b'"y":7.5'))
        first, *_, last = said("fsck", kept, code=1).splitlines()
        assert first.startswith(f"damage: {path}:")
        assert last.startswith("halves:1: 1 damaged place, 1 note (")
        document = json.loads(said("fsck", kept, "--json", code=1))
        assert document["ok"] is False
        found = [(f["kind"], f["severity"]) for f in document["experiments"][0]["flaws"]]
        assert found == [("line", "damage"), ("orphan", "note")]  # which that line alone named

    def test_notes_are_printed_and_end_with_0(self, kept, said):
        said("compact", kept, "--drop-attempts")
        first, last = said("fsck", kept).splitlines()
        assert first.startswith("note: ")
        assert "no line names 3 of its 3 artifacts" in first
        assert last.startswith("halves:1: sound, 1 note (1 segment, ")

    def test_strays_are_removed_only_when_that_is_asked_for(self, kept, said):
        stray = next(Path(kept).glob("*/runs")) / ".tmp.0123"
        stray.write_bytes(b"")
        os.utime(stray, (1e9, 1e9))
        assert said("fsck", kept).startswith(f"note: {stray}: ")
        assert stray.exists()
        assert said("fsck", kept, "--remove-strays").startswith(f"removed: {stray}\n")
        assert not stray.exists()


class TestRm:
    def test_runs_are_forgotten_and_executed_again(self, kept, said):
        first, second, third = (run.run_id for run in metalab.load_results(kept))
        out = said("rm", first, second[:12], first, "--store", kept, "--yes")
        assert out == "2 runs forgotten; the bytes stay until metalab compact --drop-attempts\n"
        assert [run.run_id for run in metalab.load_results(kept)] == [third]
        said("compact", kept, "--drop-attempts")
        assert [run.run_id for run in metalab.load_results(kept)] == [third]
        assert len(launch(kept)) == 3

    def test_runs_of_several_experiments_at_once_as_json(self, kept, said):
        launch(kept, "others")
        one = metalab.load_results(kept, "halves:1")[0].run_id
        other = metalab.load_results(kept, "others:1")[0].run_id
        assert json.loads(said("rm", one, other, "--store", kept, "-y", "--json")) == [
            {"experiment_id": "halves:1", "run_id": one},
            {"experiment_id": "others:1", "run_id": other},
        ]
        assert len(metalab.load_results(kept, "others:1")) == 2

    def test_runs_can_be_chosen_by_a_filter(self, kept, said):
        launch(kept, "others")
        said("rm", "--where", "x >= 2", "-e", "halves:1", "--store", kept, "--yes")
        assert [run.params["x"] for run in metalab.load_results(kept, "halves:1")] == [1]
        assert len(metalab.load_results(kept, "others:1")) == 3

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            ([], "name the runs, or say which with --where"),
            (["abc", "--where", "x = 1"], "name the runs, or say which with --where"),
            (["--where", "x ="], "column 4: the end was found"),
        ],
    )
    def test_it_wants_to_know_which_runs(self, kept, refused, words, why):
        assert why in refused("rm", *words, "--store", kept, "--yes", code=2)
        assert len(metalab.load_results(kept)) == 3

    def test_a_filter_is_about_one_experiment(self, kept, refused):
        launch(kept, "others")
        said = refused("rm", "--where", "x = 1", "--store", kept, "--yes", code=2)
        assert "--where needs --experiment" in said

    def test_nothing_is_forgotten_where_one_name_is_not_clear(self, kept, refused):
        first = metalab.load_results(kept)[0].run_id
        said = refused("rm", first, "nosuch", "--store", kept, "--yes", code=1)
        assert "no run's id begins with 'nosuch'" in said
        assert "3 runs' ids begin with ''" in refused("rm", "", "--store", kept, "-y", code=1)
        assert len(metalab.load_results(kept)) == 3

    def test_where_nobody_can_be_asked_it_wants_to_be_told(self, kept, refused, monkeypatch):
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
        first = metalab.load_results(kept)[0].run_id
        assert "add --yes" in refused("rm", first, "--store", kept, code=2)
        assert len(metalab.load_results(kept)) == 3

    @pytest.mark.parametrize(
        ("answer", "left"), [("y\n", 2), ("Yes\n", 2), ("n\n", 3), ("\n", 3), ("", 3)]
    )
    def test_on_a_terminal_it_asks(self, kept, capsys, monkeypatch, answer, left):
        terminal = io.StringIO(answer)
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stdin", terminal)
        first = metalab.load_results(kept)[0].run_id
        assert main(["rm", first, "--store", kept]) == (0 if left == 2 else 1)
        assert capsys.readouterr().err.startswith(f"forget {first}? [y/N] ")
        assert len(metalab.load_results(kept)) == left


class TestHints:
    def test_status_and_doctor_say_when_there_are_very_many_files(self, kept, said, monkeypatch):
        assert "metalab compact" not in said("status", kept)
        monkeypatch.setattr(storage, "_CROWD", 1)
        hint = "2 files of runs: metalab compact merges them into few"
        assert said("status", kept).endswith(f"\nhalves:1: {hint}\n")
        findings = json.loads(said("doctor", kept, "--json"))["findings"]
        assert [each["text"] for each in findings if each["topic"] == "segments"] == [
            f"halves:1 has {hint}"
        ]
        said("compact", kept, "--gzip")
        assert "metalab compact" not in said("status", kept)


class TestOtherStores:
    def test_a_store_that_offers_no_maintenance_says_so(self):
        store = MemoryStoreConfig(place="maintenance").connect().scoped("a:1")
        with pytest.raises(StoreError, match=r"memory://.*: stores of the kind 'memory' cannot"):
            store.compact()
        with pytest.raises(StoreError, match="cannot be inspected"):
            store.inspect()


def test_numbers_are_written_for_people():
    assert [many(n, "run") for n in (0, 1, 1200)] == ["0 runs", "1 run", "1,200 runs"]
    assert [size(n) for n in (1, 1023, 1536, 5 << 30, 3 << 50)] == [
        "1 byte",
        "1,023 bytes",
        "1.5 KiB",
        "5.0 GiB",
        "3072.0 TiB",
    ]
