"""An executor that begins a helper for each launch, and never ends one."""

from __future__ import annotations

import subprocess

from right import SOON, RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    def submit(self, batch):
        self.helper = subprocess.Popen(["sleep", "20"])
        return super().submit(batch)


class TestWrong(RightContract):
    kind = WrongExecutor
    patience = SOON
