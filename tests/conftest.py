"""What all tests share: stores that go away, one hypothesis profile, and two house rules."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from postgres import pg_scratch

ROOT = Path(__file__).resolve().parent.parent

_LONG = ("slow", "wheels")
# One Python can do all the work there is, and a library of gigabytes is nobody's requirement:
# these are tried where they are found.
_WHERE_FOUND = ("other_pythons", "torch")
# What an implementation says by an attribute of its contract's class, no machine can bring.
_DECLARED = re.compile(
    r"Skipped: Test\w+\.\w+ (is (False|True)|names no (file|jobs_option)|returns None)$"
).match
_STORES = ("experiments", "runs")
_LEFT = pytest.StashKey[set[Path]]()

# Two slow cores do not make a property false.
# A class's tests are made anew for each version of a server.
settings.register_profile(
    "metalab",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.load_profile("metalab")


@pytest.fixture(autouse=True, scope="session")
def _no_colours_are_forced():
    """Let commands print as they do in a pipe, whatever the colours of pytest itself."""
    with pytest.MonkeyPatch.context() as environ:
        environ.delenv("FORCE_COLOR", raising=False)
        yield


@pytest.fixture(autouse=True, scope="session")
def _tests_of_tests_have_their_own_folders(tmp_path_factory):
    """Every pytest that starts clears the folders of the ones before it."""
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("PYTEST_DEBUG_TEMPROOT", str(tmp_path_factory.mktemp("inner")))
        yield


@pytest.fixture
def store(tmp_path):
    """The root of a collection that does not exist yet, as a locator."""
    return str(tmp_path / "store")


@pytest.fixture
def public_path():
    """A folder that other users reach: any pytest that starts shuts the one of all of them."""
    with tempfile.TemporaryDirectory(prefix="metalab-public-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """Work inside an empty folder, so that the default store is made there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pytest_configure(config):
    """Let Ctrl-C reach what tests start: a shell's background jobs, and so this, may ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not _is_worker(config):
        pg_scratch.begin()


def pytest_unconfigure(config):
    """End what tests have shared, whatever became of the workers."""
    if not _is_worker(config):
        pg_scratch.end()


def pytest_collection_modifyitems(config, items):
    """Leave out what takes minutes, unless the marker expression names it."""
    unwanted = [mark for mark in _LONG if mark not in config.option.markexpr]
    left_out = [item for item in items if any(map(item.get_closest_marker, unwanted))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not any(map(item.get_closest_marker, unwanted))]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Where everything must be there (METALAB_REQUIRE_ALL=1), a skip is a failure."""
    report = yield
    return _required(report, item)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """The same for a module that skips itself as a whole."""
    report = yield
    return _required(report, collector)


def _required(report, node):
    skipped = report.skipped and not hasattr(report, "wasxfail")
    skipped = skipped and not any(map(node.get_closest_marker, _WHERE_FOUND))
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    skipped = skipped and not _DECLARED(str(reason))
    if skipped and os.environ.get("METALAB_REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"{node.nodeid}: METALAB_REQUIRE_ALL is set, but: {reason}"
    return report


def pytest_sessionstart(session):
    session.config.stash[_LEFT] = _stores_in_root()


def pytest_sessionfinish(session):
    """A test that leaves its store in the repository has forgotten to say where it goes."""
    if _stores_in_root() != session.config.stash[_LEFT]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    if _stores_in_root() != config.stash[_LEFT]:
        terminalreporter.section("a test wrote to the repository", red=True)
        terminalreporter.line(f"look into {', '.join(_STORES)} of {ROOT}")


def _is_worker(config):
    return hasattr(config, "workerinput")


def _stores_in_root():
    return {path for name in _STORES for path in (ROOT / name).rglob("*")}
