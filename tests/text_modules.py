"""Fixtures that import a text as a module: name them in ``pytest_plugins``."""

from __future__ import annotations

import importlib.util
import sys
import textwrap

import pytest

from metalab.identity.code import code_fingerprint


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Import a text as the module ``study``, again and again."""
    monkeypatch.syspath_prepend(str(tmp_path))
    # Bytecode of the text before may have the same time stamp.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(text, name="study"):
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def parts(load):
    """Return the parts of the operation ``op`` of a text."""
    return lambda text: code_fingerprint(load(text).op).parts
