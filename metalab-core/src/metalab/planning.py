"""Plans: an experiment's runs as an indexable sequence, and what is left of it to do."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, overload

import attrs

from metalab.context import FrozenContext, freeze
from metalab.experiment import Experiment
from metalab.identity.canonical import fingerprint
from metalab.identity.runs import RunIdentity, seed_fingerprint
from metalab.params.algebra import Source
from metalab.params.resolver import with_resolver
from metalab.seeds import SeedBundle
from metalab.standing import Standing, standing

if TYPE_CHECKING:
    from metalab.identity.code import CodeFingerprint
    from metalab.params.base import ParamCase, ParamSource

__all__ = ["Plan", "RunSpec", "check_experiment", "make_plan"]

_ID_BYTES = 16
_MOST_RUNS = 1 << 32


@attrs.frozen
class RunSpec:
    """One run of a plan: all that its worker needs beside the experiment itself."""

    index: int
    run_id: str
    case: ParamCase
    seeds: SeedBundle
    params_fingerprint: str
    seed_fingerprint: str


@attrs.frozen(eq=False)
class RunIds(Sequence[str]):
    """The ids of a plan's runs in order, 16 bytes each."""

    packed: bytes | memoryview = attrs.field(repr=False)

    def __len__(self) -> int:
        return len(self.packed) // _ID_BYTES

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return the id at an index as 32 hex digits; a slice gives a list."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.at(range(len(self))[index])

    def at(self, index: int) -> str:
        """Return the id at an index that is known to be within bounds."""
        start = index * _ID_BYTES
        return self.packed[start : start + _ID_BYTES].hex()

    def __iter__(self) -> Iterator[str]:
        """Yield the ids in order."""
        text = self.packed.hex()
        width = 2 * _ID_BYTES
        return (text[i : i + width] for i in range(0, len(text), width))


@attrs.frozen(eq=False)
class Plan(Sequence[RunSpec]):
    """Every run of an experiment, params outer and replicates inner, equal points once.

    A run is made from its index alone, so a plan of a million runs holds their ids and no
    params. ``points`` holds the indices into ``cases`` that are no duplicates.
    """

    experiment: Experiment
    context: FrozenContext
    standing: Standing
    identity: RunIdentity = attrs.field(repr=False)
    cases: ParamSource = attrs.field(repr=False)
    points: Sequence[int] = attrs.field(repr=False)
    ids: RunIds = attrs.field(repr=False)
    digest: str

    @property
    def experiment_id(self) -> str:
        """The experiment's name and version."""
        return self.experiment.experiment_id

    @property
    def code(self) -> CodeFingerprint:
        """The fingerprint of the operation's code."""
        return self.standing.code

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> RunSpec: ...
    @overload
    def __getitem__(self, index: slice) -> list[RunSpec]: ...
    def __getitem__(self, index: int | slice) -> RunSpec | list[RunSpec]:
        """Return one run, or a list of them for a slice; IndexError beyond the end."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0 or index >= len(self.ids.packed) // _ID_BYTES:
            index = range(len(self))[index]
        experiment = self.experiment
        point, replicate = divmod(index, experiment.seeds.replicates)
        case = self.cases[self.points[point]]
        bundle, seed = _seeds(experiment.seeds.base_seed, replicate)
        params = _params_fingerprint(case, experiment.defaults)
        return RunSpec(index, self.ids.at(index), case, bundle, params, seed)

    @property
    def is_steady(self) -> bool:
        """Whether it is known that the params of a run are the same whenever they are made."""
        return getattr(self.cases, "steady", False)

    def confirms(self, run: RunSpec) -> bool:
        """Tell whether the params of a run still are those that its id was made from.

        They are not where a source or a resolver gives something else each time it is asked,
        or where a file among the params has changed.
        """
        if self.is_steady:
            return True
        ids = self.identity.run_ids(run.params_fingerprint, (run.seeds.replicate_index,))
        return next(ids) == run.run_id

    def manifest(self) -> dict[str, Any]:
        """Describe the experiment, its context and its code as strict JSON."""
        manifest = self.experiment.to_manifest(self.context)
        return {
            **manifest,
            "operation": {**manifest["operation"], "captured": self.standing.captured},
            "code": attrs.asdict(self.code),
            "plan": {"digest": self.digest, "runs": len(self)},
        }


def check_experiment(experiment: object, caller: str) -> None:
    """Refuse what is no experiment; raises TypeError."""
    if not isinstance(experiment, Experiment):
        raise TypeError(
            f"{caller}() takes a metalab.Experiment, not a {type(experiment).__name__}; "
            "put the operation, its params and its seeds into one"
        )


def make_plan(experiment: Experiment) -> Plan:
    """Plan an experiment: hash its context and give every run its id; nothing is executed.

    Raises FileNotFoundError for a file of the context that is missing, IdentityError,
    naming the place, for a value that has no identity, and ValueError if there are no runs.
    """
    _check_size(len(experiment.params), experiment.seeds.replicates)
    context = freeze(experiment.context)
    stands = standing(experiment.operation)
    cases = _resolved(experiment, context)
    identity = RunIdentity(
        experiment.name,
        experiment.version,
        f"{experiment.operation.name}\n{stands.captured}",
        context.fingerprint,
        experiment.seeds.base_seed,
    )
    points, packed = _identify(experiment, cases, identity)
    if not points:
        raise ValueError(
            f"{experiment.experiment_id} has no runs: its params {experiment.params!r} have no "
            "points; a filter or a slice may have left none"
        )
    return Plan(
        experiment,
        context,
        stands,
        identity,
        cases,
        points,
        RunIds(packed),
        hashlib.blake2b(packed, digest_size=16).hexdigest(),
    )


def _check_size(points: int, replicates: int) -> None:
    if points * replicates > _MOST_RUNS:
        gigabytes = points * replicates * _ID_BYTES >> 30
        raise ValueError(
            f"{points:,} points of {replicates:,} replicates are more runs than one plan holds: "
            f"their ids alone would take {gigabytes:,} GiB; split the experiment"
        )


def _resolved(experiment: Experiment, context: FrozenContext) -> ParamSource:
    if experiment.param_resolver is None:
        return experiment.params
    return with_resolver(experiment.params, experiment.param_resolver, context.spec)


def _identify(
    experiment: Experiment, cases: ParamSource, identity: RunIdentity
) -> tuple[Sequence[int], bytes]:
    replicates = [bundle.replicate_index for bundle in experiment.seeds]
    fingerprints = _params_fingerprints(cases, experiment.defaults)
    points: Sequence[int] = range(len(cases))
    # A source that knows its points to differ saves the memory of remembering them.
    if experiment.defaults or not getattr(cases, "distinct", False):
        points = array("Q")
        fingerprints = _novel(fingerprints, points)
    packed = bytearray()
    for run_id in identity.pack(fingerprints, replicates):
        packed += run_id
    return points, bytes(packed)


def _novel(fingerprints: Iterable[str], points: array[int]) -> Iterator[str]:
    """Yield each fingerprint once, and note at which point it was met."""
    seen: set[bytes] = set()
    for point, params in enumerate(fingerprints):
        packed = bytes.fromhex(params)
        if packed not in seen:
            seen.add(packed)
            points.append(point)
            yield params


@lru_cache(maxsize=1024)
def _seeds(base_seed: int, replicate: int) -> tuple[SeedBundle, str]:
    # Every point of a sweep has the same replicates.
    bundle = SeedBundle(base_seed, replicate)
    return bundle, seed_fingerprint(bundle.root_seed, bundle.replicate_index)


def _params_fingerprints(cases: ParamSource, defaults: Mapping[str, Any]) -> Iterator[str]:
    if not defaults and isinstance(cases, Source):
        return cases.case_ids()
    return (_params_fingerprint(case, defaults) for case in cases)


def _params_fingerprint(case: ParamCase, defaults: Mapping[str, Any]) -> str:
    if not defaults:
        return case.case_id
    told = {
        name: value
        for name, value in case.params.items()
        if name not in defaults
        or fingerprint(value, f"params[{name!r}]") != fingerprint(defaults[name])
    }
    return fingerprint(told, "params")
