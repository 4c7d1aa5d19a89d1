"""What the contract asks of an executor: its capabilities, and the fixtures that name it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from metalab.testing.asking import Asked
from metalab.testing.executor.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from metalab.execution.base import Executor

__all__ = ["Capabilities"]


class Capabilities(Asked):
    """What an executor under test is able to do.

    Every capability is True unless a subclass says otherwise. What is then not asked is
    skipped, and the reason names the attribute; some of it is asked the other way round, as
    that limits are refused.
    """

    can_kill: ClassVar[bool] = True
    """It ends runs that do not cooperate, as ``Executor.can_kill`` says. Otherwise it refuses
    limits of time and memory when a launch is planned."""

    is_detached: ClassVar[bool] = True
    """Its launches go on when the process ends that began them, as ``Executor.is_detached``
    says, and any process can follow and end them."""

    returns_at_once: ClassVar[bool] = True
    """``submit`` returns while the runs go on, so that they can be waited for and cancelled."""

    has_own_processes: ClassVar[bool] = True
    """Runs are executed in other processes than the one that launches them."""

    outlives_its_workers: ClassVar[bool] = True
    """A process that dies under a run costs that run an attempt, and nothing else. Otherwise
    it may end the launch, which says so."""

    knows_who_died: ClassVar[bool] = True
    """The run that its process died under is known at once. Otherwise, as where a pool tells
    no more than that a worker is gone, the first death counts for nobody, and that run is
    begun once more than agreed."""

    cancel_reaches_runs: ClassVar[bool] = True
    """``cancel`` also asks the runs under way to stop, by ``runtime.should_stop``. Otherwise
    they go on to their end, and the tests wait for that."""

    takes_local_operations: ClassVar[bool] = True
    """It executes operations that no import finds: of a script, a notebook, a function.
    Otherwise it refuses them when a launch is planned."""

    owns_its_workers: ClassVar[bool] = True
    """The threads and processes that execute runs are its own, and end with it: after
    ``shutdown``, and when the process that launched them is killed."""

    is_installed: ClassVar[bool] = True
    """A plugin makes it, by its name and options, in scripts as well. Otherwise nothing is asked
    for which another process has to make it."""

    patience: ClassVar[float] = 60.0
    """How many seconds anything may take before it counts as hung.

    Low, such as 10, while an executor is being written: what hangs is then told soon. High for
    a scheduler that looks at its queue now and then.
    """

    preamble: ClassVar[str] = ""
    """Lines of a script that bind ``executor``, for options that have no text, as a pool; by
    default its name and options."""

    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        """Override it: yield a new executor, and shut it down afterwards.

        It is to execute two runs at once at least, if it can.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no fixture `executor`: define one that yields a new "
            "executor, as in `with MyExecutor(workers=2) as made: yield made`"
        )

    @pytest.fixture
    def options(self) -> Mapping[str, Any]:
        """Override it where it needs options: those of ``executor={name: options}``.

        Scripts of the tests make the executor by them, so they are those of ``executor``, which
        may ask for this fixture.
        """
        return {}

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Override it where workers do not see ``tmp_path``: an empty folder that they see."""
        return tmp_path

    @pytest.fixture
    def stage(
        self, executor: Executor, folder: Path, options: Mapping[str, Any]
    ) -> Iterator[Stage]:
        """Where the tests launch experiments; nothing of it is to be overridden."""
        made = Stage(
            executor=executor,
            folder=folder,
            patience=self.patience,
            options=options,
            preamble=self.preamble,
        )
        yield made
        made.clear()
