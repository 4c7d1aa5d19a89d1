"""Distributions with plugins, laid out on disk as an installer leaves them."""

from __future__ import annotations

import textwrap


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
