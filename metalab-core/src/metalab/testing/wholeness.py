"""Wholeness: of a class that lacks methods it is said once which, and nothing more is asked."""

from __future__ import annotations

import pytest

__all__ = ["ask_if_whole"]

_LACKING = pytest.StashKey[str]()
_NAME = "metalab-wholeness"


def ask_if_whole(request: pytest.FixtureRequest) -> None:
    """Skip the test if one of its class has found that something of the plugin lacks methods.

    That is found where an object of an abstract class is made, be it in a fixture or a test.
    """
    plugins = request.config.pluginmanager
    if not plugins.has_plugin(_NAME):
        plugins.register(_Wholeness(), _NAME)
    lacking = _class_of(request.node).stash.get(_LACKING, None)
    if lacking is not None:
        pytest.skip(lacking)


class _Wholeness:
    """Has the first test that makes an object of an abstract class fail with a sentence."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> pytest.TestReport | None:
        error = None if call.excinfo is None else call.excinfo.value
        if not isinstance(error, TypeError) or "abstract class" not in str(error):
            return None
        lacking = f"{error}: write what it lacks; until then nothing more is asked"
        _class_of(item).stash[_LACKING] = lacking
        report = pytest.TestReport.from_item_and_call(item, call)
        report.longrepr = lacking
        return report


def _class_of(item: pytest.Item) -> pytest.Collector:
    found = item.getparent(pytest.Class)
    assert found is not None, "the contracts are classes of tests"
    return found
