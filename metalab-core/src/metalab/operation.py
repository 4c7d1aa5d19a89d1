"""Operations: the functions that experiments run.

The module can be called: ``@metalab.operation`` decorates a function, bare, called, or with
a name.
"""

from __future__ import annotations

import inspect
import sys
from functools import cached_property, update_wrapper
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, overload

from metalab.identity.code import closure_fingerprint, code_fingerprint
from metalab.identity.names import canonical_module
from metalab.recorder import Recorder
from metalab.runtime import Runtime
from metalab.seeds import SeedBundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["OperationWrapper", "operation"]

_NAMES = ("context", "params", "seeds", "runtime", "capture")
_ALLOWED = f"an operation declares any of {', '.join(_NAMES)}, by name"
_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "it is positional-only; remove the '/'",
    inspect.Parameter.VAR_POSITIONAL: "it takes any arguments",
    inspect.Parameter.VAR_KEYWORD: "it takes any keywords",
}


class OperationWrapper:
    """A function that an experiment can run, and that can still be called.

    ``op(params={...}, seeds=...)`` calls it directly with any of the arguments it declares:
    those left out are an empty dict of params, an empty context, ``SeedBundle(0)``, a
    Recorder in place of a capture, and a Runtime.
    """

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        _check_function(function)
        self._function = function
        self._name = _checked_name(function, name)
        self._names = _declared(function)
        update_wrapper(self, function)

    @property
    def name(self) -> str:
        """What the operation is called in the ids of runs: the function's name, unless given."""
        return self._name

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself."""
        return self._function

    @property
    def ref(self) -> str:
        """The function's ``module:qualname``, a script going by its file's name."""
        return f"{canonical_module(self._function.__module__)}:{self._function.__qualname__}"

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names that the function declares."""
        return frozenset(self._names)

    @property
    def code_hash(self) -> str:
        """The fingerprint of the function's code, with the code of the user's own that it uses."""
        return code_fingerprint(self._function).hash

    @property
    def captured(self) -> str:
        """What identifies the values that the function has captured, as they are now, or ``""``."""
        return closure_fingerprint(self._function)

    def run(
        self,
        *,
        context: Any = None,
        params: Any = None,
        seeds: Any = None,
        runtime: Any = None,
        capture: Any = None,
    ) -> Any:
        """Call the function with those of the objects that it declares, the very objects."""
        given = {
            "context": context,
            "params": params,
            "seeds": seeds,
            "runtime": runtime,
            "capture": capture,
        }
        return self._function(**{name: given[name] for name in self._names})

    def __call__(self, *arguments: Any, **given: Any) -> Any:
        """Call the function with what is given, and stand-ins for the rest, for its own result."""
        given = {**self._by_name(arguments, given), **given}
        with Recorder() as recorder, Runtime(recorder.logger) as runtime:
            ready = {"context": {}, "params": {}, "seeds": SeedBundle(0)}
            ready |= {"capture": recorder, "runtime": runtime}
            return self.run(**{**ready, **given})

    def _by_name(self, arguments: tuple[Any, ...], given: Mapping[str, Any]) -> dict[str, Any]:
        unknown = [name for name in given if name not in _NAMES]
        if unknown:
            raise TypeError(f"{self!r} got {', '.join(map(repr, unknown))}; {_ALLOWED}")
        named = dict(zip(self._names, arguments, strict=False))
        if len(arguments) > len(self._names):
            raise TypeError(f"{self!r} takes {len(self._names)} arguments, not {len(arguments)}")
        if twice := named.keys() & given.keys():
            raise TypeError(f"{self!r} got {', '.join(sorted(twice))} twice")
        return named

    def __repr__(self) -> str:
        return f"Operation({self._name})"

    def __reduce__(self) -> str | tuple[Any, ...]:
        # By name where an import finds it again, as functions travel; else by value, which
        # takes a pickler that can send functions by value.
        if self._function.__module__ != "__main__" and self._is_importable():
            return self._function.__qualname__
        return type(self), (self._function, self._name)

    def _is_importable(self) -> bool:
        found: Any = sys.modules.get(self._function.__module__)
        loader = getattr(getattr(found, "__spec__", None), "loader", None)
        if getattr(loader, "is_script", False):
            return False  # an import in another process would run the script once more
        for name in self._function.__qualname__.split("."):
            found = getattr(found, name, None)
        return found is self


@overload
def operation(function: Callable[..., Any], /) -> OperationWrapper: ...
@overload
def operation(*, name: str | None = None) -> Callable[[Callable[..., Any]], OperationWrapper]: ...
def operation(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None
) -> OperationWrapper | Callable[[Callable[..., Any]], OperationWrapper]:
    """Make a function an operation, called ``name`` or as the function is.

    It declares any of ``context``, ``params``, ``seeds``, ``runtime`` and ``capture``; another
    name is a ValueError. What is no plain function is a TypeError.
    """
    if isinstance(function, str):
        raise TypeError(f"operation({function!r}): did you mean operation(name={function!r})?")
    if function is None:
        return lambda function: _wrapped(function, name)
    return _wrapped(function, name)


def _wrapped(function: Callable[..., Any], name: str | None) -> OperationWrapper:
    if isinstance(function, OperationWrapper):
        return function if name is None else OperationWrapper(function.function, name)
    return OperationWrapper(function, name)


def _check_function(function: object) -> None:
    if not isinstance(function, FunctionType):
        raise TypeError(
            f"an operation is a function, written with def; {function!r} is a "
            f"{type(function).__name__}"
        )
    if inspect.iscoroutinefunction(function):
        raise TypeError(
            f"{function.__qualname__} is async; make it a plain def that calls asyncio.run(...)"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{function.__qualname__} is a generator; capture what it yields, and return once"
        )


def _checked_name(function: Callable[..., Any], name: object) -> str:
    if name is None:
        if function.__name__ == "<lambda>":
            raise ValueError("a lambda has no name; write operation(name='...')(lambda ...: ...)")
        return function.__name__
    if not isinstance(name, str):
        raise TypeError(f"an operation's name is a str, not {name!r}")
    if not name.strip() or not name.isprintable():
        raise ValueError(f"an operation's name is a line of text, not {name!r}")
    return name


def _declared(function: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters
    for parameter in parameters.values():
        where = f"invalid parameter {parameter.name!r} of {function.__qualname__}"
        if parameter.kind in _KINDS:
            raise ValueError(f"{where}: {_KINDS[parameter.kind]}; {_ALLOWED}")
        if parameter.name not in _NAMES:
            raise ValueError(f"{where}: {_ALLOWED}")
    return tuple(parameters)


class _CallableModule(ModuleType):
    __call__ = staticmethod(operation)


sys.modules[__name__].__class__ = _CallableModule
