"""A plugin of each kind for metalab-core 0.1."""

from __future__ import annotations
