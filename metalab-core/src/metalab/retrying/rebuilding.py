"""Rebuilding: the plan of stored runs made again, with the very ids that are stored."""

from __future__ import annotations

from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

from metalab.context import thaw
from metalab.errors import MetalabError, RebuildError
from metalab.experiment import Experiment
from metalab.identity.names import resolve
from metalab.identity.values import from_jsonable
from metalab.operation import OperationWrapper
from metalab.params.manifest import source_from_manifest
from metalab.planning import make_plan
from metalab.retrying.differences import differences
from metalab.retrying.modules import modules_of
from metalab.script import experiments_of
from metalab.seeds import SeedPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from metalab.planning import Plan
    from metalab.retrying.origin import Origin

__all__ = ["experiment_of", "plan_again"]


def plan_again(origin: Origin) -> Plan:
    """Plan again what an origin's launch planned.

    An experiment at the top level of the user's files that has the same runs is taken as it
    is; else one is made from the manifest. Raises RebuildError that says why neither can
    be, or which part of the experiment is another one now.
    """
    reasons: list[str] = []
    for make in _makers(origin):
        try:
            plan = make_plan(make())
        except (MetalabError, OSError, ValueError) as error:
            reasons.append(f"{error}{_advice(origin, error)}")
            continue
        if plan.digest == origin.digest:
            return plan
        reasons.append(differences(origin.manifest, plan.manifest()))
    raise RebuildError(
        f"the runs of {origin.experiment_id} cannot be planned again as they are stored: "
        f"{'; '.join(dict.fromkeys(reasons))}. Nothing is executed; metalab run FILE executes "
        "the experiment as it is now"
    )


def _makers(origin: Origin) -> Iterator[Callable[[], Experiment]]:
    for module in modules_of(origin):
        for experiment in experiments_of(module).values():
            if experiment.experiment_id == origin.experiment_id:
                yield partial(_itself, experiment)
        yield partial(experiment_of, origin.manifest)


def _itself(experiment: Experiment) -> Experiment:
    return experiment


def _advice(origin: Origin, error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and origin.directory is not None:
        return f" (relative paths are those of {origin.directory})"
    return ""


def experiment_of(manifest: Mapping[str, Any]) -> Experiment:
    """Make an experiment from its manifest and from the modules that are loaded.

    Raises RebuildError, ValueError or IdentityError for what has no name that leads to it,
    such as a lambda, and for values of which the manifest holds the hash alone.
    """
    return Experiment(
        name=manifest["name"],
        version=manifest["version"],
        context=thaw(manifest["context"]),
        operation=_operation(manifest["operation"]),
        params=source_from_manifest(manifest["params"]),
        seeds=SeedPlan.from_manifest_dict(manifest["seeds"]),
        description=manifest["description"],
        tags=manifest["tags"],
        param_resolver=_resolver(manifest["param_resolver"]),
        metadata=from_jsonable(manifest["metadata"], strict=True),
        defaults=from_jsonable(manifest["defaults"], strict=True),
        allow_pickle=manifest["allow_pickle"],
    )


def _operation(document: Mapping[str, Any]) -> OperationWrapper:
    ref, name = document["ref"], document["name"]
    found = resolve(ref)
    function = found.function if isinstance(found, OperationWrapper) else found
    if not isinstance(function, FunctionType):
        inside = "it is defined inside a function" if "<locals>" in ref else "there is none now"
        raise RebuildError(f"the operation {ref} cannot be found by its name: {inside}")
    if isinstance(found, OperationWrapper) and found.name == name:
        return found
    return OperationWrapper(function, name)


def _resolver(document: Any) -> Any:
    if document is None:
        return None
    if not isinstance(document, str):
        return from_jsonable(document, strict=True)
    found = resolve(document)
    if found is None:
        raise RebuildError(f"the param resolver {document} is no function that can be imported")
    return found
