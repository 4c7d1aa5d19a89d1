"""Functions that a manifest names, in a module that another process can import."""

from __future__ import annotations


def is_small(params):
    """Keep the points below 2."""
    return params["x"] < 2


def doubled(context_meta, params):
    """Add twice a param, and what the context says."""
    return {**params, "twice": params["x"] * 2, "meta": list(context_meta)}
