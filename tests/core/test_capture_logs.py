"""Logs: lines as they come, of one run only, and other code's loggers left as they were."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import io
import logging
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from metalab.capture import Capture, MemoryWriter, scope, subscriptions
from metalab.errors import CaptureError, StoreError
from metalab.events import EventKind
from metalab.records import RunRecord

RUN = "ab" * 16
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[([A-Za-z0-9 ]{7,})\] \[([^]]+)\] (.*)")


class FullWriter(MemoryWriter):
    def append_log(self, record, text, name="run"):
        raise StoreError("no space left on device")


class ChattyWriter(MemoryWriter):
    """Logs what it does, as a store may."""

    def append_log(self, record, text, name="run"):
        logging.getLogger("some.store").warning("writing %s", text)
        super().append_log(record, text, name)


class Rude:
    def __str__(self):
        raise RuntimeError("no text for you")


def capture_of(run, writer=None, **kwargs):
    return Capture(RunRecord.running(run_id=run), writer or MemoryWriter(), **kwargs)


def lines(capture, name="run"):
    return [
        line for (_, log), found in capture.writer.logs.items() if log == name for line in found
    ]


def messages(capture):
    return [LINE.fullmatch(line)[3] for line in lines(capture)]


@pytest.fixture
def capture(library):
    with capture_of(RUN, worker="thread:0") as capture:
        yield capture


@pytest.fixture
def library():
    """A logger of other code, quiet by default, with a handler of its own."""
    logger = logging.getLogger("tests.library")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.stream = stream
    yield logger
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    logger.propagate = True
    # pytest has handlers of its own here.
    assert not any(isinstance(each, subscriptions._Tap) for each in logger.handlers)


class TestLog:
    def test_writes_time_level_and_logger(self, capture):
        capture.log("hello")
        capture.log("careful", level="warning")
        capture.log("gone", level="CRITICAL")
        capture.log("mine", level=15)
        assert [LINE.fullmatch(line).groups() for line in lines(capture)] == [
            ("INFO   ", "metalab.thread:0", "hello"),
            ("WARNING", "metalab.thread:0", "careful"),
            ("CRITICAL", "metalab.thread:0", "gone"),
            ("Level 15", "metalab.thread:0", "mine"),
        ]

    def test_writes_at_once(self, capture):
        capture.log("one")
        assert messages(capture) == ["one"]

    def test_takes_any_text(self, capture):
        capture.log("100 % of %s")
        capture.log({"a": 1})
        capture.log("")
        capture.log("half a pair: \ud800")
        assert messages(capture) == ["100 % of %s", "{'a': 1}", "", r"half a pair: \ud800"]

    def test_prefixes_every_line(self, capture):
        capture.log("one\ntwo\r\nthree\x85four\u2028five\n")
        assert messages(capture) == ["one", "two", "three", "four", "five"]

    @pytest.mark.parametrize("level", ["loud", "", "notset", 0, -1, True, None, 1.5])
    def test_refuses_an_unknown_level(self, capture, level):
        with pytest.raises(CaptureError, match=r"unknown level .*debug, info, warn"):
            capture.log("hello", level=level)
        with pytest.raises(CaptureError, match="unknown level"):
            capture.subscribe_logger("tests.library", level)
        assert lines(capture) == []

    def test_takes_levels_that_were_added(self, capture):
        logging.addLevelName(25, "NOTICE")
        capture.log("hello", level="notice")
        assert "[NOTICE " in lines(capture)[0]

    def test_that_the_store_does_not_take_fails_the_call(self):
        capture = capture_of(RUN, FullWriter())
        with pytest.raises(
            CaptureError, match=r"capture.log\('hello'\): the store did not take it"
        ):
            capture.log("hello")

    def test_is_told_as_it_happens(self):
        events = []
        capture = capture_of(RUN, emit=events.append, worker="process:3")
        capture.log("one\ntwo", level="error")
        (event,) = events
        assert event.kind is EventKind.LOG
        assert event.run_id == RUN
        assert event.payload == {
            "message": "one\ntwo",
            "level": "ERROR",
            "logger": "metalab.process:3",
        }


class TestLogger:
    def test_keeps_debug(self, capture):
        assert isinstance(capture.logger, logging.Logger)
        assert capture.logger.name.endswith("thread:0")
        capture.logger.debug("x = %d", 1)
        assert "[DEBUG  ] [metalab.thread:0] x = 1" in lines(capture)[0]

    def test_is_one_for_the_whole_run(self, capture):
        assert capture.logger is capture.logger

    def test_keeps_every_line_of_an_exception(self, capture):
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            capture.logger.exception("failed")
        found = messages(capture)
        assert found[:2] == ["failed", "Traceback (most recent call last):"]
        assert found[-1] == "ZeroDivisionError: division by zero"

    def test_keeps_a_message_whose_arguments_do_not_fit(self, capture):
        capture.logger.info("%d", "x")
        capture.logger.info("%s", Rude())
        first, second = messages(capture)
        assert first.startswith("%d (its arguments do not fit: TypeError")
        assert second == "%s (its arguments do not fit: RuntimeError: no text for you)"

    def test_writes_nowhere_else(self, capture, capsys, caplog):
        capture.logger.error("only here")
        assert caplog.records == []
        assert "only here" not in "".join(capsys.readouterr())

    def test_takes_handlers_of_the_operation(self, capture):
        stream = io.StringIO()
        capture.logger.addHandler(logging.StreamHandler(stream))
        capture.logger.info("both")
        assert stream.getvalue() == "both\n"
        assert messages(capture) == ["both"]

    def test_obeys_its_level_at_any_time(self, capture):
        capture.logger.debug("one")
        capture.logger.setLevel("INFO")
        capture.logger.debug("two")
        capture.logger.setLevel("DEBUG")
        capture.logger.debug("three")
        assert messages(capture) == ["one", "three"]

    def test_has_children_in_the_same_log(self, capture):
        capture.logger.setLevel("INFO")
        child = capture.logger.getChild("fit")
        child.info("hello")
        child.debug("unseen")
        assert [LINE.fullmatch(line)[2] for line in lines(capture)] == ["metalab.thread:0.fit"]

    def test_leaves_nothing_behind_in_logging(self):
        logging.getLogger("tests.library")
        gc.collect()
        before = len(logging._handlerList), len(logging.root.manager.loggerDict)
        for _ in range(10):
            with capture_of(RUN) as capture:
                capture.logger.info("hello")
                capture.subscribe_logger("tests.library")
        gc.collect()
        after = len(logging._handlerList), len(logging.root.manager.loggerDict)
        assert after == before

    def test_works_from_any_thread(self, capture):
        thread = threading.Thread(target=capture.logger.info, args=["hello"])
        thread.start()
        thread.join()
        assert messages(capture) == ["hello"]

    def test_trouble_with_the_store_becomes_a_warning(self):
        capture = capture_of(RUN, FullWriter())
        capture.logger.info("hello")
        capture.logger.info("again")
        assert capture.warnings == ["the log lacks lines: no space left on device"]

    def test_lines_of_one_message_stand_together(self, capture):
        def work(mark):
            for _ in range(50):
                capture.logger.info("%s\n%s\n%s", mark, mark, mark)

        threads = [threading.Thread(target=work, args=(mark,)) for mark in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = messages(capture)
        assert len(found) == 300
        assert all(len(set(found[i : i + 3])) == 1 for i in range(0, 300, 3))


class TestSubscription:
    def test_writes_what_the_logger_takes(self, capture, library):
        capture.subscribe_logger("tests.library", "info")
        library.info("seen")
        library.getChild("part").info("seen too")
        library.debug("unseen")
        assert [LINE.fullmatch(line).groups()[1:] for line in lines(capture)] == [
            ("tests.library", "seen"),
            ("tests.library.part", "seen too"),
        ]

    def test_ends_with_the_run_and_leaves_the_logger_as_it_was(self, library):
        handlers = list(library.handlers)
        with capture_of(RUN) as capture:
            capture.subscribe_logger("tests.library", "debug")
            assert library.isEnabledFor(logging.DEBUG)
        assert library.level == logging.WARNING
        assert library.handlers == handlers
        library.error("after")
        assert lines(capture) == []

    def test_ends_with_an_exception_too(self, library):
        capture = capture_of(RUN)
        capture.subscribe_logger("tests.library", "debug")
        with pytest.raises(ZeroDivisionError), capture:
            raise ZeroDivisionError
        assert library.level == logging.WARNING

    def test_ends_even_if_the_last_points_cannot_be_written(self, library):
        class Writer(MemoryWriter):
            def put_series(self, record, name, points):
                raise StoreError("full")

        capture = capture_of(RUN, Writer())
        capture.metric("loss", 1, step=0)
        capture.subscribe_logger("tests.library", "debug")
        with pytest.raises(StoreError):
            capture.finish()
        assert library.level == logging.WARNING
        assert scope._active == set()

    def test_can_be_taken_back(self, capture, library):
        capture.subscribe_logger("tests.library", "debug")
        capture.unsubscribe_logger("tests.library")
        capture.unsubscribe_logger("tests.library")
        capture.unsubscribe_logger("never.subscribed")
        library.error("unseen")
        assert lines(capture) == []
        assert library.level == logging.WARNING

    def test_taking_back_what_never_was_needs_no_log(self, capture):
        capture.unsubscribe_logger("tests.library")
        capture.unsubscribe_output()

    def test_again_changes_the_level(self, capture, library):
        capture.subscribe_logger("tests.library", "error")
        library.warning("unseen")
        capture.subscribe_logger("tests.library", "debug")
        library.debug("seen")
        assert messages(capture) == ["seen"]

    def test_of_a_quiet_level_silences_nothing_for_others(self, capture, library):
        capture.subscribe_logger("tests.library", "error")
        library.warning("to its own handler")
        assert library.stream.getvalue() == "to its own handler\n"
        assert lines(capture) == []

    def test_of_a_logger_without_a_level_of_its_own_is_restored(self):
        logger = logging.getLogger("tests.unset")
        with capture_of(RUN) as capture:
            capture.subscribe_logger("tests.unset", "debug")
            logger.debug("seen")
        assert messages(capture) == ["seen"]
        assert logger.level == logging.NOTSET

    def test_of_the_root_logger_takes_everything(self, capture, library):
        library.propagate = True
        level = logging.root.level
        capture.subscribe_logger("", "warning")
        library.warning("seen")
        capture.unsubscribe_logger("root")
        assert messages(capture) == ["seen"]
        assert logging.root.level == level

    def test_of_two_loggers_on_one_path_writes_a_line_once(self, capture, library):
        capture.subscribe_logger("tests", "info")
        capture.subscribe_logger("tests.library", "error")
        library.propagate = True
        library.error("both")
        library.warning("upper alone")
        logging.getLogger("tests.other").info("upper")
        assert messages(capture) == ["both", "upper alone", "upper"]

    def test_leaves_a_level_that_somebody_else_has_set(self, library):
        with capture_of(RUN) as capture:
            capture.subscribe_logger("tests.library", "debug")
            library.setLevel(logging.ERROR)
            capture.subscribe_logger("tests.library", "info")
            assert library.level == logging.ERROR
        assert library.level == logging.ERROR

    @pytest.mark.parametrize("name", [None, 3])
    def test_of_what_is_no_name_is_refused(self, capture, name):
        with pytest.raises(CaptureError, match="a name is a string"):
            capture.subscribe_logger(name)

    def test_what_the_store_logs_meanwhile_is_no_line(self, library):
        with capture_of(RUN, ChattyWriter()) as capture:
            capture.subscribe_logger("", "info")
            library.propagate = True
            library.warning("hello")
        assert messages(capture) == ["hello"]

    def test_trouble_with_the_store_becomes_a_warning(self, library):
        with capture_of(RUN, FullWriter()) as capture:
            capture.subscribe_logger("tests.library")
            library.warning("hello")
        assert capture.warnings == ["the log lacks lines: no space left on device"]

    def test_that_comes_while_the_run_ends_is_refused(self, library, capture):
        capture.log("hello")
        capture._listening.close()
        with pytest.raises(CaptureError, match="the run has ended"):
            capture.subscribe_logger("tests.library")
        with pytest.raises(CaptureError, match="the run has ended"):
            capture.subscribe_output()

    def test_works_without_a_with_block(self, library):
        capture = Capture()
        capture.subscribe_logger("tests.library")
        library.warning("hello")
        capture.finish()
        assert messages(capture) == ["hello"]
        assert scope._active == set()


class TestConcurrency:
    def test_runs_in_threads_never_mix(self, library):
        """Two runs listen to one logger at different levels, a third does not listen."""
        barrier = threading.Barrier(3)
        captures = {}

        def work(mark, level):
            with capture_of(mark * 32) as capture:
                captures[mark] = capture
                if level:
                    capture.subscribe_logger("tests.library", level)
                barrier.wait()
                for number in range(100):
                    library.info("%s %d", mark, number)
                    library.debug("%s debug", mark)
                barrier.wait()

        threads = [
            threading.Thread(target=work, args=args)
            for args in (("a", "info"), ("b", "debug"), ("c", None))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert messages(captures["a"]) == [f"a {n}" for n in range(100)]
        assert len(messages(captures["b"])) == 200
        assert all(message.startswith("b") for message in messages(captures["b"]))
        assert lines(captures["c"]) == []
        assert library.level == logging.WARNING

    def test_the_level_returns_with_the_last_of_several_runs(self, library):
        first, second = capture_of("a" * 32), capture_of("b" * 32)
        first.subscribe_logger("tests.library", "info")
        second.subscribe_logger("tests.library", "debug")
        assert library.level == logging.DEBUG
        second.finish()
        assert library.level == logging.INFO
        first.finish()
        assert library.level == logging.WARNING

    def test_a_run_within_a_run_has_its_own_lines(self, library):
        with capture_of("a" * 32) as outer:
            outer.subscribe_logger("tests.library")
            library.warning("outer")
            with capture_of("b" * 32) as inner:
                inner.subscribe_logger("tests.library")
                library.warning("inner")
            library.warning("outer again")
        assert messages(outer) == ["outer", "outer again"]
        assert messages(inner) == ["inner"]

    def test_contexts_of_a_run_count_for_it(self, library):
        async def main():
            await asyncio.gather(*(asyncio.to_thread(library.warning, "%d", i) for i in range(3)))

        with capture_of("a" * 32) as capture, ThreadPoolExecutor(1) as pool:
            other = capture_of("b" * 32)
            contextvars.Context().run(other.__enter__)
            capture.subscribe_logger("tests.library")
            asyncio.run(main())
            pool.submit(contextvars.copy_context().run, library.warning, "pool").result()
            other.finish()
        assert sorted(messages(capture)) == ["0", "1", "2", "pool"]
        assert capture.warnings == []

    def test_threads_count_for_the_only_run(self, library):
        with capture_of(RUN) as capture, ThreadPoolExecutor(2) as pool:
            capture.subscribe_logger("tests.library")
            pool.submit(library.warning, "hello").result()
        assert messages(capture) == ["hello"]

    def test_threads_of_nobody_for_certain_are_warned_of(self, library):
        """With several runs at a time, a plain thread's lines go to none, and that is said."""
        with capture_of("a" * 32) as one, ThreadPoolExecutor(1) as pool:
            two = capture_of("b" * 32)
            contextvars.Context().run(two.__enter__)
            one.subscribe_logger("tests.library", "warning")
            pool.submit(library.info, "too quiet for anybody").result()
            assert one.warnings == []
            for _ in range(3):
                pool.submit(library.warning, "whose?").result()
            two.finish()
        assert lines(one) == []
        (warning,) = one.warnings
        assert "'tests.library'" in warning
        assert "capture.logger" in warning

    def test_the_main_thread_is_no_thread_of_a_run_elsewhere(self, library):
        entered, leave = threading.Event(), threading.Event()
        captures = []

        def work():
            with capture_of(RUN) as capture:
                captures.append(capture)
                capture.subscribe_logger("tests.library")
                library.warning("mine")
                entered.set()
                leave.wait()

        thread = threading.Thread(target=work)
        thread.start()
        entered.wait()
        library.warning("of the notebook")
        leave.set()
        thread.join()
        assert messages(captures[0]) == ["mine"]
        assert captures[0].warnings == []

    def test_a_context_of_an_ended_run_counts_no_more(self, library):
        with capture_of("a" * 32):
            context = contextvars.copy_context()
        with capture_of("b" * 32) as capture:
            capture.subscribe_logger("tests.library")
            context.run(library.warning, "late")
        assert lines(capture) == []

    def test_may_be_finished_by_another_thread(self, library):
        capture = capture_of(RUN)
        with ThreadPoolExecutor(1) as pool:
            capture.subscribe_logger("tests.library")
            pool.submit(capture.finish).result()
        library.warning("late")
        assert lines(capture) == []
        assert library.level == logging.WARNING
        assert scope.owner() is None
