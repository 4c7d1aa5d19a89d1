"""An inspection finds whatever is not as it was written, says where, and changes nothing."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from core.store_tools import EXPERIMENT, made, run_id, segments, store_at
from metalab.errors import StoreError
from metalab.records import ArtifactDescriptor
from metalab.store.document import record_line
from metalab.store.file import disk
from metalab.store.file.survey import Survey
from metalab.store.lines import Stamp, line_of
from metalab.store.maintenance import Severity

if TYPE_CHECKING:
    from pathlib import Path

LARGE = 300 << 10


def kept_artifact(writer, record, name, data) -> ArtifactDescriptor:
    uri, digest, size = writer.put_artifact(record, name, data, extension="bin")
    return ArtifactDescriptor(
        artifact_id=name,
        name=name,
        kind="bytes",
        format="bytes/bin",
        uri=uri,
        content_hash=digest,
        size_bytes=size,
    )


@pytest.fixture
def store(tmp_path):
    """A sound store with runs, artifacts of both kinds, logs, a manifest and a launch."""
    store = store_at(tmp_path / "store")
    manifest = store.put_manifest({"name": "my_exp"})
    git = {"diff": {"sha256": store.put_patch(b"-one\n+two\n")}}
    store.put_launch("launch", {"started": "now", "git": git})
    with store.writer("launch") as writer:
        for n in range(4):
            record = made(n, manifest=manifest)
            writer.append_log(record, "it began")
            small = kept_artifact(writer, record, "small", b"s" * (n + 1))
            large = kept_artifact(writer, record, "large", bytes([n]) * LARGE)
            writer.put(made(n, manifest=manifest, artifacts=[small, large]))
    store.delete_run(run_id(3))
    store.close()
    return store


@pytest.fixture
def folder(store) -> Path:
    return store.get_working_directory()


def everything_in(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def only(store, kind: str):
    """Return the one flaw, which must be of this kind."""
    (flaw,) = store.inspect().flaws
    assert flaw.kind == kind, flaw
    return flaw


def segment(store, writer="w", *, part=1, lines=(), prev_good=None, closed=True) -> Path:
    opening = {"t": "open", "format": 1, "writer": writer, "part": part, "prev_good": prev_good}
    content = [line_of(opening), *lines]
    if closed:
        close = {"t": "close", "writer": writer, "part": part, "lines": len(content)}
        content.append(line_of(close))
    stem = writer if part == 1 else f"{writer}-{part}"
    path = store.get_working_directory() / "runs" / f"{stem}.jsonl"
    path.write_bytes(b"".join(content))
    return path


class TestSoundStores:
    def test_nothing_is_found_and_nothing_is_written(self, store, folder):
        before = everything_in(store.root)
        found = store.inspect()
        assert found.flaws == ()
        assert found.is_sound
        assert (found.segments, found.lines, found.artifacts) == (2, 9, 8)
        assert everything_in(store.root) == before

    def test_a_compacted_store_is_sound(self, store):
        for options in ({}, {"gzip": True}):
            store.compact(**options)
            assert store.inspect().flaws == ()

    def test_a_store_without_runs_is_sound(self, tmp_path):
        assert store_at(tmp_path).inspect().flaws == ()

    def test_a_live_store_is_sound(self, store):
        with store.writer("live") as writer:
            writer.put(made(8))
            writer.flush()
            assert store.inspect().flaws == ()

    def test_a_writer_whose_disk_failed_left_nothing_wrong(self, store):
        first = segment(store, lines=[record_line(made(7), Stamp("w", 1, 1, "w"))], closed=False)
        good = first.stat().st_size
        first.write_bytes(first.read_bytes() + b"half a line\n")
        segment(store, part=2, prev_good=good)
        assert store.inspect().flaws == ()
        store.compact()
        assert store.inspect().flaws == ()


class TestSegments:
    def test_a_damaged_line_is_named_by_file_and_number(self, store):
        path = segments(store)[0]
        path.write_bytes(path.read_bytes().replace(b'"score":1.5', b'"score":9.5'))
        flaws = store.inspect().flaws
        assert [f.place for f in flaws if f.kind == "line"] == [f"{path}:3"]
        assert "checksum does not match" in flaws[0].text
        assert not store.inspect().is_sound

    def test_a_newer_format_is_named(self, store):
        path = store.get_working_directory() / "runs" / "next.jsonl"
        path.write_bytes(line_of({"t": "open", "format": 9, "writer": "next", "part": 1}) + b"?\n")
        flaw = only(store, "line")
        assert (flaw.place, flaw.severity) == (f"{path}:1", Severity.DAMAGE)
        assert "format 9" in flaw.text
        assert "pip install -U metalab" in flaw.text

    def test_a_file_joined_by_hand_is_a_note(self, store):
        path = store.get_working_directory() / "runs" / "joined.jsonl"
        path.write_bytes(record_line(made(7), Stamp("w", 1, 1, "w")))
        flaw = only(store, "opening")
        assert (flaw.place, flaw.severity) == (f"{path}:1", Severity.NOTE)
        assert store.inspect().is_sound

    def test_a_missing_part_is_damage(self, store):
        path = segment(store, part=3)
        flaw = only(store, "part")
        assert (flaw.place, flaw.severity) == (str(path), Severity.DAMAGE)
        assert "w-2.jsonl, the part before this one, is missing" in flaw.text

    def test_a_part_shorter_than_its_writer_knew_is_damage(self, store):
        first = segment(store, closed=False)
        segment(store, part=2, prev_good=first.stat().st_size + 10)
        flaw = only(store, "part")
        assert (flaw.place, flaw.severity) == (str(first), Severity.DAMAGE)
        assert "its writer made" in flaw.text

    def test_lines_that_were_cut_out_of_an_ended_segment_are_damage(self, store):
        lines = [record_line(made(n), Stamp("w", 1, n, "w")) for n in (7, 8)]
        path = segment(store, lines=lines)
        path.write_bytes(path.read_bytes().replace(lines[0], b""))
        flaw = only(store, "count")
        assert (flaw.place, flaw.severity) == (f"{path}:3", Severity.DAMAGE)
        assert "counts 3 lines before it, there are 2" in flaw.text

    def test_half_a_line_at_the_end_is_a_note(self, store):
        path = segment(store, closed=False)
        path.write_bytes(path.read_bytes() + b'{"t":"run","id":')
        flaw = only(store, "half-line")
        assert (flaw.place, flaw.severity) == (f"{path}:2", Severity.NOTE)

    def test_damaged_compressed_data_is_damage(self, store):
        store.compact(gzip=True)
        (path,) = (store.get_working_directory() / "runs").iterdir()
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
        kinds = {flaw.kind: flaw for flaw in store.inspect().flaws}
        assert kinds["line"].severity is Severity.DAMAGE
        assert "compressed data from here on is damaged" in kinds["line"].text

    def test_what_an_interrupted_compaction_left_is_a_note(self, store):
        victim = segments(store)[0]
        content = victim.read_bytes()
        store.compact()
        victim.write_bytes(content)
        flaw = only(store, "left-behind")
        assert (flaw.place, flaw.severity) == (str(victim), Severity.NOTE)
        assert "metalab compact removes it" in flaw.text
        store.compact()
        assert store.inspect().flaws == ()


class TestArtifacts:
    def named_by(self, store, folder) -> str:
        (path,) = [path for path in segments(store) if b"artifacts" in path.read_bytes()]
        return str(path)

    def test_a_missing_file_is_named_by_the_line_that_needs_it(self, store, folder):
        victim = min((folder / "artifacts").rglob("*.bin"))
        victim.unlink()
        flaw = only(store, "artifact")
        assert flaw.place == f"{self.named_by(store, folder)}:2"
        assert flaw.severity is Severity.DAMAGE
        assert "are gone" in flaw.text
        assert victim.name in flaw.text

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda data: data[:-1], "bytes, it was kept with"),
            (lambda data: b"x" + data[1:], "sha256"),
        ],
    )
    def test_an_altered_file_is_damage(self, store, folder, change, said):
        victim = min((folder / "artifacts").rglob("*.bin"))
        victim.write_bytes(change(victim.read_bytes()))
        flaw = only(store, "artifact")
        assert said in flaw.text
        assert flaw.severity is Severity.DAMAGE

    def test_an_altered_pack_is_damage(self, store, folder):
        (pack,) = (folder / "packs").iterdir()
        data = pack.read_bytes()
        pack.write_bytes(data.replace(b"ssss", b"sssx"))
        flaw = only(store, "artifact")
        assert "sha256" in flaw.text
        assert flaw.place == f"{self.named_by(store, folder)}:5"

    def test_a_missing_pack_is_damage_of_every_artifact_in_it(self, store, folder):
        shutil.rmtree(folder / "packs")
        assert [flaw.kind for flaw in store.inspect().flaws] == ["artifact"] * 4

    @pytest.mark.parametrize(("cut", "kind"), [(100, "pack"), (600, "artifact")])
    def test_a_torn_pack_is_damage_only_of_what_a_line_names(self, store, folder, cut, kind):
        (pack,) = (folder / "packs").iterdir()
        pack.write_bytes(pack.read_bytes()[:-cut])
        severity = Severity.NOTE if kind == "pack" else Severity.DAMAGE
        assert only(store, kind).severity is severity

    def test_a_uri_that_leaves_the_store_is_damage_and_is_not_opened(self, store):
        bad = ArtifactDescriptor("a", "a", "k", "f", "artifacts/../../secret")
        with store.writer("w") as writer:
            writer.put(made(7, artifacts=[bad]))
        assert "is no artifact of this store" in only(store, "artifact").text

    def test_files_that_no_line_names_are_a_note(self, store, folder):
        other = folder / "artifacts" / "zz" / "other.bin"
        other.parent.mkdir()
        other.write_bytes(b"12345")
        flaw = only(store, "orphan")
        assert (flaw.place, flaw.severity) == (str(other), Severity.NOTE)
        assert "5 bytes" in flaw.text

    def test_members_of_packs_that_no_line_names_are_a_note(self, store, folder):
        with store.writer("w") as writer:
            writer.put_artifact(made(7), "alone", b"abc", extension="txt")
            writer.put_artifact(made(7), "too", b"defg", extension="txt")
            writer.put(made(7))
        flaw = only(store, "orphan")
        assert flaw.place.endswith(".tar")
        assert f"2 of its 2 artifacts (7 bytes), the first is {run_id(7)}/1/alone.txt" in flaw.text

    def test_artifacts_of_dropped_attempts_are_a_note(self, store):
        store.compact(drop_attempts=True)
        flaws = store.inspect().flaws
        assert {flaw.kind for flaw in flaws} == {"orphan"}
        assert len(flaws) == 2  # a file, and a member of a pack, of the run that is forgotten


class TestTheRest:
    def test_logs_of_unknown_runs_are_a_note(self, store, folder):
        (log,) = (folder / "logs").iterdir()
        log.write_bytes(log.read_bytes() + f"{run_id(9)} 0.1 run lost\n".encode() * 2)
        flaw = only(store, "log")
        assert (flaw.place, flaw.severity) == (f"{log}:5", Severity.NOTE)
        assert flaw.text.startswith("2 lines")

    def test_a_damaged_manifest_is_damage(self, store, folder):
        (path,) = (folder / "manifests").iterdir()
        path.write_bytes(path.read_bytes()[:-5])
        assert only(store, "document").place == str(path)

    def test_a_missing_manifest_is_damage_of_the_line_that_names_it(self, store, folder):
        shutil.rmtree(folder / "manifests")
        flaw = only(store, "document")
        assert flaw.severity is Severity.DAMAGE
        assert flaw.place.endswith(".jsonl:2")

    def test_damaged_changes_of_a_checkout_are_damage(self, store, folder):
        (path,) = (folder / "patches").iterdir()
        path.write_bytes(b"another")
        flaw = only(store, "patch")
        assert (flaw.severity, flaw.place) == (Severity.DAMAGE, str(path))

    def test_missing_ones_are_noted_where_they_are_named(self, store, folder):
        shutil.rmtree(folder / "patches")
        flaw = only(store, "patch")
        assert flaw.severity is Severity.NOTE
        assert flaw.place.endswith("launch.json")

    def test_a_damaged_launch_is_damage(self, store, folder):
        path = folder / "launches" / "launch" / "launch.json"
        path.write_bytes(b"[]")
        assert only(store, "document").place == str(path)

    @pytest.mark.parametrize("content", [b"", b"{}", b'{"id": "other:1"}'])
    def test_a_folder_that_does_not_say_whose_it_is_is_damage(self, store, folder, content):
        path = folder / "experiment.json"
        path.write_bytes(content)
        flaw = only(store, "experiment")
        assert (flaw.place, flaw.severity) == (str(path), Severity.DAMAGE)
        path.unlink()
        assert "restore it" in only(store, "experiment").text

    def test_a_missing_marker_is_a_note(self, store):
        (store.root / "metalab-store.json").unlink()
        assert only(store, "marker").severity is Severity.NOTE

    def test_what_is_gone_before_it_is_read_is_passed_over(self, store, monkeypatch):
        path = segment(store)
        real = disk.blocks

        def blocks(asked, *args):
            if asked == path and path.exists():
                path.unlink()
            return real(asked, *args)

        monkeypatch.setattr(disk, "blocks", blocks)
        assert store.inspect().segments == 2

    def test_a_part_that_is_compacted_since_it_was_read_is_no_flaw(self, store, monkeypatch):
        first = segment(store, closed=False)
        segment(store, part=2, prev_good=first.stat().st_size)
        real = Survey.flaws

        def flaws(survey, replaced):
            first.unlink()
            return real(survey, replaced)

        monkeypatch.setattr(Survey, "flaws", flaws)
        assert store.inspect().flaws == ()


class TestStrays:
    @pytest.fixture
    def planted(self, store, folder) -> list[Path]:
        """Temporary files wherever there may be some."""
        (folder / "claims" / "plan").mkdir(parents=True)
        places = ["runs", "artifacts/00", "manifests", "launches/launch", "claims/plan", "."]
        found = [folder / place / ".tmp.0123" for place in places]
        found.append(store.root / ".tmp.4567")
        for path in found:
            path.write_bytes(b"half")
        return found

    def test_temporary_files_are_notes(self, store, planted):
        found = store.inspect()
        assert {flaw.place for flaw in found.flaws} == set(map(str, planted))
        assert {(flaw.kind, flaw.severity) for flaw in found.flaws} == {("stray", Severity.NOTE)}
        assert all(path.exists() for path in planted)

    def test_only_those_are_removed_that_were_not_written_to_for_a_day(self, store, planted):
        assert store.inspect(remove_strays=True).removed == ()
        old = time.time() - 25 * 3600
        for path in planted[:4]:
            os.utime(path, (old, old))
        found = store.inspect(remove_strays=True)
        assert set(found.removed) == set(map(str, planted[:4]))
        assert {flaw.place for flaw in found.flaws} == set(map(str, planted[4:]))
        assert [path.exists() for path in planted] == [False] * 4 + [True] * 3

    def test_the_clock_of_the_file_system_decides(self, store, planted, monkeypatch):
        monkeypatch.setattr(time, "time", lambda: 1e12)
        assert store.inspect(remove_strays=True).removed == ()

    def test_where_nothing_can_be_removed_it_says_so(self, store, planted, monkeypatch):
        def refuse(path):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(disk, "clock_of", refuse)
        with pytest.raises(StoreError, match=r"cannot be removed: Permission denied"):
            store.inspect(remove_strays=True)

    def test_an_experiment_that_is_its_own_root_is_looked_through_once(
        self, store, folder, planted
    ):
        alone = store.root.parent / "alone"
        shutil.copytree(folder, alone)
        strays = [
            f for f in store_at(alone).scoped(EXPERIMENT).inspect().flaws if f.kind == "stray"
        ]
        assert len(strays) == 6
