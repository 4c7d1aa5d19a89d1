"""An executor that finds out what cannot be sent once the launch is written down."""

from __future__ import annotations

from right import RightContract

import metalab


class WrongExecutor(metalab.ProcessExecutor):
    def admit(self, plan, metrics, retry, limits):
        pass


class TestWrong(RightContract):
    kind = WrongExecutor
    can_kill = has_own_processes = True
