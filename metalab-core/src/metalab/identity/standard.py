"""Standard forms: how values of the standard library's types are written as plain values.

The types are known by name, so that reading this module loads none of theirs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import IdentityError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StandardForm", "form_by_tag", "form_of"]


@attrs.frozen
class StandardForm:
    """A tag, and the two ways between a value and its plain payload."""

    tag: str
    dump: Callable[[Any], object]
    load: Callable[[Any], object]


def form_of(cls: type) -> StandardForm | None:
    """Return the form of exactly this class, or None; subclasses have none."""
    # Python 3.13 moved Path to a private submodule, hence the first part alone.
    library = cls.__module__.partition(".")[0]
    form = _FORMS.get(f"{library}.{cls.__qualname__}")
    if form is not None and getattr(sys.modules.get(library), cls.__qualname__, None) is cls:
        return form
    return None


def form_by_tag(tag: str) -> StandardForm | None:
    """Return the form that writes a tag, or None."""
    return _BY_TAG.get(tag)


def _make(library: str, name: str, *arguments: object) -> Any:
    return getattr(import_module(library), name)(*arguments)


def _by_text(tag: str, library: str, name: str, dump: Callable[[Any], str] = str) -> StandardForm:
    return StandardForm(tag, dump, lambda text: _make(library, name, text))


def _dump_zone(zone: Any) -> object:
    name = f"{type(zone).__module__}.{type(zone).__qualname__}"
    if name == "datetime.timezone":
        offset, *title = zone.__getinitargs__()
        return ["offset", _dump_span(offset), *title]
    if name == "zoneinfo.ZoneInfo" and zone.key is not None:
        return ["zone", zone.key]
    raise IdentityError(f"the time zone {zone!r} has no name; use datetime.timezone or zoneinfo")


def _load_zone(payload: Any) -> Any:
    kind, value, *title = payload
    if kind == "zone":
        return _make("zoneinfo", "ZoneInfo", value)
    return _make("datetime", "timezone", _load_span(value), *title)


def _dump_moment(value: Any) -> object:
    # ISO text holds all but the name of the zone and which of two equal clock times is meant.
    zone = value.tzinfo
    payload = None if zone is None else _dump_zone(zone)
    unnamed = payload is None or (isinstance(payload, list) and len(payload) == 2)  # noqa: PLR2004 - no title
    if unnamed and not value.fold and (payload is None or payload[0] == "offset"):  # type: ignore[index]
        return value.isoformat()
    return [value.replace(tzinfo=None, fold=0).isoformat(), value.fold, payload]


def _moment_loader(name: str) -> Callable[[Any], object]:
    def load(payload: Any) -> object:
        cls = getattr(import_module("datetime"), name)
        if isinstance(payload, str):
            return cls.fromisoformat(payload)
        text, fold, zone = payload
        moment = cls.fromisoformat(text)
        return moment.replace(fold=fold, tzinfo=None if zone is None else _load_zone(zone))

    return load


def _dump_complex(value: complex) -> list[float]:
    return [value.real, value.imag]


def _dump_span(value: Any) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _load_span(payload: Any) -> Any:
    return _make("datetime", "timedelta", *payload)


def _load_date(text: str) -> object:
    return import_module("datetime").date.fromisoformat(text)


def _posix(value: Any) -> str:
    return str(value.as_posix())


_PATH = _by_text("path", "pathlib", "Path", _posix)
_FORMS = {
    "builtins.complex": StandardForm("complex", _dump_complex, lambda parts: complex(*parts)),
    "datetime.date": StandardForm("date", lambda value: value.isoformat(), _load_date),
    "datetime.datetime": StandardForm("datetime", _dump_moment, _moment_loader("datetime")),
    "datetime.time": StandardForm("time", _dump_moment, _moment_loader("time")),
    "datetime.timedelta": StandardForm("timedelta", _dump_span, _load_span),
    "decimal.Decimal": _by_text("decimal", "decimal", "Decimal"),
    "pathlib.PosixPath": _PATH,
    "pathlib.PurePosixPath": _by_text("posixpath", "pathlib", "PurePosixPath", _posix),
    "pathlib.PureWindowsPath": _by_text("windowspath", "pathlib", "PureWindowsPath", _posix),
    "pathlib.WindowsPath": _PATH,
    "uuid.UUID": _by_text("uuid", "uuid", "UUID"),
}
_BY_TAG = {form.tag: form for form in _FORMS.values()}
