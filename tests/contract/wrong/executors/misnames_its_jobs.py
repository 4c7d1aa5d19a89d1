"""An executor whose ``jobs_option`` is none of its options."""

from __future__ import annotations

from right import RightContract, RightExecutor

import metalab


class WrongExecutor(RightExecutor):
    name = "misnames_its_jobs"
    jobs_option = "worker"


class TestWrong(RightContract):
    kind = WrongExecutor


@metalab.hookimpl
def metalab_make_executor(options):
    return WrongExecutor(**options)
