"""What a launch says of the checkout that it was made from, by real git."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import pytest

from metalab.surroundings import Checkout
from metalab.surroundings.checkout import LARGEST_DIFF, NO_DIFF
from metalab.surroundings.git import Git
from metalab.surroundings.untracked import own_files, untracked_files

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None, reason="git is not installed; apt-get install git"
)


def git(*words, folder=None):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
    told = subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return os.fsdecode(told.stdout).strip()


@pytest.fixture(autouse=True)
def _git_has_time(monkeypatch):
    """On a busy machine, git may take longer than a launch waits for it."""
    monkeypatch.setattr("metalab.surroundings.git._SECONDS", 60.0)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.delenv(NO_DIFF, raising=False)
    folder = tmp_path / "lab"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "-b", "work")
    Path("study.py").write_text("one\n")
    git("add", "study.py")
    git("commit", "-m", "one")
    return folder


def changes(checkout):
    return checkout.patch().decode()


class TestState:
    def test_it_names_commit_branch_and_folder(self, repository):
        state = Checkout().state()
        assert {key: state[key] for key in ("root", "commit", "branch", "dirty", "diff")} == {
            "root": str(repository.resolve()),
            "commit": git("rev-parse", "HEAD"),
            "branch": "work",
            "dirty": False,
            "diff": None,
        }

    def test_a_changed_file_is_told_and_one_that_git_does_not_know_is_not(self, repository):
        (repository / "notes.txt").write_text("mine\n")
        assert Checkout().state()["dirty"] is False
        (repository / "study.py").write_text("two\n")
        assert Checkout().state()["dirty"] is True

    def test_the_answer_may_be_taken_more_than_once_and_is_that_of_the_moment_asked(
        self, repository
    ):
        checkout = Checkout()
        first = checkout.state()
        (repository / "study.py").write_text("two\n")
        assert checkout.state() == first

    def test_the_first_folder_that_is_a_checkout_is_asked_about(self, repository, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        assert Checkout((elsewhere, repository)).state()["branch"] == "work"

    def test_a_second_checkout_of_a_repository_is_one(self, repository, tmp_path):
        git("worktree", "add", "-b", "side", str(tmp_path / "side"))
        (tmp_path / "side" / "study.py").write_text("two\n")
        state = Checkout((tmp_path / "side",)).state()
        assert (state["branch"], state["dirty"]) == ("side", True)
        assert state["root"] == str((tmp_path / "side").resolve())
        assert Checkout().state()["dirty"] is False

    def test_variables_may_name_it(self, repository, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
        monkeypatch.setenv("GIT_WORK_TREE", str(repository))
        assert Checkout().state()["root"] == str(repository.resolve())

    @pytest.mark.parametrize("name", ["a\u2028b", "$(touch${IFS}x)", "--help;x", "ünï", "a/b'\""])
    def test_a_branch_may_have_any_name(self, repository, name):
        git("update-ref", f"refs/heads/{name}", "HEAD")
        git("symbolic-ref", "HEAD", f"refs/heads/{name}")
        state = Checkout().state()
        assert state["branch"] == name
        assert state["dirty"] is False
        assert not (repository / "x").exists()

    def test_no_branch_and_no_commit_are_none(self, repository, tmp_path):
        git("checkout", "--detach")
        assert Checkout().state()["branch"] is None
        fresh = tmp_path / "fresh"
        fresh.mkdir()
        git("init", "-b", "new", folder=fresh)
        state = Checkout((fresh,)).state()
        assert (state["commit"], state["branch"], state["dirty"]) == (None, "new", False)


class TestWithoutAnAnswer:
    def test_nothing_is_known_outside_of_a_repository(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
        assert Checkout().state() is None
        assert Checkout().patch() is None

    def test_nothing_is_known_without_git(self, repository, monkeypatch):
        monkeypatch.setenv("PATH", str(repository))
        assert Checkout().state() is None

    def test_nothing_is_known_of_a_bare_repository(self, tmp_path):
        git("init", "--bare", ".", folder=tmp_path)
        assert Checkout((tmp_path,)).state() is None

    def test_nothing_is_known_where_git_never_ends(self, repository, tmp_path, monkeypatch):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "git").write_text(f"#!{sys.executable}\nimport time\ntime.sleep(600)\n")
        (folder / "git").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.setattr("metalab.surroundings.git._SECONDS", 0.3)
        assert Checkout((repository,)).state() is None

    def test_a_folder_that_is_gone_is_no_checkout(self, tmp_path):
        assert Checkout((tmp_path / "gone",)).state() is None


class TestChanges:
    def test_they_are_kept_by_hash(self, repository):
        (repository / "study.py").write_text("two\n")
        checkout = Checkout()
        patch = checkout.patch()
        assert checkout.state()["diff"] == {
            "sha256": sha256(patch).hexdigest(),
            "bytes": len(patch),
            "truncated": False,
        }
        assert "-one\n+two\n" in patch.decode()

    def test_they_can_be_applied_again(self, repository):
        (repository / "study.py").write_text("two\n")
        (repository / "more.py").write_text("more\n")
        git("add", "more.py")
        (repository.parent / "it.diff").write_bytes(Checkout().patch())
        git("reset", "--hard")
        git("apply", "../it.diff")
        assert (repository / "study.py").read_text() == "two\n"
        assert (repository / "more.py").read_text() == "more\n"

    def test_they_are_the_same_whatever_is_configured_and_from_wherever_it_is_asked(
        self, repository, monkeypatch
    ):
        (repository / "study.py").write_text("two\n")
        (repository / "sub").mkdir()
        (repository / "a.py").write_text("new\n")
        git("add", "a.py")
        (repository / "sub" / "order").write_text("study.py\na.py\n")
        expected = Checkout().patch()
        for setting in (
            *("diff.noprefix=true", "diff.mnemonicPrefix=true", "color.diff=always"),
            *("diff.context=0", "diff.external=false", "diff.relative=true"),
            *("diff.algorithm=patience", f"diff.orderFile={repository}/sub/order"),
        ):
            git("config", *setting.split("="))
        assert Checkout().patch() == expected
        monkeypatch.chdir(repository / "sub")
        assert Checkout().patch() == expected

    def test_before_the_first_commit_they_are_all_that_git_knows(self, tmp_path):
        git("init", folder=tmp_path)
        (tmp_path / "a.py").write_text("staged\n")
        git("add", "a.py", folder=tmp_path)
        (tmp_path / "a.py").write_text("edited since\n")
        assert "+edited since" in changes(Checkout((tmp_path,)))

    def test_of_binary_files_the_hashes_are_told(self, repository):
        (repository / "model.bin").write_bytes(b"\x00\x01")
        git("add", "model.bin")
        one = changes(Checkout())
        (repository / "model.bin").write_bytes(b"\x00\x02")
        other = changes(Checkout())
        assert "Binary files /dev/null and b/model.bin differ" in one
        assert one != other

    def test_those_of_a_submodule_are_among_them(self, repository, tmp_path):
        inner = tmp_path / "inner"
        inner.mkdir()
        git("init", folder=inner)
        (inner / "part.py").write_text("one\n")
        git("add", ".", folder=inner)
        git("commit", "-m", "x", folder=inner)
        git("-c", "protocol.file.allow=always", "submodule", "add", str(inner), "inner")
        git("commit", "-m", "with it")
        assert Checkout().patch() is None
        (repository / "inner" / "part.py").write_text("two\n")
        assert "-one\n+two\n" in changes(Checkout())

    def test_files_that_hold_secrets_by_their_names_are_left_out(self, repository):
        for name in (".env", "server.pem", "study.py"):
            (repository / name).write_text("hunter2\n")
            git("add", name)
        (repository / "deep").mkdir()
        (repository / "deep" / ".env").write_text("hunter3\n")
        git("add", "deep/.env")
        told = changes(Checkout())
        assert "study.py" in told
        assert ".env" not in told
        assert "pem" not in told
        assert "hunter3" not in told

    @pytest.mark.parametrize(("setting", "is_kept"), [("1", False), ("0", True), ("", True)])
    def test_they_are_left_out_if_the_environment_says_so(
        self, repository, monkeypatch, setting, is_kept
    ):
        (repository / "study.py").write_text("two\n")
        monkeypatch.setenv(NO_DIFF, setting)
        checkout = Checkout()
        assert checkout.state()["dirty"] is True
        assert (checkout.patch() is not None) is is_kept
        assert (checkout.state()["diff"] is not None) is is_kept

    def test_files_may_change_while_git_reads_them(self, repository):
        halt = threading.Event()

        def edit():
            while not halt.is_set():
                (repository / "study.py").write_text("x\n" * 1000)
                (repository / "study.py").unlink()

        editor = threading.Thread(target=edit)
        editor.start()
        try:
            for _ in range(10):
                checkout = Checkout()
                state, patch = checkout.state(), checkout.patch()
                if patch is not None:
                    assert state["diff"]["sha256"] == sha256(patch).hexdigest()
        finally:
            halt.set()
            editor.join()

    def test_no_lock_is_left_in_the_way_of_another_git(self, repository):
        (repository / "study.py").write_text("two\n")
        before = (repository / ".git" / "index").stat().st_mtime_ns
        Checkout().state()
        assert (repository / ".git" / "index").stat().st_mtime_ns == before


class TestLargeChanges:
    def test_no_more_than_the_beginning_is_kept(self, repository):
        (repository / "study.py").write_text("a line\n" * (LARGEST_DIFF // 4))
        checkout = Checkout()
        assert len(checkout.patch()) == LARGEST_DIFF
        diff = checkout.state()["diff"]
        assert (diff["bytes"], diff["truncated"]) == (LARGEST_DIFF, True)
        assert diff["sha256"] == sha256(checkout.patch()).hexdigest()

    def test_one_of_exactly_that_size_is_whole(self, repository, monkeypatch):
        (repository / "study.py").write_text("two\n")
        size = len(Checkout().patch())
        monkeypatch.setattr("metalab.surroundings.checkout.LARGEST_DIFF", size)
        assert Checkout().state()["diff"]["truncated"] is False
        monkeypatch.setattr("metalab.surroundings.checkout.LARGEST_DIFF", size - 1)
        assert Checkout().state()["diff"] == {
            "sha256": sha256(Checkout().patch()).hexdigest(),
            "bytes": size - 1,
            "truncated": True,
        }

    def test_half_a_gigabyte_is_not_held_in_memory(self, repository, tmp_path, monkeypatch):
        # It prints without end, as a git would for a diff of that size.
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "git").write_text("#!/bin/sh\nexec head -c 500000000 /dev/zero\n")
        (folder / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert len(Git(None).read("diff", most=LARGEST_DIFF + 1)) == LARGEST_DIFF + 1
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 50_000  # KiB


class TestUntracked:
    def said(self, repository, *files):
        return untracked_files(Git(repository), str(repository), map(str, files))

    def test_modules_that_git_does_not_know_are_told_with_their_hash(self, repository, tmp_path):
        mine, ignored = repository / "mine.py", repository / "sub" / "gen.py"
        ignored.parent.mkdir()
        beyond = tmp_path / "beyond.py"
        for path in (mine, ignored, beyond):
            path.write_text(path.name)
        (repository / ".gitignore").write_text("sub/\n")
        assert self.said(repository, repository / "study.py", mine, ignored, beyond) == {
            "mine.py": sha256(b"mine.py").hexdigest(),
            "sub/gen.py": sha256(b"gen.py").hexdigest(),
            str(beyond): sha256(b"beyond.py").hexdigest(),
        }

    def test_names_are_no_patterns(self, repository):
        for name in ("*.py", ":(top)x.py", "-h.py", "a b.py"):
            (repository / name).write_text("x")
        assert self.said(repository, *repository.glob("*.py")).keys() == {
            *("*.py", ":(top)x.py", "-h.py", "a b.py")
        }

    def test_many_modules_are_asked_about(self, repository):
        for number in range(500):
            (repository / f"m{number}.py").write_text("x")
        git("add", "m7.py", "m450.py")
        assert len(self.said(repository, *repository.glob("m*.py"))) == 498

    def test_a_module_that_is_gone_is_passed_over(self, repository):
        assert self.said(repository, repository / "gone.py") == {}

    def test_a_module_may_say_anything_of_its_file(self, monkeypatch):
        for number, file in enumerate(("a\0b.py", "<string>", 7, None)):
            module = ModuleType("strange")
            module.__file__ = file
            monkeypatch.setitem(sys.modules, f"strange{number}", module)
        assert not any("\0" in file or file.startswith("<") for file in own_files())

    def test_own_modules_are_those_of_no_library(self):
        files = own_files()
        assert __file__ in files
        assert not any("site-packages" in file for file in files)
        assert not any(file.endswith("/pytest") for file in files)

    def test_a_launch_tells_of_the_module_that_it_imported(self, repository):
        (repository / "helper.py").write_text("x = 1\n")
        script = "import helper\nfrom metalab.surroundings import Checkout, git\n"
        script += "git._SECONDS = 60.0\n"
        script += "print(sorted(Checkout().state()['untracked']))"
        (repository / "study.py").write_text(script)
        told = subprocess.run(
            [sys.executable, "study.py"], capture_output=True, text=True, check=True
        )
        assert told.stdout == "['helper.py']\n"
