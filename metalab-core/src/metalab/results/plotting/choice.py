"""What a picture shows: chosen by the caller, and else by the shape of the sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from metalab.results.lookup import NameLookupError, missing

if TYPE_CHECKING:
    from metalab.results.plotting.sweep import Sweep

__all__ = ["KINDS", "Choice", "Kind", "choose"]

Kind = Literal["line", "bar", "series", "heat", "parallel", "scatter"]
KINDS: tuple[Kind, ...] = ("line", "bar", "series", "heat", "parallel", "scatter")
STEP = "step"
"""The name of the axis of a series."""

_MANY = 4  # values of each of two params make a map, fewer of one are hues
_HUES = 8


@attrs.frozen
class Choice:
    """A kind of picture and what stands on its axes; ``y`` is a metric, of a map the second
    param is ``hue`` and the metric its colour.
    """

    kind: Kind
    x: str | None
    y: str
    hue: str | None


def choose(
    sweep: Sweep, x: str | None, y: str | None, hue: str | None, kind: Kind | None
) -> Choice:
    """Choose what was not said; raises ValueError or KeyError for what cannot be shown."""
    if kind is not None and kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of picture; there are {', '.join(KINDS)}")
    metric = _metric(sweep, x, y)
    kind = kind or _kind(sweep, x, hue)
    if kind == "series":
        return Choice(kind, STEP, metric, hue or _hue(sweep, None))
    if kind == "parallel":
        return Choice(kind, None, metric, None)
    if kind == "scatter":
        if x is None:
            raise ValueError("a scatter shows one metric against another: say which is x")
        return Choice(kind, x, metric, _param(sweep, hue))
    across = _param(sweep, x) or _across(sweep, hue)
    other = _param(sweep, hue) or _hue(sweep, across)
    if kind == "heat" and (across is None or other is None):
        raise ValueError(f"a map needs two params with several values; there are {_swept(sweep)}")
    if kind == "line" and across is not None and not sweep.is_numeric(across):
        kind = "bar"
    return Choice(kind, across, metric, other)


def _metric(sweep: Sweep, x: str | None, y: str | None) -> str:
    if y is not None:
        return y
    left = [name for name in sweep.metrics if name != x]
    if len(left) == 1:
        return left[0]
    there = ", ".join(sorted(left)) or "none"
    raise NameLookupError(f"say which metric is y; there are {there}")


def _kind(sweep: Sweep, x: str | None, hue: str | None) -> Kind:
    if x == STEP and STEP not in sweep.params:
        return "series"
    if x is not None and x in sweep.metrics and x not in sweep.params:
        return "scatter"
    given = [name for name in (x, hue) if name is not None]
    if not given and len(sweep.values) > 2:  # noqa: PLR2004  more than x and hue can show
        return "parallel"
    two = given if len(given) == 2 else list(sweep.values)  # noqa: PLR2004  as above
    is_map = len(two) == 2 and all(len(sweep.values.get(name, ())) >= _MANY for name in two)  # noqa: PLR2004
    numeric = sum(sweep.is_numeric(name) for name in two if name in sweep.values)
    if is_map and hue is None and numeric != 1:
        return "heat"
    return "line"


def _param(sweep: Sweep, name: str | None) -> str | None:
    if name is not None and name not in sweep.params:
        raise missing("these runs have", "param", name, sweep.params)
    return name


def _across(sweep: Sweep, hue: str | None) -> str | None:
    """Return the param with the most values, a numeric one if there is any."""
    names = sweep.free(hue)
    return max(names, key=lambda n: (sweep.is_numeric(n), len(sweep.values[n])), default=None)


def _hue(sweep: Sweep, x: str | None) -> str | None:
    left = sweep.free(x)
    few = [name for name in left if len(sweep.values[name]) <= _HUES]
    return few[0] if few and len(left) == 1 else None


def _swept(sweep: Sweep) -> str:
    return ", ".join(sweep.values) or "none"
