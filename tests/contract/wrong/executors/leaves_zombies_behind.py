"""An executor whose helpers end, and which waits for none."""

from __future__ import annotations

import subprocess

from right import SOON, RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    def submit(self, batch):
        self.helper = subprocess.Popen(["true"])
        return super().submit(batch)


class TestWrong(RightContract):
    kind = WrongExecutor
    patience = SOON
