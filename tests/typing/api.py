"""The public API as its users write it; type checkers read this file, nothing runs it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import metalab
from metalab.seeds import SeedBundle, SeedPlan
from metalab.store import FileStore, PostgresStore, StoreConfig, parse_to_config
from metalab.types import Metric, Provenance, RunRecord, Status

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence

    from metalab.params import ParamCase
    from metalab.results.aggregates import Groups
    from metalab.results.differences import Change, Differences
    from metalab.results.pivot import Pivot


@metalab.context_spec
class Study:
    data: metalab.FilePath
    folder: metalab.DirPath
    scale: float = 1.0


@metalab.operation
def bare(
    context: Study, params: Mapping[str, Any], seeds: SeedBundle, capture: metalab.Capture
) -> None:
    rng = seeds.rng("noise")
    score: float = rng.random() * params["scale"] * context.scale
    capture.metric("score", score)
    capture.metric("score", score, step=1)
    capture.log_metrics({"a": 1, "b": 0.5, "c": True})
    capture.data("table", [{"x": 1}], metadata={"unit": "m"})
    kept: metalab.ArtifactDescriptor = capture.artifact("text", "hello", format="text")
    capture.file("raw", Path("raw.bin"))
    capture.log(kept.uri, level="debug")
    logger: logging.Logger = capture.logger
    logger.info("done")


@metalab.operation()
def called(params: dict[str, Any], runtime: metalab.Runtime) -> dict[str, float]:
    runtime.check_cancelled()
    scratch: Path = runtime.scratch_dir
    left: float | None = runtime.remaining()
    return {"left": left or 0.0, "files": float(len(list(scratch.iterdir())))}


@metalab.operation(name="renamed")
def named(params: dict[str, Any]) -> RunRecord:
    return RunRecord.success(metrics={"x": params["x"]})


wrapper: metalab.OperationWrapper = bare
plan: SeedPlan = metalab.seeds(base=1, replicates=3)
first: SeedBundle = plan[0]
number: int = first.derive("default")

grid = metalab.grid(scale=[0.1, 1.0], mode=["a", "b"])
trials = metalab.random(
    space={
        "lr": metalab.loguniform(1e-5, 1e-1),
        "width": metalab.loguniform_int(1, 100),
        "depth": metalab.randint(1, 4),
        "dropout": metalab.uniform(0, 1),
        "model": metalab.choice(["a", "b"]),
    },
    n_trials=10,
    seed=0,
)
cases = metalab.manual([{"scale": 1.0}], tags=["mine"])
together = (grid + cases) * metalab.zip_(a=[1, 2], b=[3, 4])
case: ParamCase = together[0]
few = together.filter(lambda params: params["a"] == 1)
resolved = metalab.with_resolver(few, lambda context_meta, params: {**params, "c": 1})
count: int = len(resolved)

experiment = metalab.Experiment(
    name="api",
    version="1",
    context=Study(data=metalab.FilePath("a.csv"), folder=metalab.DirPath("b"), scale=2.0),
    operation=bare,
    params=grid,
    seeds=plan,
    description="what users write",
    tags=["typed"],
    metadata={"who": "me"},
    defaults={"mode": "a"},
)
identifier: str = experiment.experiment_id


def listen(event: metalab.Event) -> None:
    if event.kind is metalab.EventKind.RUN_FAILED:
        print(event.run_id, event.payload["error"])


def above(run: metalab.Run) -> dict[str, Any]:
    return {"above": run.metrics["score"] > 1}


report: metalab.PlanReport = metalab.plan(experiment, "experiments")
handle: metalab.RunHandle = metalab.run(
    experiment,
    store=Path("experiments"),
    executor=metalab.ThreadExecutor(max_workers=2),
    resume=True,
    progress=metalab.Progress(metrics=["score", metalab.MetricDisplay("loss", show="min")]),
    on_event=listen,
    derived_metrics=[above, "module:function"],
    on_code_change="keep",
    on_failure="stop",
)
metalab.run(experiment, executor="inline", store=FileStore("experiments"))
metalab.run(experiment, executor={"thread": {"max_workers": 2}}, on_failure=3)
again: metalab.RunHandle = metalab.retry(
    Path("experiments"),
    "api:1",
    where="error ~= 'memory' and scale > 1",
    run_ids=["0123abcd"],
    executor="thread",
    progress=False,
    on_event=listen,
    on_code_change="keep",
    on_failure=3,
)
status: metalab.RunStatus = handle.status
pending: int = status.pending
results: metalab.Results = handle.result(timeout=10)

with ThreadPoolExecutor(2) as threads:
    metalab.run(experiment, executor=metalab.FuturesExecutor(threads, workers=2))
with metalab.InlineExecutor() as executor:
    general: metalab.Executor = executor

loaded: metalab.Results = metalab.load_results("experiments", "api:1")
run: metalab.Run = loaded[0]
runs: list[metalab.Run] = loaded.runs
some: metalab.Results = loaded.filter(status=Status.SUCCESS, scale=1.0)
head: metalab.Results = loaded[:10]
params: dict[str, Any] = run.params
metrics: dict[str, Metric] = run.metrics
series: list[tuple[int | float, Any]] = run.series("score")
replicate: int | None = run.replicate
made: Provenance = run.provenance
patch: bytes | None = run.patch()
differences: Differences = run.diff(runs[1])
changes: tuple[Change, ...] = differences.packages
are_different: bool | None = differences.are_different
manifest: Mapping[str, Any] = run.manifest
path: Path = loaded.to_csv("out.csv")
columns: dict[str, Sequence[Any]] = loaded.to_dict(include_record=False)
parquet: Path = loaded.to_parquet("out.parquet", columns=["acc"])
loaded.to_arrow(include_params=False)  # pyright: ignore[reportUnknownMemberType]  # untyped
width: int = loaded.to_polars().width
by_rate: Pivot = loaded.pivot("lr", ["model"], "acc", aggregate="median")
loaded.display(group_by=["scale"])
rows: int = len(loaded.to_dataframe(include_record=False))

config: StoreConfig = parse_to_config("experiments")
scoped: metalab.Store = config.for_experiment("api:1")
record: RunRecord | None = scoped.get_run_record(run.run_id)

later = PostgresStore("postgresql://localhost/db", file_root="experiments")
cluster = metalab.SlurmExecutor(metalab.SlurmConfig(partition="gpu"))

capture = metalab.Capture()
bare(params={"scale": 1.0}, seeds=SeedBundle(1, 0), capture=capture, context=experiment.context)
score = capture.metrics["score"]


@metalab.hookimpl
def metalab_make_executor(name: str, options: Mapping[str, Any]) -> metalab.Executor:
    return metalab.ThreadExecutor(**options)


loaded.compute_derived(
    [above, "module:function"], overwrite=True, progress=False, workers=2, timeout=60
)
groups: Groups = loaded.aggregate("score", interval="bootstrap", resamples=999, seed=1)
page: Path = loaded.report("report.html", title="api", metric="score", mode="max", max_runs=10)
