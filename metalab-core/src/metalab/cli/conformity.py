"""Conformity: what is wrong with an installed plugin, in words that name whose it is."""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import attrs

from metalab.cli.ranges import CORE, ranges_of_core
from metalab.errors import MetalabError, PluginError
from metalab.execution.base import Executor
from metalab.identity.canonical import CanonicalForm
from metalab.params.base import ParamSource
from metalab.plugins import EXECUTORS, PARAM_SOURCES, SERIALIZERS, STORES
from metalab.serializers.base import Serializer
from metalab.store.config import StoreConfig
from metalab.store.locator import parse_locator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from metalab.plugins import ExtensionPoint, PluginInfo

__all__ = ["problem_of"]

_Check = tuple[str, dict[str, Any], str, "Callable[[Any], bool]"]

# What a hook may raise where the question gives it too little.
_REFUSALS = (MetalabError, KeyError, TypeError, ValueError)


def problem_of(point: ExtensionPoint, name: str) -> str | None:
    """Load the plugin of a name, ask its hooks what costs nothing, and say what is wrong.

    Nothing is written, connected to or executed; None if nothing is wrong.
    """
    try:
        hooks = point[name]
    except PluginError as error:
        return str(error)
    info = point.info(name)
    faults = [*_range_faults(info), *_answer_faults(info, hooks)]
    return "; ".join(faults) or None


def _range_faults(info: PluginInfo) -> Iterator[str]:
    try:
        core = version(CORE)
    except PackageNotFoundError:  # run from source that is not installed
        return
    for wanted in ranges_of_core(info.distribution):
        if not wanted.admits(core):
            yield (
                f"{info.distribution} {info.version} is made for {CORE}{wanted.text}, and "
                f"{CORE} {core} is installed; install another version of one of them"
            )


def _answer_faults(info: PluginInfo, hooks: Any) -> Iterator[str]:
    for hook, question, wanted, is_right in _CHECKS[info.group](info.name):
        caller = getattr(hooks, hook)
        if not caller.get_hookimpls():
            continue
        told = (
            f"{info.distribution} {info.version}: {hook} of the {info.group} plugin {info.name!r}"
        )
        try:
            answer = caller(**question)
        except Exception as error:  # noqa: BLE001  whatever a third party's function does
            if hook not in _MAY_REFUSE or not isinstance(error, _REFUSALS):
                yield f"{told} raises {type(error).__name__}: {error}"
            continue
        if answer is not None and not is_right(answer):
            yield f"{told} returns {answer!r}; it returns {wanted}, or None"


def _store_checks(name: str) -> Iterator[_Check]:
    locator = parse_locator(f"{name}:///metalab-plugins-check")
    made = "a StoreConfig"
    question = {"locator": locator, "fields": {}}
    yield "metalab_store_config", question, made, lambda made: isinstance(made, StoreConfig)
    yield "metalab_command", {}, "the name of a module that can be imported", _is_module


def _executor_checks(name: str) -> Iterator[_Check]:
    yield (
        "metalab_executor_class",
        {"name": name},
        # What a launch notes down is the class's name, by which another process looks it up.
        f"a subclass of Executor whose name is {name!r}",
        lambda made: _is_executor(made, name),
    )


def _serializer_checks(name: str) -> Iterator[_Check]:
    made = "a Serializer, with kind, format, extension, can_handle, dump and load"
    unknown = {"format": f"{name}/no-such-form"}
    nothing = "nothing for a format that it does not write"
    yield "metalab_serializer_for", {"obj": _Unknown()}, made, _is_serializer
    yield "metalab_serializer_named", unknown, nothing, lambda _: False
    form = "a CanonicalForm"
    yield (
        "metalab_canonical_form",
        {"obj": _Unknown()},
        form,
        lambda made: isinstance(made, CanonicalForm),
    )
    tagged = {"tag": "no such tag", "payload": None}
    yield "metalab_revive", tagged, "nothing for a tag that is not its own", lambda _: False


def _source_checks(name: str) -> Iterator[_Check]:
    question: dict[str, Mapping[str, Any]] = {"manifest": {"kind": name, "type": name}}
    yield (
        "metalab_param_source",
        question,
        "a ParamSource",
        lambda made: isinstance(made, ParamSource),
    )


_CHECKS: dict[str, Callable[[str], Iterator[_Check]]] = {
    STORES.group: _store_checks,
    EXECUTORS.group: _executor_checks,
    SERIALIZERS.group: _serializer_checks,
    PARAM_SOURCES.group: _source_checks,
}
_MAY_REFUSE = frozenset({"metalab_store_config", "metalab_param_source"})


@attrs.frozen
class _Unknown:
    """An object of a class that no library of a plugin has."""


def _is_serializer(made: Any) -> bool:
    return not isinstance(made, type) and isinstance(made, Serializer)


def _is_executor(made: Any, name: str) -> bool:
    if not (isinstance(made, type) and issubclass(made, Executor)):
        return False
    return getattr(made, "name", None) == name  # which it has only if it was given one


def _is_module(name: Any) -> bool:
    if not isinstance(name, str):
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
