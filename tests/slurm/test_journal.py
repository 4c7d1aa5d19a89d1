"""What was submitted is known after any crash."""

from __future__ import annotations

import subprocess
import sys

import pytest

from metalab_slurm.journal import Journal

WRITER = """\
import sys, pathlib
from metalab_slurm.journal import Journal
journal = Journal(pathlib.Path(sys.argv[1]))
for number in range(50):
    journal.submitted(sys.argv[2], str(number))
"""


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path)


def test_lines_come_back_in_their_order(journal):
    journal.intend("metalab-a", 10)
    journal.failed("metalab-a", "sbatch: error: no\nway")
    journal.intend("metalab-a", 5)
    journal.submitted("metalab-a", "17")
    journal.note("the site is slow")
    entries = journal.read()
    assert [each.what for each in entries] == ["intend", "failed", "intend", "submitted", "note"]
    assert [each.array for each in entries] == [10, None, 5, None, None]
    assert entries[1].words == "sbatch: error: no\nway"
    assert entries[3].job_id == "17"
    assert sorted(each.at for each in entries) == [each.at for each in entries]


def test_nothing_was_submitted_where_there_is_no_journal(journal):
    assert journal.read() == []
    assert journal.job_ids("metalab-a") == []


def test_numbers_are_known_by_name(journal):
    for name, number in (("a", "1"), ("b", "2"), ("a", "3")):
        journal.submitted(name, number)
    assert journal.job_ids("a") == ["1", "3"]


def test_a_line_may_be_torn_at_any_byte_and_all_others_are_read(journal):
    journal.submitted("a", "1")
    journal.submitted("a", "2")
    whole = journal.path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        journal.path.write_bytes(whole[:cut])
        journal.submitted("a", "3")
        known = ["1", "2", "3"] if cut == len(whole) - 1 else ["1", "3"]
        assert journal.job_ids("a") == known
        assert Journal(journal.path.parent).job_ids("a") == known


@pytest.mark.parametrize("line", [b"\x00\xff", b"3", b"[]", b"null", b"{}", b'{"what": "note"}'])
def test_a_line_that_is_none_of_ours_is_left_out(journal, line):
    journal.path.write_bytes(line + b"\n")
    journal.note("here")
    assert [each.words for each in journal.read()] == ["here"]


def test_a_later_versions_fields_are_no_hindrance(journal):
    journal.path.write_text(
        '{"what": "submitted", "at": 1.0, "job_id": "4", "name": "a", "new": 1}\n'
    )
    assert journal.job_ids("a") == ["4"]


def test_several_processes_append_to_one_journal(journal, tmp_path):
    names = [f"metalab-{number}" for number in range(3)]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name]) for name in names
    ]
    assert [writer.wait(timeout=600) for writer in writers] == [0, 0, 0]
    for name in names:
        assert journal.job_ids(name) == [str(number) for number in range(50)]
