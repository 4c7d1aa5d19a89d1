"""Where progress is shown: a terminal to draw on, or a place that takes lines, now and then."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

import attrs

from metalab.progress.passing import is_directed_elsewhere

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Surroundings", "is_test"]

_PATIENCE_DRAWN = 0.5
_PATIENCE_WRITTEN = 2.0
_PAUSE = 10.0
_PAUSE_CI = 60.0
_OFF = ("", "0", "false")


@attrs.frozen
class Surroundings:
    """How progress is shown on a stream, and how often; times are in seconds.

    ``live``: it is redrawn in place. Otherwise a line is written every ``pause``, and less
    often the longer a launch lasts. Nothing is said of a launch that takes less than the
    ``patience``, unless it was asked for.
    """

    live: bool
    patience: float
    pause: float = _PAUSE

    @classmethod
    def of(
        cls, stream: TextIO | None, *, insist: bool = False, environ: Mapping[str, str] = os.environ
    ) -> Surroundings:
        """Look at a stream, the error stream by default.

        A terminal is drawn on, unless it cannot move its cursor (``TERM=dumb``), a service
        builds there (``CI``) or somebody else has taken it, such as a live display of rich.
        ``insist`` draws under ``CI``, too.
        """
        target = sys.stderr if stream is None else stream
        is_ci = environ.get("CI", "").lower() not in _OFF
        live = (
            target.isatty()
            and environ.get("TERM") != "dumb"
            and (insist or not is_ci)
            and (stream is not None or not is_directed_elsewhere("stderr"))
        )
        if live:
            return cls(live=True, patience=_PATIENCE_DRAWN)
        return cls(live=False, patience=_PATIENCE_WRITTEN, pause=_PAUSE_CI if is_ci else _PAUSE)

    def pause_after(self, elapsed: float) -> float:
        """Return when the next line is due: after a tenth of the time that has passed, at least."""
        return max(self.pause, elapsed / 10)


def is_test(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether pytest runs a test."""
    return "PYTEST_CURRENT_TEST" in environ
