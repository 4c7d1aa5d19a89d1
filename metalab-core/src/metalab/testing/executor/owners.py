"""Who executes runs, whether they still do, and what they leave of themselves."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from metalab.store import FileStore
from metalab.testing.asking import asked_if
from metalab.testing.executor.capabilities import Capabilities

if TYPE_CHECKING:
    from metalab.testing.executor.stage import Stage

__all__ = ["OwnersContract"]

_NOBODY = "nobody-that-ever-was"


class OwnersContract(Capabilities):
    """The living are not said to be dead, nor the dead to live, and nobody is left behind."""

    @asked_if(returns_at_once=True)
    def test_an_owner_at_work_is_never_said_to_have_ended(self, stage: Stage) -> None:
        handle = stage.launch(stage.acting(4, dict.fromkeys(range(4), "hold")))
        stage.until(stage.began, "a run has begun")
        for owner in _owners(stage):
            assert stage.executor.alive(owner) is not False, (
                f"alive({owner!r}) is False, though its runs are under way"
            )
        store = FileStore(stage.store).scoped("acting:1")
        endings = {each["writer"]: store.ending(each["writer"]) for each in stage.openings()}
        assert set(endings.values()) == {None}, f"writers at work count as ended: {endings}"
        stage.let_go()
        stage.results_of(handle)

    def test_an_owner_that_has_ended_is_never_said_to_run(self, stage: Stage) -> None:
        stage.results(stage.acting(4))
        assert stage.executor.alive(_NOBODY) is not True, (
            f"alive({_NOBODY!r}) is True, though there never was such a worker"
        )
        for owner in _owners(stage):
            stage.until(
                lambda owner=owner: stage.executor.alive(owner) is not True,  # type: ignore[misc]
                f"alive({owner!r}) is True, though its launch is over",
            )
        store = FileStore(stage.store).scoped("acting:1")
        for each in stage.openings():
            stage.until(
                lambda each=each: store.ending(each["writer"]) is not None,  # type: ignore[misc]
                f"the writer {each['writer']} counts as at work, though its launch is over",
            )

    @asked_if(owns_its_workers=True)
    def test_nobody_is_left_once_it_is_shut_down(self, stage: Stage) -> None:
        threads, children = set(threading.enumerate()), _children()
        stage.results(stage.acting(4))
        stage.executor.shutdown()

        def left() -> list[str]:
            new = [each.name for each in threading.enumerate() if each not in threads]
            return [*(f"the thread {name}" for name in new), *(_children() - children)]

        try:
            stage.until(lambda: not left(), "its threads and processes have ended")
        except AssertionError:
            pytest.fail(f"left behind after shutdown: {', '.join(left())}")


def _owners(stage: Stage) -> set[str]:
    return {line["owner"] for line in stage.openings() if line.get("owner")}


def _children() -> set[str]:
    """Describe the children of this process, those included that nobody has waited for."""
    if not sys.platform.startswith("linux"):
        return set()  # elsewhere threads alone are looked for
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words, _, rest = stat.read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        if rest.split()[1] == str(os.getpid()):
            zombie = ", which nobody has waited for" if rest.split()[0] == "Z" else ""
            found.add(f"the process {words})".replace("(", "", 1).rstrip(")") + zombie)
    return found
