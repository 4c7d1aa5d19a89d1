"""optuna: a grid of trials, kept in a journal file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
from optuna.storages.journal import JournalFileBackend

from benchmarks.peers.common import operation
from benchmarks.work import Work, sweep

if TYPE_CHECKING:
    from collections.abc import Callable

optuna.logging.set_verbosity(optuna.logging.WARNING)


def run(work: Work) -> Callable[[], int]:
    """Do the trials that are missing."""
    space = sweep(work.runs)

    def objective(trial: optuna.Trial) -> float:
        return operation(**{name: trial.suggest_categorical(name, space[name]) for name in space})

    def phase() -> int:
        study = _study(work)
        missing = work.runs - len(study.trials)
        if missing:
            study.optimize(objective, n_trials=missing)
        return len(study.trials)

    return phase


def frame(work: Work) -> Callable[[], int]:
    """Ask the study for a frame of its trials."""
    return lambda: len(_study(work).trials_dataframe())


def _study(work: Work) -> optuna.Study:
    work.folder.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(work.folder / "journal"))),
        study_name="sweep",
        sampler=optuna.samplers.GridSampler(sweep(work.runs), seed=0),
        load_if_exists=True,
    )
