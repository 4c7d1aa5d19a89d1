"""Progress: events of a launch, shown as they come."""

from __future__ import annotations

from metalab.progress.choice import create_progress_tracker
from metalab.progress.plain import SimpleProgressTracker
from metalab.progress.settings import MetricDisplay, Progress
from metalab.progress.tracker import ProgressTracker
from metalab.progress.view import LaunchView, RunUnderWay

__all__ = [
    "LaunchView",
    "MetricDisplay",
    "Progress",
    "ProgressTracker",
    "RunUnderWay",
    "SimpleProgressTracker",
    "create_progress_tracker",
]
