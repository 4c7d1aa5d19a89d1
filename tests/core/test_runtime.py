"""What an operation may ask of the place where it runs."""

from __future__ import annotations

import logging
import math
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from metalab.checkpoints import MemoryCheckpoints
from metalab.errors import CancelledError, PayloadError, RunTimeoutError
from metalab.runtime import CancellationToken, Runtime


class TestScratch:
    def test_it_is_an_empty_folder_until_the_runtime_is_closed(self):
        with Runtime() as runtime:
            folder = runtime.scratch_dir
            assert list(folder.iterdir()) == []
            (folder / "sub").mkdir()
            (folder / "sub" / "file").write_text("x")
            assert runtime.scratch_dir == folder
        assert not folder.exists()

    def test_nothing_is_made_unless_asked_for(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with Runtime():
            assert list(tmp_path.iterdir()) == []

    def test_threads_of_one_run_share_it(self):
        with Runtime() as runtime, ThreadPoolExecutor(8) as pool:
            barrier = threading.Barrier(8)

            def ask(_):
                barrier.wait()
                return runtime.scratch_dir

            assert len(set(pool.map(ask, range(8)))) == 1

    def test_runs_have_their_own(self):
        with Runtime() as one, Runtime() as other:
            assert one.scratch_dir != other.scratch_dir

    def test_a_folder_without_permissions_is_removed_all_the_same(self):
        with Runtime() as runtime:
            folder = runtime.scratch_dir
            (folder / "sub").mkdir()
            (folder / "sub" / "f").write_text("x")
            (folder / "sub").chmod(0o500)
        assert not folder.exists()

    def test_after_the_end_there_is_none(self):
        runtime = Runtime()
        runtime.close()
        runtime.close()
        with pytest.raises(RuntimeError, match="the run has ended"):
            _ = runtime.scratch_dir


class TestStopping:
    def test_without_a_token_or_limit_nothing_stops(self):
        runtime = Runtime()
        runtime.check_cancelled()
        assert not runtime.should_stop
        assert runtime.remaining() == math.inf

    def test_a_cancelled_token_stops(self):
        token = CancellationToken()
        runtime = Runtime(token=token)
        assert not runtime.should_stop
        token.cancel()
        token.cancel()
        assert token.cancelled
        assert repr(token) == "CancellationToken(cancelled=True)"
        assert runtime.should_stop
        with pytest.raises(CancelledError, match="the run was cancelled"):
            runtime.check_cancelled()

    @pytest.fixture
    def now(self, monkeypatch):
        """The moment at which a runtime's clock stands still."""
        now = time.monotonic()
        monkeypatch.setattr("metalab.runtime.time", SimpleNamespace(monotonic=lambda: now))
        return now

    def test_a_deadline_stops(self, now):
        runtime = Runtime(deadline=now + 60)
        assert runtime.remaining() == pytest.approx(60)
        runtime.check_cancelled()
        late = Runtime(deadline=now - 1, token=CancellationToken())
        assert late.remaining() == 0
        assert late.should_stop
        with pytest.raises(RunTimeoutError, match="time limit has passed"):
            late.check_cancelled()

    def test_the_end_of_the_place_stops_too_and_is_no_failure_of_the_run(self, now):
        assert Runtime(deadline=now + 60, until=now + 30).remaining() == pytest.approx(30)
        assert Runtime(deadline=now + 30, until=now + 60).remaining() == pytest.approx(30)
        for over in (Runtime(until=now - 1), Runtime(deadline=now + 60, until=now - 1)):
            assert over.should_stop
            assert over.remaining() == 0
            with pytest.raises(CancelledError, match="the time of the place"):
                over.check_cancelled()
        # What came first counts.
        with pytest.raises(RunTimeoutError):
            Runtime(deadline=now - 2, until=now - 1).check_cancelled()


class TestCheckpoints:
    def test_the_last_one_comes_back_as_a_copy(self):
        runtime = Runtime()
        state = {"step": 1}
        runtime.checkpoint({"step": 0})
        runtime.checkpoint(state)
        state["step"] = 2
        assert runtime.restore() == {"step": 1}
        assert runtime.restore() is not runtime.restore()

    def test_without_one_there_is_nothing(self):
        assert Runtime().restore() is None

    def test_a_later_attempt_finds_what_an_earlier_one_kept(self):
        kept = {}
        Runtime(checkpoints=lambda: MemoryCheckpoints(kept)).checkpoint([1, 2])
        later = Runtime(checkpoints=lambda: MemoryCheckpoints(kept, attempt=2))
        assert later.restore() == [1, 2]
        later.checkpoint([3])
        assert Runtime(checkpoints=lambda: MemoryCheckpoints(kept)).restore() == [1, 2]
        assert Runtime(checkpoints=lambda: MemoryCheckpoints(kept, epoch=1)).restore() is None

    def test_nothing_is_opened_before_it_is_wanted(self):
        def refused():
            raise AssertionError("nobody has asked")

        with Runtime(checkpoints=refused) as runtime:
            assert not runtime.should_stop
        assert runtime.checkpoints is None

    def test_what_cannot_be_pickled_is_refused_and_the_last_one_stays(self):
        runtime = Runtime()
        runtime.checkpoint(1)
        with pytest.raises((TypeError, pickle.PicklingError)):
            runtime.checkpoint(threading.Lock())
        assert runtime.restore() == 1

    def test_one_that_the_present_code_cannot_read_is_said_to_be_so(self):
        kept = MemoryCheckpoints()
        kept.keep(b"cgone_module\nThing\n.")
        with pytest.raises(PayloadError, match=r"the code has changed .*metalab rm"):
            Runtime(checkpoints=lambda: kept).restore()

    def test_after_the_run_there_is_none(self):
        runtime = Runtime()
        runtime.close()
        with pytest.raises(RuntimeError, match="the run has ended"):
            runtime.checkpoint(1)


class TestMetadataAndLogger:
    def test_metadata_is_a_copy_of_the_runs_own(self):
        given = {"a": [1]}
        runtime = Runtime(metadata=given)
        runtime.metadata["a"].append(2)
        assert runtime.metadata == {"a": [1, 2]}
        assert given == {"a": [1]}
        assert Runtime().metadata == {}

    def test_the_logger_is_the_one_given(self):
        logger = logging.getLogger("test_runtime")
        assert Runtime(logger).logger is logger
        assert isinstance(Runtime().logger, logging.Logger)
