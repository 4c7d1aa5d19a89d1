"""What a user may say about how progress is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MetricDisplay", "Progress"]

Reduction = Literal["last", "min", "max", "mean"]
Style = Literal["auto", "rich", "plain"]


def _formats_numbers(display: MetricDisplay, _: object, value: str) -> None:
    try:
        f"{0.5:{value}}"
    except ValueError as error:
        raise ValueError(
            f"MetricDisplay({display.name!r}): {value!r} is no format for numbers: {error}"
        ) from None


@attrs.frozen
class MetricDisplay:
    """A metric to watch while runs finish.

    ``show`` is the value taken over the runs finished so far: that of the ``last`` one, the
    ``min``, the ``max`` or the ``mean``. ``label`` stands for the name where it is too long,
    ``format`` is a format specification for numbers.
    """

    name: str
    show: Reduction = attrs.field(
        default="last", validator=attrs.validators.in_(("last", "min", "max", "mean"))
    )
    label: str | None = None
    format: str = attrs.field(default=".4g", validator=_formats_numbers)

    def text(self, value: float) -> str:
        """Write the label and the value."""
        reduction = "" if self.show == "last" else f" {self.show}"
        return f"{self.label or self.name}{reduction} {value:{self.format}}"


def _displays(
    metrics: str | MetricDisplay | Iterable[str | MetricDisplay],
) -> tuple[MetricDisplay, ...]:
    if isinstance(metrics, (str, MetricDisplay)):
        metrics = (metrics,)
    return tuple(MetricDisplay(m) if isinstance(m, str) else m for m in metrics)


@attrs.frozen
class Progress:
    """How progress is shown: a title, the metrics to watch, and how it is drawn.

    ``title`` is the experiment's id by default. ``metrics`` are names or MetricDisplays.
    ``style`` is ``auto`` (rich where it is installed and the error stream is a terminal,
    plain text elsewhere), ``rich`` or ``plain``.
    """

    title: str | None = None
    metrics: tuple[MetricDisplay, ...] = attrs.field(default=(), converter=_displays)
    style: Style = attrs.field(
        default="auto", validator=attrs.validators.in_(("auto", "rich", "plain"))
    )
