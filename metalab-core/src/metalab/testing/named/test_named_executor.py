"""The contract of executors, asked of the one that ``--executor`` names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from metalab.execution.choice import chosen_executor
from metalab.testing import ExecutorContract
from metalab.testing.named.choice import EXECUTOR, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from metalab.execution.base import Executor

__all__ = ["TestNamedExecutor"]


class TestNamedExecutor(ExecutorContract):
    """The executor that ``--executor`` names."""

    @pytest.fixture
    def options(self, request: pytest.FixtureRequest) -> Mapping[str, Any]:
        """Return the options that ``--executor-option`` gives."""
        return dict(request.config.getoption(OPTIONS))

    @pytest.fixture
    def executor(
        self, request: pytest.FixtureRequest, options: Mapping[str, Any]
    ) -> Iterator[Executor]:
        """Make the executor, as ``metalab.run`` does that is given its name."""
        with chosen_executor({request.config.getoption(EXECUTOR): options}) as made:
            yield made
