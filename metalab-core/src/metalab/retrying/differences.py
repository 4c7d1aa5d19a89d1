"""Differences: which parts of an experiment are not what they were when it was planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from metalab.params.manifest import is_rebuildable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["differences"]


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say in words which parts of two manifests give runs other ids.

    Where none does, the params differ that the points get from a filter, from a resolver,
    or from a source that says less about itself than it has.
    """
    plain = msgspec.json.decode(msgspec.json.encode(now))
    found = list(_parts(then, plain))
    return f"{' and '.join(found) or 'the params of its points'} changed since"


def _parts(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if then["context"]["fingerprint"] != now["context"]["fingerprint"]:
        yield from _context(then["context"], now["context"])
    if then["operation"]["name"] != now["operation"]["name"]:
        yield "the operation's name"
    if then["operation"]["captured"] != now["operation"]["captured"]:
        yield "the values that the operation captured"
    # What says that it has no full description has another one in each process.
    if then["params"] != now["params"] and is_rebuildable(then["params"]):
        yield "the params"
    for part, name in (("seeds", "the seeds"), ("defaults", "the defaults")):
        if then[part] != now[part]:
            yield name


def _context(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    files = [
        path
        for path, stamp in now["files"].items()
        if then["files"].get(path, stamp)["sha256"] != stamp["sha256"]
    ]
    yield f"the context ({', '.join(files)})" if files else "the context"
