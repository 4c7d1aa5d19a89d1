"""Distributions with plugins, laid out on disk as an installer leaves them."""

from __future__ import annotations

import importlib
import importlib.metadata
import textwrap
from contextlib import contextmanager
from unittest import mock

from metalab.plugins import EXTENSION_POINTS


def install(folder, dist, entries, *, version="1.0", requires=(), modules=None):
    """Install a distribution in a folder, to be put on sys.path; returns the folder.

    ``entries`` is a dict of groups, each a dict of modules by name, ``modules`` the source of
    modules by name, and ``requires`` what the distribution depends on.
    """
    info = folder / f"{dist.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {dist}", f"Version: {version}"]
    lines += [f"Requires-Dist: {text}" for text in requires]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    written = []
    for group, names in entries.items():
        written += [f"[{group}]", *(f"{name} = {module}" for name, module in names.items())]
    (info / "entry_points.txt").write_text("\n".join(written) + "\n")
    for name, source in (modules or {}).items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source))
    return folder


@contextmanager
def core_alone():
    """Have metadata tell of metalab-core alone, as where nothing else is installed."""
    real = importlib.metadata.entry_points()
    chosen = [e for e in importlib.metadata.distribution("metalab-core").entry_points if e.group]
    kept = type(real.select(group="metalab.stores"))(chosen)
    try:
        with mock.patch("metalab.plugins.entry_points", return_value=kept):
            read_metadata_again()
            yield
    finally:
        read_metadata_again()


def read_metadata_again():
    """Forget what lookups found before."""
    importlib.invalidate_caches()
    for point in EXTENSION_POINTS:
        point.forget()
