"""An executor that takes any option, misspelt ones as well."""

from __future__ import annotations

from right import RightContract, RightExecutor

import metalab


class WrongExecutor(RightExecutor):
    name = "ignores_options"

    def __init__(self, workers=2, **others):
        super().__init__(workers)


class TestWrong(RightContract):
    kind = WrongExecutor


@metalab.hookimpl
def metalab_make_executor(options):
    return WrongExecutor(**options)
