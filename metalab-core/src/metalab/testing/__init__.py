"""The conformance kit: tests that a store, an executor, a serializer, a param source or a
plugin of yours must pass. It needs ``pip install 'metalab-core[testing]'``.

Inherit from a contract in a file of tests, name your implementation, and run pytest::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def config(self, tmp_path):
            return MyStoreConfig(tmp_path / "store")

Each test is one sentence of the contract. What an implementation cannot do, it says by a class
attribute; nothing else makes a test ask for less. Without a file of tests, an installed plugin
is asked by its name: ``metalab.testing.pytest_plugin`` says how.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from metalab.errors import MissingExtraError

if TYPE_CHECKING:
    from metalab.testing.executor import ExecutorContract as ExecutorContract
    from metalab.testing.params import ParamSourceContract as ParamSourceContract
    from metalab.testing.plugin import PluginContract as PluginContract
    from metalab.testing.serializer import SerializerContract as SerializerContract
    from metalab.testing.store.contract import StoreContract as StoreContract

_HOMES = {
    "ExecutorContract": "metalab.testing.executor",
    "ParamSourceContract": "metalab.testing.params",
    "PluginContract": "metalab.testing.plugin",
    "SerializerContract": "metalab.testing.serializer",
    "StoreContract": "metalab.testing.store.contract",
}
_NEEDED = ("hypothesis", "pytest")

__all__ = sorted(_HOMES)  # noqa: PLE0605  the table is the one place that names them

# Whoever names this package as a plugin of pytest means the one in it.
pytest_plugins = ["metalab.testing.pytest_plugin"]

# Before any of them is read, so that whoever inherits is shown what an assertion compared.
# Processes that tests start have no pytest, and need not wait for it.
if (_pytest := sys.modules.get("pytest")) is not None:
    _pytest.register_assert_rewrite(
        *(f"{__name__}.{module.name}" for module in iter_modules(__path__))
    )


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        raise MissingExtraError(
            f"{name} needs {error.name}: pip install 'metalab-core[testing]'"
        ) from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
