"""Any text becomes one portable file name, and no two texts share one."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, strategies as st

from metalab.store.names import (
    experiment_folder,
    experiment_of_folder,
    file_name,
    part_name,
    split_part,
    writer_name,
)

# Characters that file systems confuse: case, composition, separators, dots, controls.
awkward = st.text(st.sampled_from("aAbß._-:/\\%~éÉ\u0301e \t\x00\udc80conCON1"), max_size=12)
texts = st.one_of(awkward, st.text(max_size=200))
names = texts.filter(lambda text: ":" not in text and text)


def on_the_worst_disk(name: str) -> str:
    """What is left of a name where case, composition, trailing dots and blanks do not count."""
    return unicodedata.normalize("NFC", name).casefold().rstrip(". ")


class TestFileNames:
    @given(texts, texts)
    def test_no_two_texts_share_a_name_on_any_disk(self, one, two):
        if one != two:
            assert on_the_worst_disk(file_name(one)) != on_the_worst_disk(file_name(two))

    @given(texts)
    def test_a_name_is_plain_short_and_no_path(self, text):
        name = file_name(text)
        assert re.fullmatch("[a-z0-9._%~-]{1,100}", name)
        assert name[0] != "."

    @given(texts)
    def test_a_name_is_the_same_every_time(self, text):
        assert file_name(text) == file_name(text)

    @pytest.mark.parametrize("plain", ["curve", "run-1_b.2", "a" * 100])
    def test_plain_text_is_its_own_name(self, plain):
        assert file_name(plain) == plain

    @pytest.mark.parametrize(
        "device", ["con", "nul", "aux", "prn", "com1", "lpt9", "con.txt", "com0.a.b"]
    )
    def test_a_device_s_name_is_avoided(self, device):
        assert file_name(device).partition(".")[0] != device.partition(".")[0]

    @pytest.mark.parametrize("text", [".", "..", ".hidden", "../../etc/passwd", "/etc", "a/../b"])
    def test_a_name_leads_nowhere_else(self, text):
        assert "/" not in file_name(text)
        assert not file_name(text).startswith(".")

    def test_a_long_text_keeps_its_beginning(self):
        name = file_name("x" * 101)
        assert re.fullmatch("x{60}~[0-9a-f]{16}", name)
        assert name != file_name("x" * 102)


class TestExperimentFolders:
    def test_an_ordinary_id_reads_as_it_is_written(self):
        assert experiment_folder("my_exp:1.0") == "my_exp_1.0"

    @given(names, texts, names, texts)
    def test_no_two_ids_share_a_folder_on_any_disk(self, name, version, other, another):
        one, two = f"{name}:{version}", f"{other}:{another}"
        if one != two:
            folders = experiment_folder(one), experiment_folder(two)
            assert on_the_worst_disk(folders[0]) != on_the_worst_disk(folders[1])

    @pytest.mark.parametrize(
        ("one", "two"),
        [
            ("a_b:c", "a:b_c"),
            ("Model:1", "model:1"),
            ("e\u0301:1", "é:1"),
            ("a:1", "a:1."),
            ("con:1", "CON:1"),
            ("a:1", "a:1:"),
        ],
    )
    def test_ids_that_look_alike_have_folders_of_their_own(self, one, two):
        folders = experiment_folder(one), experiment_folder(two)
        assert on_the_worst_disk(folders[0]) != on_the_worst_disk(folders[1])

    @given(names, texts)
    def test_the_last_underscore_splits_the_id_again(self, name, version):
        folder = experiment_folder(f"{name}:{version}")
        spelt = experiment_of_folder(folder)
        assert spelt in {None, f"{name}:{version}"}
        if "~" not in folder and "\udc80" not in name + version and name.isascii():
            assert spelt is not None or not version.isascii()

    def test_an_id_cannot_leave_the_store(self):
        assert experiment_folder("../escaped:1") == "%2e.%2fescaped_1"

    @pytest.mark.parametrize(
        "folder", ["nothing", "_1.0", "A_1", "a_b%", "x" * 60 + "~" + "0" * 16]
    )
    def test_what_is_no_folder_of_ours_spells_no_id(self, folder):
        assert experiment_of_folder(folder) is None

    @pytest.mark.parametrize("text", ["plain", "", ":1.0"])
    def test_what_is_no_id_is_refused(self, text):
        with pytest.raises(ValueError, match="write name:version"):
            experiment_folder(text)


class TestWriterNames:
    def test_the_parts_can_be_read_off(self):
        name = writer_name("k3f9a1", "42", "node17.cluster.org", "9c1e77ab")
        assert name == "k3f9a1.42.node17.9c1e77ab"

    @given(texts, texts, texts)
    def test_there_are_always_four_parts(self, launch, task, host):
        assert writer_name(launch, task, host, "0" * 8).count(".") == 3

    @given(st.integers(1, 10**6))
    def test_a_part_is_read_off_its_file_s_name(self, part):
        writer = writer_name("k3f9a1", "0", "node-7", "9c1e77ab")
        assert split_part(part_name(writer, part) + ".jsonl") == (writer, part)
        assert split_part(part_name(writer, part) + ".jsonl.gz") == (writer, part)

    def test_a_hand_made_name_is_a_writer_of_its_own(self):
        assert split_part("joined-01.jsonl") == ("joined-01", 1)
