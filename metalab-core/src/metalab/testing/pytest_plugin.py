"""A plugin of pytest that asks an installed plugin of metalab by its name.

No file of tests is needed::

    pytest -p metalab.testing --pyargs metalab.testing --store 'my://{tmp}/store'
    pytest -p metalab.testing --pyargs metalab.testing --executor my

Each test needs a place where nothing is kept, so the locator holds ``{tmp}``, for which each
test puts a folder of its own, or ``{place}``, for a word that no other test has. What the store
or the executor cannot do is named by ``--without``, by the attributes of its contract, as often
as there is one. What a locator does not tell is not asked: lines are torn and connections cut
only where a class of tests says in which files, and how.

It is active only where ``-p metalab.testing`` says so: no session of somebody who merely has
metalab installed imports it.
"""

from __future__ import annotations

import pytest

from metalab.cli.executors import option_of
from metalab.plugins import EXECUTORS, STORES
from metalab.store.locator import parse_locator
from metalab.testing.named.choice import EXECUTOR, OPTIONS, STORE, WITHOUT, fresh

__all__ = ["pytest_addoption", "pytest_configure"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that name what is asked."""
    group = parser.getgroup("metalab", "the conformance kit of metalab")
    group.addoption(
        "--store",
        dest=STORE,
        metavar="LOCATOR",
        help="ask the store of this locator, with {tmp} or {place} for what each test has alone",
    )
    group.addoption(
        "--executor", dest=EXECUTOR, metavar="NAME", help="ask the executor of this name"
    )
    group.addoption(
        "--executor-option",
        dest=OPTIONS,
        metavar="KEY=VALUE",
        action="append",
        type=option_of,
        default=[],
        help="an option of the executor; may be given several times",
    )
    group.addoption(
        "--without",
        dest=WITHOUT,
        metavar="CAPABILITY",
        action="append",
        default=[],
        help="an attribute of the contract that is False, as can_compact; may be given again",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse what names nothing, before any test is collected."""
    if (locator := config.getoption(STORE)) is not None:
        _check_locator(locator)
    name = config.getoption(EXECUTOR)
    if name is not None and name not in EXECUTORS:
        raise pytest.UsageError(f"--executor {name}: {EXECUTORS.missing(name)}")


def _check_locator(locator: str) -> None:
    if "{tmp}" not in locator and "{place}" not in locator:
        raise pytest.UsageError(
            f"--store {locator}: each test needs a place where nothing is kept; write {{tmp}} "
            "where a folder of its own belongs, or {place} where a word of its own does"
        )
    scheme = parse_locator(fresh(locator, "/tmp")).scheme  # noqa: S108  nothing is made there
    if scheme not in STORES:
        raise pytest.UsageError(f"--store {locator}: {STORES.missing(scheme)}")
