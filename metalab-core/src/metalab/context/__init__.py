"""Contexts: what all runs of an experiment share, and what identifies it.

A context is a ``context_spec`` class, a dict, list, dataclass, attrs class or None. Files
in it are identified by what they contain when the experiment is planned.
"""

from __future__ import annotations

from metalab.context.frozen import FrozenContext, freeze
from metalab.context.paths import DirPath, FilePath, FileStamp, Fingerprintable
from metalab.context.spec import ContextSpec, context_spec
from metalab.context.thawing import thaw

__all__ = [
    "ContextSpec",
    "DirPath",
    "FilePath",
    "FileStamp",
    "Fingerprintable",
    "FrozenContext",
    "context_spec",
    "freeze",
    "thaw",
]

# Class names are part of ids, so these two go by the one that is public.
FilePath.__module__ = DirPath.__module__ = __name__
