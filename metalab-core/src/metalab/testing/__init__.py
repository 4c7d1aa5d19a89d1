"""The conformance kit: what every store, executor, serializer and param source has to do."""

from __future__ import annotations

import sys
from pkgutil import iter_modules

# Before any of them is read, so that whoever inherits is shown what an assertion compared.
# Processes that tests start have no pytest, and need not wait for it.
if (_pytest := sys.modules.get("pytest")) is not None:
    _pytest.register_assert_rewrite(
        *(f"{__name__}.{module.name}" for module in iter_modules(__path__))
    )
