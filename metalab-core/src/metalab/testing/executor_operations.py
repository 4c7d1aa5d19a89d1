"""What the executor contract executes: experiments whose runs do as they are told.

Workers import this module, so it imports little, and no test library.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalab.experiment import Experiment
from metalab.operation import operation
from metalab.params import grid
from metalab.seeds import seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metalab.capture import Capture
    from metalab.results import Run
    from metalab.runtime import Runtime
    from metalab.seeds import SeedBundle

__all__ = ["acting", "acting_experiment", "doubled", "measured", "measured_experiment", "notes_in"]

_LONGEST = 300.0
_PAUSE = 0.01
_SHORT = 0.1


def measured_experiment(runs: int = 4, replicates: int = 2, **fields: Any) -> Experiment:
    """Return an experiment whose results depend on context, params and seeds alone."""
    described: dict[str, Any] = {
        "name": "measured",
        "version": "1",
        "context": {"scale": 2.5},
        "operation": measured,
        "params": grid(x=list(range(runs)), word=["é", "NaN"]),
        "seeds": seeds(base=11, replicates=replicates),
    }
    return Experiment(**{**described, **fields})


def acting_experiment(
    folder: str | os.PathLike[str],
    runs: int = 6,
    acts: Mapping[int, str] | None = None,
    name: str = "acting",
) -> Experiment:
    """Return an experiment of runs ``x`` = 0, 1, ..., each of which may be told to act.

    ``acts`` are names of ``ACTS`` by run; the others do nothing. In ``folder`` each run leaves
    notes that it began and ended, and held runs look there for a file ``go``.
    """
    told = {str(x): act for x, act in (acts or {}).items()}
    return Experiment(
        name=name,
        version="1",
        context={"folder": str(folder), "acts": told},
        operation=acting,
        params=grid(x=list(range(runs))),
        seeds=seeds(base=3),
    )


@operation
def measured(
    context: Mapping[str, Any], params: Mapping[str, Any], seeds: SeedBundle, capture: Capture
) -> None:
    """Capture something of every kind that follows from what the run was given."""
    rng = seeds.rng("kit")
    capture.metric("y", context["scale"] * params["x"])
    capture.metric("word", params["word"])
    capture.metric("drawn", rng.random())
    capture.metric("seed", str(seeds.seed("other")))
    capture.metric("odd", float("nan"))
    capture.metric("series", params["x"], step=0)
    capture.metric("series", rng.random(), step=1)
    capture.data("structure", {"draws": (rng.random(), params["x"]), "none": None})
    capture.artifact("object", {"x": params["x"], "drawn": rng.random()})


def doubled(run: Run) -> dict[str, float]:
    """Derive a metric from a run of ``measured``."""
    return {"twice": 2 * run.metrics["y"]}


@operation
def acting(
    context: Mapping[str, Any], params: Mapping[str, Any], capture: Capture, runtime: Runtime
) -> dict[str, int]:
    """Note that the run began, do as it is told, and note that it came to its end."""
    folder, x = Path(context["folder"]), params["x"]
    _note(folder, "began", x)
    act = context["acts"].get(str(x))
    if act is not None:
        ACTS[act](folder, x, capture, runtime)
    _note(folder, "ended", x)
    return {"x": x}


def notes_in(folder: str | os.PathLike[str], what: str) -> list[int]:
    """Return the runs that have noted something, as often as each did."""
    return sorted(int(path.name.split("-")[1]) for path in Path(folder).glob(f"{what}-*"))


def _note(folder: Path, what: str, x: int) -> None:
    # A file for each: not every file system that machines share appends a line whole.
    folder.joinpath(f"{what}-{x}-{uuid.uuid4().hex}").touch()


def _raise(_folder: Path, x: int, *_: object) -> None:
    raise ValueError(f"run {x} was told to fail")


def _raise_once(folder: Path, x: int, *_: object) -> None:
    if notes_in(folder, "began").count(x) == 1:
        raise OSError(f"run {x} was told to fail once")


def _exit(*_: object) -> None:
    sys.exit(3)


def _leave(*_: object) -> None:
    os._exit(5)


def _kill(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _last(*_: object) -> None:
    time.sleep(_SHORT)


def _hold(folder: Path, _x: int, _capture: Capture, runtime: Runtime) -> None:
    _wait(folder, lambda: runtime.should_stop)
    runtime.check_cancelled()


def _stubborn(folder: Path, *_: object) -> None:
    _wait(folder, lambda: False)


def _talk(_folder: Path, x: int, capture: Capture, *_: object) -> None:
    for number in range(20):
        capture.log(f"logged-{x}. {number}")
        capture.logger.info("reported-%d. %d", x, number)
        time.sleep(_PAUSE)


def _wait(folder: Path, is_over: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST
    while not (folder / "go").exists() and not is_over():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody has let this run go on")
        time.sleep(_PAUSE)


ACTS: dict[str, Callable[..., None]] = {
    "raise": _raise,
    "raise once": _raise_once,
    "exit": _exit,
    "leave": _leave,
    "kill": _kill,
    "last": _last,
    "hold": _hold,
    "stubborn": _stubborn,
    "talk": _talk,
}
"""What a run can be told to do.

``hold`` goes on until it is let, or until its run is to stop; ``stubborn`` heeds no such wish;
``last`` takes a moment; ``leave`` and ``kill`` end the process without a word.
"""
