"""An executor of a third party, whose launches go on by themselves: a process executes each.

Made of what metalab offers for it alone: a Dispatch, a Trail, and a Pilot. This file is the
plugin, and the program of that process: ``python detached_executor.py FOLDER LOCK``. In the
folder ``lone`` of a launch, the file ``held`` keeps the process from beginning, as a full queue
would, ``silent`` keeps everybody from asking, and ``cancelled`` ends it.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from weakref import WeakKeyDictionary

import metalab
from metalab.errors import MetalabError
from metalab.execution.base import Executor, Submission
from metalab.execution.dispatch import Dispatch
from metalab.execution.payload import packed
from metalab.execution.process.pilot import Notice, Pilot, Terms
from metalab.execution.trail import Trail
from metalab.plugins import EXTENSION_POINTS

_started = []


class LoneExecutor(Executor):
    """Begins one process for each launch, with ``workers`` workers; a ``held`` one waits."""

    name = "lone"
    can_kill = True
    is_detached = True
    jobs_option = "workers"

    def __init__(self, workers=1, held=False):
        self.workers, self.held = workers, held
        self._closed = False
        self._payloads = WeakKeyDictionary()
        self._submissions = []

    @classmethod
    def readiness(cls):
        return True, "it needs nothing but processes"

    def admit(self, plan, metrics, retry, limits):
        self._payloads[plan] = packed(plan, metrics, retry, limits)

    def submit(self, batch):
        if self._closed:
            raise RuntimeError("this LoneExecutor was shut down; make a new one")
        plan = self._payloads.pop(batch.plan, None)
        if plan is None:
            plan = packed(batch.plan, batch.derived_metrics, batch.retry, batch.limits)
        dispatch = Dispatch.keep(batch, plan, self.name, {"workers": self.workers})
        _place(dispatch).mkdir()
        if self.held:
            (_place(dispatch) / "held").touch()
        _begin(dispatch)
        return self.reattach(dispatch, batch)

    def reattach(self, dispatch, batch):
        self._submissions.append(LoneSubmission(self, dispatch, batch))
        return self._submissions[-1]

    def is_under_way(self, dispatch):
        if (_place(dispatch) / "silent").exists():
            return None
        with (_place(dispatch) / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def describe(self, dispatch):
        is_there = self.is_under_way(dispatch)
        held = (_place(dispatch) / "held").exists()
        running = "its process waits (Held)" if held else "its process runs"
        words = {None: "nobody can be asked", True: running, False: "its process has ended"}
        return {"words": [words[is_there]], "under_way": is_there}

    def cancel(self, dispatch):
        (_place(dispatch) / "cancelled").touch()
        if self.is_under_way(dispatch) is None:
            raise MetalabError("nobody can be asked; it ends by itself")

    def outputs(self, dispatch):
        return sorted(_place(dispatch).glob("*.log"))

    def shutdown(self, *, wait=True):
        self._closed = True
        for submission in self._submissions if wait else ():
            submission.wait()


class LoneSubmission(Submission):
    is_detached = True

    def __init__(self, executor, dispatch, batch):
        self._executor, self._dispatch, self._batch = executor, dispatch, batch
        self._done = threading.Event()
        self._error = None
        threading.Thread(target=self._follow, daemon=True).start()

    def announcement(self):
        return f"a process of its own ({self._dispatch.launch})"

    def wait(self, timeout=None):
        return self._done.wait(timeout)

    def cancel(self):
        self._executor.cancel(self._dispatch)

    def error(self):
        return self._error

    def secure(self):
        pass

    def _follow(self):
        trail = Trail(self._batch)
        try:
            is_there = True
            while is_there is not False:
                is_there = self._executor.is_under_way(self._dispatch)
                trail.look()
                if not (trail.left or trail.underived()):
                    break
                time.sleep(0.05)
        except BaseException as error:  # noqa: BLE001  whoever waits is told
            self._error = error
        finally:
            self._batch.ledger.finish()
            self._done.set()


def _place(dispatch):
    return dispatch.folder / "lone"


def _begin(dispatch):
    # The lock is the process's, which has it open, and nobody's once it is gone.
    with (_place(dispatch) / "lock").open("w") as lock, _log(dispatch).open("a") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        descriptor = lock.fileno()
        process = subprocess.Popen(
            [sys.executable, __file__, str(dispatch.folder), str(descriptor)],
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        (_place(dispatch) / "pid").write_text(str(process.pid))
        _started.append(process)
        # Whoever begins a process has to wait for it, or something of it stays.
        threading.Thread(target=process.wait, daemon=True).start()


def _log(dispatch):
    return _place(dispatch) / "1.log"


def _asked(place):
    return lambda: Notice("cancelled", 5.0) if (place / "cancelled").exists() else None


def _main(folder, lock):
    os.set_inheritable(lock, False)
    dispatch = Dispatch.of(folder)
    place = _place(dispatch)
    asked = _asked(place)
    while (place / "held").exists() and not asked():
        time.sleep(0.02)
    terms = Terms(
        workers=dispatch.options["workers"],
        margin=2.0,
        owner=str(os.getpid()),
        label="lone:1",
    )
    if not asked():
        sys.stdout.write(f"{Pilot(dispatch, terms, asked).run()}\n")


def end_processes():
    """End what this process has begun."""
    while _started:
        process = _started.pop()
        process.kill()
        process.wait()


def install(folder):
    """Install the plugin in a folder, as an installer would; it is to stand on the path."""
    info = folder / "lone-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text("[metalab.executors]\nlone = detached_executor\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lone\nVersion: 1.0\n")
    return f"{folder}{os.pathsep}{Path(__file__).parent}"


def forget_plugins():
    """Read what is installed again."""
    for point in EXTENSION_POINTS:
        point.forget()


@metalab.hookimpl
def metalab_make_executor(options):
    return LoneExecutor(**options)


@metalab.hookimpl
def metalab_executor_class():
    return LoneExecutor


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
