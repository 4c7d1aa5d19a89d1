"""An executor that says it takes no local operations, and takes them."""

from __future__ import annotations

from importing import ImportingContract
from right import RightExecutor


class TestWrong(ImportingContract):
    kind = RightExecutor
