"""metalab: an experiment runner. (ContextSpec, Params, SeedBundle) -> RunRecord + Artifacts.

A user writes one function, names its parameters and replicates, and gets every result
exactly once. Importing this package costs next to nothing: each name is imported from its
module when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from metalab._lazy import LAZY, load_lazy

if TYPE_CHECKING:
    from metalab.capture import Capture as Capture
    from metalab.context import (
        ContextSpec as ContextSpec,
        DirPath as DirPath,
        FilePath as FilePath,
        Fingerprintable as Fingerprintable,
        FrozenContext as FrozenContext,
        context_spec as context_spec,
    )
    from metalab.errors import (
        CancelledError as CancelledError,
        CaptureError as CaptureError,
        CodeChangedError as CodeChangedError,
        CodeChangedWarning as CodeChangedWarning,
        IdentityError as IdentityError,
        MetalabError as MetalabError,
        MissingExtraError as MissingExtraError,
        PayloadError as PayloadError,
        PluginError as PluginError,
        RebuildError as RebuildError,
        RunTimeoutError as RunTimeoutError,
        StoreError as StoreError,
        StoreNotFoundError as StoreNotFoundError,
        WorkerDiedError as WorkerDiedError,
    )
    from metalab.events import (
        Event as Event,
        EventCallback as EventCallback,
        EventKind as EventKind,
    )
    from metalab.execution.base import Executor as Executor
    from metalab.execution.futures.executor import FuturesExecutor as FuturesExecutor
    from metalab.execution.handle import RunHandle as RunHandle
    from metalab.execution.inline import InlineExecutor as InlineExecutor
    from metalab.execution.ledger import RunStatus as RunStatus
    from metalab.execution.policy import Retry as Retry
    from metalab.execution.process.executor import ProcessExecutor as ProcessExecutor
    from metalab.execution.thread import ThreadExecutor as ThreadExecutor
    from metalab.experiment import Experiment as Experiment
    from metalab.hookspecs import hookimpl as hookimpl
    from metalab.identity.files import dir_hash as dir_hash, file_hash as file_hash
    from metalab.operation import OperationWrapper as OperationWrapper, operation as operation
    from metalab.params import (
        GridSource as GridSource,
        ManualSource as ManualSource,
        ParamCase as ParamCase,
        ParamResolver as ParamResolver,
        ParamSource as ParamSource,
        RandomSource as RandomSource,
        ResolvedSource as ResolvedSource,
        choice as choice,
        from_frame as from_frame,
        grid as grid,
        loguniform as loguniform,
        loguniform_int as loguniform_int,
        manual as manual,
        randint as randint,
        random as random,
        uniform as uniform,
        with_resolver as with_resolver,
        zip_ as zip_,
    )
    from metalab.progress import (
        MetricDisplay as MetricDisplay,
        Progress as Progress,
        ProgressTracker as ProgressTracker,
        SimpleProgressTracker as SimpleProgressTracker,
        create_progress_tracker as create_progress_tracker,
    )
    from metalab.records import (
        ArtifactDescriptor as ArtifactDescriptor,
        Provenance as Provenance,
        RunRecord as RunRecord,
        Status as Status,
    )
    from metalab.report import PlanReport as PlanReport, plan as plan
    from metalab.results import (
        ExperimentInfo as ExperimentInfo,
        Results as Results,
        Run as Run,
        display_results as display_results,
    )
    from metalab.runner import (
        load_results as load_results,
        reconnect as reconnect,
        retry as retry,
        run as run,
    )
    from metalab.runtime import CancellationToken as CancellationToken, Runtime as Runtime
    from metalab.seeds import SeedBundle as SeedBundle, SeedPlan as SeedPlan, seeds as seeds
    from metalab.store import (
        FileStore as FileStore,
        FileStoreConfig as FileStoreConfig,
        Store as Store,
        StoreConfig as StoreConfig,
    )
    from metalab_postgres import PostgresStoreConfig as PostgresStoreConfig
    from metalab_slurm import (
        SlurmConfig as SlurmConfig,
        SlurmExecutor as SlurmExecutor,
        SlurmRetry as SlurmRetry,
        SlurmRunHandle as SlurmRunHandle,
    )

_MODULES = {
    "metalab.capture": "Capture",
    "metalab.context": ("ContextSpec DirPath FilePath Fingerprintable FrozenContext context_spec "),
    "metalab.errors": (
        "CancelledError CaptureError CodeChangedError CodeChangedWarning IdentityError "
        "MetalabError MissingExtraError PayloadError PluginError RebuildError RunTimeoutError "
        "StoreError StoreNotFoundError WorkerDiedError "
    ),
    "metalab.events": "Event EventCallback EventKind",
    "metalab.execution.base": "Executor",
    "metalab.execution.futures.executor": "FuturesExecutor",
    "metalab.execution.handle": "RunHandle",
    "metalab.execution.inline": "InlineExecutor",
    "metalab.execution.ledger": "RunStatus",
    "metalab.execution.policy": "Retry",
    "metalab.execution.process.executor": "ProcessExecutor",
    "metalab.execution.thread": "ThreadExecutor",
    "metalab.experiment": "Experiment",
    "metalab.hookspecs": "hookimpl",
    "metalab.identity.files": "dir_hash file_hash",
    "metalab.params": (
        "GridSource ManualSource ParamCase ParamResolver ParamSource RandomSource "
        "ResolvedSource choice from_frame grid loguniform loguniform_int manual randint "
        "random uniform with_resolver zip_ "
    ),
    "metalab.progress": (
        "MetricDisplay Progress ProgressTracker SimpleProgressTracker create_progress_tracker "
    ),
    "metalab.records": "ArtifactDescriptor Provenance RunRecord Status",
    "metalab.report": "PlanReport plan",
    "metalab.results": "ExperimentInfo Results Run display_results",
    "metalab.runner": "load_results reconnect retry run",
    "metalab.runtime": "CancellationToken Runtime",
    "metalab.store": "FileStore FileStoreConfig Store StoreConfig",
    "metalab.operation": "OperationWrapper",
    "metalab.seeds": "SeedBundle SeedPlan",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

# These two are modules that can be called, so that both metalab.seeds(...) and
# `from metalab.seeds import SeedBundle` work whichever comes first.
_CALLABLE_MODULES = ("operation", "seeds")

__all__ = [
    "ArtifactDescriptor",
    "CancellationToken",
    "CancelledError",
    "Capture",
    "CaptureError",
    "CodeChangedError",
    "CodeChangedWarning",
    "ContextSpec",
    "DirPath",
    "Event",
    "EventCallback",
    "EventKind",
    "Executor",
    "Experiment",
    "ExperimentInfo",
    "FilePath",
    "FileStore",
    "FileStoreConfig",
    "Fingerprintable",
    "FrozenContext",
    "FuturesExecutor",
    "GridSource",
    "IdentityError",
    "InlineExecutor",
    "ManualSource",
    "MetalabError",
    "MetricDisplay",
    "MissingExtraError",
    "OperationWrapper",
    "ParamCase",
    "ParamResolver",
    "ParamSource",
    "PayloadError",
    "PlanReport",
    "PluginError",
    "ProcessExecutor",
    "Progress",
    "ProgressTracker",
    "Provenance",
    "RandomSource",
    "RebuildError",
    "ResolvedSource",
    "Results",
    "Retry",
    "Run",
    "RunHandle",
    "RunRecord",
    "RunStatus",
    "RunTimeoutError",
    "Runtime",
    "SeedBundle",
    "SeedPlan",
    "SimpleProgressTracker",
    "Status",
    "Store",
    "StoreConfig",
    "StoreError",
    "StoreNotFoundError",
    "ThreadExecutor",
    "WorkerDiedError",
    "__version__",
    "choice",
    "context_spec",
    "create_progress_tracker",
    "dir_hash",
    "display_results",
    "file_hash",
    "from_frame",
    "grid",
    "hookimpl",
    "load_results",
    "loguniform",
    "loguniform_int",
    "manual",
    "operation",
    "plan",
    "randint",
    "random",
    "reconnect",
    "retry",
    "run",
    "seeds",
    "uniform",
    "with_resolver",
    "zip_",
]


def __getattr__(name: str) -> Any:
    if name in _CALLABLE_MODULES:
        return import_module(f"metalab.{name}")
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in LAZY:
        value = load_lazy(name)
    elif name == "__version__":
        value = import_module("importlib.metadata").version("metalab-core")
    else:
        raise AttributeError(f"module 'metalab' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *LAZY})
