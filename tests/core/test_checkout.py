"""What a launch says of the checkout that it was made from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from metalab.surroundings import Checkout

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def git(*words):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-b", "work")
    Path("study.py").write_text("one\n")
    git("add", "study.py")
    git("commit", "-m", "one")
    return tmp_path


def test_it_names_commit_and_branch(repository):
    assert Checkout().state() == {
        "commit": git("rev-parse", "HEAD"),
        "branch": "work",
        "dirty": False,
    }


def test_a_changed_file_is_told_and_one_that_git_does_not_know_is_not(repository):
    (repository / "notes.txt").write_text("mine\n")
    assert Checkout().state()["dirty"] is False
    (repository / "study.py").write_text("two\n")
    assert Checkout().state()["dirty"] is True


def test_the_answer_may_be_taken_more_than_once_and_is_that_of_the_moment_asked(repository):
    checkout = Checkout()
    first = checkout.state()
    (repository / "study.py").write_text("two\n")
    assert checkout.state() == first


def test_nothing_is_known_outside_of_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert Checkout().state() is None


def test_nothing_is_known_without_git(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository))
    assert Checkout().state() is None
