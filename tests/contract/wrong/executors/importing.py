"""A right executor whose workers import operations, as those of a fleet that holds the code."""

from __future__ import annotations

from right import RightContract, RightExecutor

from metalab.errors import MetalabError


class ImportingExecutor(RightExecutor):
    def admit(self, plan, metrics, retry, limits):
        function = plan.experiment.operation.function
        if "<locals>" in function.__qualname__ or function.__module__ == "__main__":
            raise MetalabError(f"workers cannot import {function.__qualname__}; put it in a module")


class ImportingContract(RightContract):
    takes_local_operations = False
    kind = ImportingExecutor


class TestRight(ImportingContract): ...
