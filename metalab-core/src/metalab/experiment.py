"""Experiments: one operation, with its context, params and replicates, under a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from metalab.identity.canonical import canonical_bytes
from metalab.identity.values import to_jsonable
from metalab.operation import OperationWrapper
from metalab.params.algebra import Source
from metalab.params.base import ParamSource, own
from metalab.params.manifest import described_callable
from metalab.params.resolver import Resolver, checked_resolver
from metalab.params.words import checked_name, checked_text, shown
from metalab.seeds import SeedBundle, SeedPlan

if TYPE_CHECKING:
    from metalab.context import FrozenContext

__all__ = ["Experiment"]


def _text(what: str, value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {value!r}; did you mean {what}={str(value)!r}?")
    if not value.strip():
        raise ValueError(f"{what} is empty; give the experiment one")
    if not value.isprintable():
        raise ValueError(f"{what}={value!r} holds a character that cannot be printed")
    return str(value)


def _checked_experiment_name(value: str) -> str:
    name = _text("name", value)
    if ":" in name:
        raise ValueError(f"name={name!r} holds a ':', which stands between name and version")
    return name


def _checked_version(value: str) -> str:
    return _text("version", value)


def _checked_context(value: Any) -> Any:
    if isinstance(value, type):
        raise TypeError(
            f"context is the class {value.__name__}; did you mean {value.__name__}(...)?"
        )
    return value


def _checked_operation(value: OperationWrapper) -> OperationWrapper:
    if isinstance(value, OperationWrapper):
        return value
    if callable(value):
        name = getattr(value, "__name__", repr(value))
        raise TypeError(f"operation={name} is not decorated; write @metalab.operation above it")
    raise TypeError(
        f"operation is a function decorated with @metalab.operation, not {shown(value)}"
    )


def _checked_params(value: ParamSource) -> ParamSource:
    if isinstance(value, ParamSource) and not isinstance(value, type):
        return value
    text = shown(value)
    meant = "metalab.grid(...) or metalab.manual([...])"
    if isinstance(value, Mapping):
        meant = f"metalab.grid(**{text}), or metalab.manual([{text}]) for one point"
    elif isinstance(value, list | tuple):
        meant = f"metalab.manual({text})"
    raise TypeError(f"params is a param source, not {text}; did you mean {meant}?")


def _checked_seeds(value: SeedPlan) -> SeedPlan:
    if isinstance(value, SeedPlan):
        return value
    meant = "metalab.seeds(base=0)"
    if isinstance(value, int) and not isinstance(value, bool):
        meant = f"metalab.seeds(base={value})"
    elif isinstance(value, SeedBundle):
        meant = f"metalab.seeds(base={value.root_seed})"
    raise TypeError(f"seeds is a SeedPlan, not {shown(value)}; did you mean {meant}?")


def _checked_description(value: str | None) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return checked_text(value, "description")
    raise TypeError(f"description is a str, not {shown(value)}")


def _checked_tags(value: Iterable[str]) -> list[str]:
    if isinstance(value, str):
        raise TypeError(f"tags is a list; did you mean tags=[{value!r}]?")
    if not isinstance(value, list | tuple):
        raise TypeError(f"tags is a list of str, not {shown(value)}")
    for place, tag in enumerate(value):
        if not isinstance(tag, str):
            raise TypeError(f"tags[{place}] is a str, not {shown(tag)}")
    return [checked_text(tag, f"tags[{place}]") for place, tag in enumerate(value)]


def _checked_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError(f"allow_pickle is True or False, not {shown(value)}")


def _checked_metadata(value: Mapping[str, Any]) -> dict[str, Any]:
    metadata = _named("metadata", value)
    to_jsonable(metadata, "metadata", exact=True)
    return metadata


def _checked_defaults(value: Mapping[str, Any]) -> dict[str, Any]:
    defaults = _named("defaults", value)
    for name, default in defaults.items():
        canonical_bytes(default, f"defaults[{name!r}]")
    return defaults


def _named(what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} is a dict of values by name, not {shown(value)}")
    return {checked_name(name, what): own(item) for name, item in value.items()}


def _checked_resolver(value: Resolver | None) -> Resolver | None:
    return None if value is None else checked_resolver(value)


@attrs.frozen(eq=False)
class Experiment:
    """What is run: the operation, at every point of ``params``, for every replicate of ``seeds``.

    The operation receives ``context`` itself. ``tags`` reach every record. ``param_resolver``
    makes the params that the operation receives from those of each point. ``metadata`` is
    kept and handed to the operation, and is no part of a run's id; nor is a param that equals
    its default in ``defaults``. Pickles may be captured with ``allow_pickle``.

    Bad input is refused at once, with TypeError or ValueError.
    """

    name: str = attrs.field(converter=_checked_experiment_name)
    version: str = attrs.field(converter=_checked_version)
    context: Any = attrs.field(converter=_checked_context)
    operation: OperationWrapper = attrs.field(converter=_checked_operation)
    params: ParamSource = attrs.field(converter=_checked_params)
    seeds: SeedPlan = attrs.field(converter=_checked_seeds)
    description: str | None = attrs.field(default=None, converter=_checked_description)
    tags: list[str] = attrs.field(factory=list, converter=_checked_tags)
    param_resolver: Resolver | None = attrs.field(default=None, converter=_checked_resolver)
    metadata: dict[str, Any] = attrs.field(factory=dict, converter=_checked_metadata)
    defaults: dict[str, Any] = attrs.field(factory=dict, converter=_checked_defaults)
    allow_pickle: bool = attrs.field(default=False, converter=_checked_flag)

    @property
    def experiment_id(self) -> str:
        """The name and the version, with a colon between them."""
        return f"{self.name}:{self.version}"

    @property
    def param_names(self) -> list[str] | None:
        """The names of the params of any point, sorted, or None if only a look could tell."""
        names = self.params.names if isinstance(self.params, Source) else None
        return None if names is None or self.param_resolver is not None else sorted(names)

    def to_manifest(self, context: FrozenContext) -> dict[str, Any]:
        """Describe the experiment as the strict JSON that is kept with its runs."""
        resolver = None
        if self.param_resolver is not None:
            resolver, _ = described_callable(self.param_resolver)
        return {
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "tags": list(self.tags),
            "metadata": own(to_jsonable(self.metadata, "metadata", exact=True)),
            "operation": {
                "name": self.operation.name,
                "ref": self.operation.ref,
            },
            "params": self.params.to_manifest_dict(),
            "param_names": self.param_names,
            "param_resolver": resolver,
            "seeds": self.seeds.to_manifest_dict(),
            "context": context.manifest,
            "defaults": own(to_jsonable(self.defaults, "defaults", exact=True)),
            "allow_pickle": self.allow_pickle,
        }
