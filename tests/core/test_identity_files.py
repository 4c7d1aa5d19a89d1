"""Files: known by what they contain, wherever they lie and whatever their times say."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from metalab.errors import IdentityError
from metalab.identity import files, hashcache
from metalab.identity.files import dir_files, dir_hash, file_hash

LONG_AGO_NS = 10**18


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """An empty cache directory of one's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    return hashcache.cache_file()


@pytest.fixture
def settled(monkeypatch):
    """Take every file for old enough to be remembered."""
    monkeypatch.setattr(files, "_SETTLED_NS", -(10**18))


@pytest.fixture
def reads(monkeypatch):
    """Record the files whose content is read."""
    seen = []
    digest = files.file_digest
    monkeypatch.setattr(
        files, "file_digest", lambda file, name: (seen.append(file.name), digest(file, name))[1]
    )
    return seen


def write(folder, **contents):
    for name, content in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


class TestFileHash:
    def test_it_is_the_sha256_of_the_content(self, tmp_path):
        path = tmp_path / "a"
        path.write_bytes(b"x" * 3_000_000)
        assert (
            file_hash(path) == file_hash(str(path)) == hashlib.sha256(b"x" * 3_000_000).hexdigest()
        )

    def test_a_copy_with_other_times_elsewhere_has_the_same_hash(self, tmp_path):
        write(tmp_path, a="data")
        shutil.copy(tmp_path / "a", tmp_path / "b")
        os.utime(tmp_path / "b", ns=(LONG_AGO_NS, LONG_AGO_NS))
        assert file_hash(tmp_path / "a") == file_hash(tmp_path / "b")

    def test_other_bytes_of_the_same_size_under_a_restored_time_are_seen(self, tmp_path, settled):
        path = write(tmp_path, a="one") / "a"
        before, times = file_hash(path), path.stat()
        assert file_hash(path) == before
        path.write_text("two")
        while path.stat().st_ctime_ns == times.st_ctime_ns:  # its clock may have coarse steps
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert path.stat().st_mtime_ns == times.st_mtime_ns
        assert file_hash(path) == hashlib.sha256(b"two").hexdigest()

    def test_a_link_stands_for_what_it_points_to(self, tmp_path):
        write(tmp_path, a="data")
        (tmp_path / "link").symlink_to("a")
        assert file_hash(tmp_path / "link") == file_hash(tmp_path / "a")

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=rf"^file not found: {tmp_path}/none$"):
            file_hash(tmp_path / "none")

    def test_a_broken_link_is_named_with_its_target(self, tmp_path):
        (tmp_path / "link").symlink_to("gone")
        with pytest.raises(FileNotFoundError, match=r"/link \(a link to gone, which is not there"):
            file_hash(tmp_path / "link")

    def test_a_folder_is_refused_with_advice(self, tmp_path):
        with pytest.raises(IdentityError, match=r"not a regular file: .*; use DirPath"):
            file_hash(tmp_path)

    def test_a_pipe_is_refused_rather_than_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(IdentityError, match=r"not a regular file: .*pipe$"):
            file_hash(tmp_path / "pipe")


class TestDirHash:
    def test_the_border_between_name_and_content_counts(self, tmp_path):
        one, two = write(tmp_path / "1", a="bc"), write(tmp_path / "2", ab="c")
        assert dir_hash(one) != dir_hash(two)

    def test_a_copy_has_the_same_hash(self, tmp_path):
        one = write(tmp_path / "1", a="x", sub__b="y", sub__deep__c="z")
        shutil.copytree(one, tmp_path / "2")
        assert dir_hash(one) == dir_hash(tmp_path / "2")

    @pytest.mark.parametrize("name", ["a", "sub/b", "sub/deep/c", "sub/.hidden"])
    def test_a_change_at_any_depth_is_seen(self, tmp_path, name):
        write(tmp_path, a="x", sub__b="y", sub__deep__c="z")
        (tmp_path / "sub" / ".hidden").write_text("h")
        before = dir_hash(tmp_path)
        (tmp_path / name).write_text("changed")
        assert dir_hash(tmp_path) != before

    def test_a_name_that_changes_is_seen(self, tmp_path):
        write(tmp_path, a="x", b="y")
        before = dir_hash(tmp_path)
        (tmp_path / "b").rename(tmp_path / "c")
        assert dir_hash(tmp_path) != before

    def test_empty_folders_do_not_count(self, tmp_path):
        write(tmp_path, a="x")
        before = dir_hash(tmp_path)
        (tmp_path / "empty").mkdir()
        assert dir_hash(tmp_path) == before

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("*", ["a.csv", "b.txt", "sub/a.csv", "sub/deep/c.csv"]),
            ("*.csv", ["a.csv", "sub/a.csv", "sub/deep/c.csv"]),
            ("a.csv", ["a.csv", "sub/a.csv"]),
            ("sub/*", ["sub/a.csv"]),
            ("sub/**", ["sub/a.csv", "sub/deep/c.csv"]),
            ("sub/**/*.csv", ["sub/a.csv", "sub/deep/c.csv"]),
            ("**/deep/*", ["sub/deep/c.csv"]),
            ("./a.csv", ["a.csv"]),
            ("*.png", []),
        ],
    )
    def test_a_pattern_selects_files(self, tmp_path, pattern, names):
        write(tmp_path, **{"a.csv": "1", "b.txt": "2", "sub__a.csv": "3", "sub__deep__c.csv": "4"})
        assert dir_files(tmp_path, pattern) == names

    def test_files_that_a_pattern_leaves_out_do_not_count(self, tmp_path):
        write(tmp_path, **{"a.csv": "1", "b.txt": "2"})
        before = dir_hash(tmp_path, "*.csv")
        (tmp_path / "b.txt").write_text("3")
        assert dir_hash(tmp_path, "*.csv") == before

    def test_linked_folders_are_followed(self, tmp_path):
        write(tmp_path / "data", a="x")
        (tmp_path / "here").mkdir()
        (tmp_path / "here" / "data").symlink_to(tmp_path / "data")
        assert dir_files(tmp_path / "here") == ["data/a"]

    def test_a_loop_of_links_is_refused(self, tmp_path):
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "up").symlink_to(tmp_path)
        with pytest.raises(IdentityError, match=r"links form a loop: .*/sub/up leads to"):
            dir_hash(tmp_path)

    def test_a_broken_link_inside_is_named(self, tmp_path):
        (tmp_path / "link").symlink_to("gone")
        with pytest.raises(FileNotFoundError, match=r"file not found: .*/link"):
            dir_hash(tmp_path)

    def test_a_missing_folder_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=rf"^directory not found: {tmp_path}/none$"):
            dir_hash(tmp_path / "none")

    def test_a_file_is_no_folder(self, tmp_path):
        write(tmp_path, a="x")
        with pytest.raises(FileNotFoundError, match=r"^not a directory: "):
            dir_hash(tmp_path / "a")


class TestCache:
    def test_an_unchanged_file_is_read_once(self, tmp_path, settled, reads, cache):
        path = write(tmp_path, a="x") / "a"
        assert file_hash(path) == file_hash(path)
        assert len(reads) == 1
        assert cache.read_text().count("\n") == 1

    def test_a_later_process_does_not_read_it_again(self, tmp_path, settled, reads, cache):
        path = write(tmp_path, a="x") / "a"
        expected = file_hash(path)
        hashcache._known.clear()
        assert file_hash(path) == expected
        assert len(reads) == 1

    def test_a_file_changed_just_now_is_not_remembered(self, tmp_path, monkeypatch, reads, cache):
        path = write(tmp_path, a="x") / "a"
        just_now = path.stat().st_ctime_ns + 10**9
        monkeypatch.setattr(files.time, "time_ns", lambda: just_now)
        file_hash(path)
        file_hash(path)
        assert len(reads) == 2
        assert not cache.exists()

    def test_a_file_that_changed_long_ago_is(self, tmp_path, monkeypatch, cache):
        path = write(tmp_path, a="x") / "a"
        later = time.time_ns() + 3 * 10**9
        monkeypatch.setattr(files.time, "time_ns", lambda: later)
        file_hash(path)
        assert cache.exists()

    def test_a_file_that_changes_while_it_is_read_is_not_remembered(
        self, tmp_path, settled, monkeypatch, cache
    ):
        path = write(tmp_path, a="x") / "a"
        digest = files.file_digest

        def slow(file, name):
            found = digest(file, name)
            path.write_text("changed meanwhile")
            return found

        monkeypatch.setattr(files, "file_digest", slow)
        file_hash(path)
        assert not cache.exists()

    def test_a_damaged_cache_is_read_as_far_as_it_goes(self, tmp_path, settled, reads, cache):
        path = write(tmp_path, a="x", b="y") / "a"
        file_hash(path)
        good = cache.read_bytes()
        damage = b'\x00\xff[1,2,"x"]\n[1,2,3,4,5,"short"]\nnull\n' + good[:20]
        cache.write_bytes(damage + b"\n" + good + b"[1,2,")
        hashcache._known.clear()
        file_hash(path)
        assert len(reads) == 1
        file_hash(tmp_path / "b")
        hashcache._known.clear()
        assert file_hash(tmp_path / "b") == hashlib.sha256(b"y").hexdigest()

    def test_a_place_that_cannot_be_written_is_no_error(self, tmp_path, settled, monkeypatch):
        write(tmp_path, a="x", blocked="a file where a folder should be")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "blocked"))
        assert file_hash(tmp_path / "a") == hashlib.sha256(b"x").hexdigest()

    def test_it_does_not_grow_without_bounds(self, tmp_path, settled, monkeypatch, cache):
        monkeypatch.setattr(hashcache, "_MAX_BYTES", 2000)
        for i in range(100):
            file_hash(write(tmp_path, **{f"f{i}": str(i)}) / f"f{i}")
        assert cache.stat().st_size < 2500
        assert sorted(cache.parent.iterdir()) == [cache]

    def test_many_writers_at_once_lose_no_line(self, tmp_path, settled, cache):
        names = [f"f{i}" for i in range(64)]
        write(tmp_path, **{name: name for name in names})

        def work(some):
            for name in some:
                file_hash(tmp_path / name)

        threads = [threading.Thread(target=work, args=(names[i::4],)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(hashcache._read(cache)) == 64

    def test_two_processes_share_it(self, tmp_path, cache):
        path = write(tmp_path, a="x") / "a"
        code = (
            "import sys; from metalab.identity import files; files._SETTLED_NS = -10**18; "
            "print(files.file_hash(sys.argv[1]))"
        )
        for _ in range(2):
            subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True)
        assert cache.read_text().count("\n") == 1

    def test_without_a_change_time_nothing_is_remembered(
        self, tmp_path, settled, monkeypatch, cache
    ):
        monkeypatch.setattr(hashcache, "_HAS_CHANGE_TIME", False)
        file_hash(write(tmp_path, a="x") / "a")
        assert not cache.exists()

    @pytest.mark.parametrize(
        ("platform", "variable", "place"),
        [
            ("linux", "XDG_CACHE_HOME", "metalab/file-hashes.jsonl"),
            ("win32", "LOCALAPPDATA", "metalab/file-hashes.jsonl"),
            ("darwin", "HOME", "Library/Caches/metalab/file-hashes.jsonl"),
        ],
    )
    def test_it_lies_where_the_platform_keeps_caches(
        self, tmp_path, monkeypatch, platform, variable, place
    ):
        monkeypatch.setattr(hashcache.sys, "platform", platform)
        monkeypatch.setenv(variable, str(tmp_path))
        assert hashcache.cache_file() == Path(tmp_path, place)
