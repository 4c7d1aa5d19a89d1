"""A forked child and its parent write to files of their own."""

from __future__ import annotations

import os
import signal
import threading
import warnings

from core.store_tools import made, run_id, segments, store_at
from metalab.store.file.writer import _renew_all

_HUNG = 120  # seconds: a child syncs some files, of which a slow disk makes a wait each


class TestForks:
    def test_a_forked_child_writes_to_files_of_its_own(self, tmp_path):
        store = store_at(tmp_path, commit_interval=30)
        acknowledged = []
        with store.writer("w") as writer:
            writer.put(made(0), lambda: acknowledged.append("parent"))
            writer.append_log(made(0), "parent")
            writer.put_artifact(made(0), "a", b"parent", extension="bin")
            name = writer.name
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads
                pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    writer.put(made(1), lambda: acknowledged.append("child"))
                    writer.append_log(made(1), "child")
                    writer.put_artifact(made(1), "a", b"child", extension="bin")
                    writer.flush()
                    renamed = writer.name != name
                    writer.close()
                    status = 0 if renamed and acknowledged == ["child"] else 2
                finally:
                    os._exit(status)
            assert os.waitpid(pid, 0)[1] == 0
            assert writer.name == name
        assert acknowledged == ["parent"]
        assert sorted(store.read()) == [run_id(0), run_id(1)]
        assert store.read().damage == ()
        assert store.get_log(run_id(1)) == "child\n"
        assert len(segments(store)) == 2

    def test_what_a_child_does_at_its_birth_leaves_the_files_behind_as_they_are(self, tmp_path):
        """Without a fork, so that the lines are seen to run."""
        store = store_at(tmp_path)
        writer = store.writer("w")
        for number in range(2):
            writer.put(made(number))
            writer.append_log(made(number), "text")
            writer.put_artifact(made(number), "a", b"x", extension="bin")
            writer.flush()
            before = {path: path.read_bytes() for path in segments(store)}
            _renew_all()
            assert {path: path.read_bytes() for path in segments(store)} == before
        writer.close()
        assert len(segments(store)) == 2
        assert len(store.read()) == 2

    def test_a_fork_while_every_lock_is_held_does_not_hang_the_child(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            writer.put(made(0))
            writer.append_log(made(0), "text")
            writer.put_artifact(made(0), "a", b"x", extension="bin")
            writer.flush()
            with writer._journal._lock, writer._log._lock, writer._pack._changed:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    pid = os.fork()
                if pid == 0:
                    signal.alarm(_HUNG)
                    writer.append_log(made(1), "text")
                    writer.put_artifact(made(1), "a", b"x", extension="bin")
                    writer.put(made(1))
                    writer.close()
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
        assert len(store.read()) == 2

    def test_a_fork_while_another_thread_writes_does_not_hang_the_child(self, tmp_path):
        store = store_at(tmp_path)
        stop = threading.Event()
        with store.writer("w") as writer:

            def work() -> None:
                n = 1000
                while not stop.is_set():
                    writer.put(made(n))
                    n += 1

            thread = threading.Thread(target=work)
            thread.start()
            try:
                for number in range(5):
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", DeprecationWarning)
                        pid = os.fork()
                    if pid == 0:
                        signal.alarm(_HUNG)
                        writer.put(made(number))
                        writer.close()
                        os._exit(0)
                    assert os.waitpid(pid, 0)[1] == 0
            finally:
                stop.set()
                thread.join()
        assert {run_id(n) for n in range(5)} <= set(store.read())
