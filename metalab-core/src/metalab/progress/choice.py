"""Which tracker shows a launch: what the user said, or what fits the error stream."""

from __future__ import annotations

import sys
from typing import TextIO

from metalab.errors import MissingExtraError
from metalab.progress.plain import SimpleProgressTracker
from metalab.progress.settings import Progress
from metalab.progress.surroundings import Surroundings, is_test
from metalab.progress.tracker import GuardedTracker, ProgressTracker, SilentTracker

__all__ = ["create_progress_tracker"]


def create_progress_tracker(
    progress: bool | Progress | ProgressTracker | None = None,
    *,
    stream: TextIO | None = None,
) -> ProgressTracker:
    """Return the tracker for what ``metalab.run(progress=...)`` was given.

    None shows a bar on a terminal and a few lines elsewhere, unless all is over in a moment
    (half a second on a terminal, two seconds elsewhere) or pytest runs a test; True shows the
    same from the first moment; False shows nothing; a Progress says how; a tracker is used as
    it is, and what it raises is logged. ``stream`` stands for the error stream. Raises
    TypeError for anything else, and MissingExtraError for ``Progress(style="rich")`` where
    rich is not installed.
    """
    if progress is False:
        return SilentTracker()
    if isinstance(progress, ProgressTracker):
        return GuardedTracker(progress)
    if progress is not None and progress is not True and not isinstance(progress, Progress):
        raise TypeError(
            f"progress={progress!r}: give True, False, None, a metalab.Progress or an object "
            "made from metalab.ProgressTracker"
        )
    if stream is None and (sys.stderr is None or sys.stderr.closed):
        return SilentTracker()  # as in a service, which has nothing to draw on
    if stream is None and progress is None and is_test():
        return SilentTracker()
    settings = progress if isinstance(progress, Progress) else Progress()
    kind = _kind(settings, stream)
    return kind(settings, stream=stream, patient=progress is None)


def _kind(settings: Progress, stream: TextIO | None) -> type[SimpleProgressTracker]:
    if settings.style == "plain" or (settings.style == "auto" and not Surroundings.of(stream).live):
        return SimpleProgressTracker
    try:
        # The one soft dependency of this room, read only where it is drawn with.
        from metalab.progress.rich import RichProgressTracker  # noqa: PLC0415
    except ImportError as error:
        if settings.style == "auto":
            return SimpleProgressTracker
        raise MissingExtraError(
            "Progress(style='rich') needs rich: pip install 'metalab[rich]' "
            "(style='plain' works without it)"
        ) from error
    return RichProgressTracker
