"""What every executor does, as tests that its author inherits.

Subclass ``ExecutorContract`` in a test file, give it a fixture ``executor``, and say what your
executor does not do::

    class TestMyExecutor(ExecutorContract):
        can_kill = False

        @pytest.fixture
        def executor(self):
            with MyExecutor(workers=2) as made:
                yield made

Every capability is True by default, so that the most is asked; see ``Capabilities`` for what
each means. Further fixtures are there to be overridden: ``options``, by which the plugin makes
such an executor, and ``folder``, where workers do not see ``tmp_path``.

Tests launch experiments through ``metalab.run`` in a file store, and compare what becomes of
them with what the inline executor makes of them. A failing assertion says in words what the
executor has done.
"""

from __future__ import annotations

from metalab.testing.executor.contract import ExecutorContract

__all__ = ["ExecutorContract"]
