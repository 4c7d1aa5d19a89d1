"""Elsewhere: a fresh interpreter that is asked one question, as a worker or a reader would be.

It sees the same ``sys.path``, and so the same installed plugins, but nothing of this
process: no class of its ``__main__``, no module that a test has imported, another hash seed.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HASH_SEEDS", "ask"]

HASH_SEEDS = ("0", "4711")
"""Two values of PYTHONHASHSEED under which sets of strings are ordered differently."""

_SECONDS = 120


def ask(
    question: str, document: Any, *, hash_seed: str = "random", imports: Sequence[str] = ()
) -> Any:
    """Return what a function of a module, ``module:name``, answers in a fresh process.

    ``document`` is strict JSON, as its answer is. ``imports`` names modules that are imported
    there first. Raises AssertionError with what the process wrote if it fails.
    """
    paths = [path for path in sys.path if path]
    done = subprocess.run(  # noqa: S603  this interpreter, and a module of the kit
        [sys.executable, "-P", "-m", __name__, question],
        input=json.dumps([list(imports), document]),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": hash_seed},
    )
    if done.returncode != 0:
        raise AssertionError(f"in another process {question} fails:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _answer(question: str) -> None:
    imports, document = json.load(sys.stdin)
    for name in imports:
        importlib.import_module(name)
    module, _, name = question.partition(":")
    print(json.dumps(getattr(importlib.import_module(module), name)(document)))  # noqa: T201  the answer


if __name__ == "__main__":
    _answer(sys.argv[1])
