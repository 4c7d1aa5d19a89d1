"""The plugin for Pillow: images as PNG files, and as TIFF where PNG lacks the mode."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs

from metalab.hookspecs import hookimpl
from metalab.serializers.soft import class_in_use, not_installed

if TYPE_CHECKING:
    from metalab.serializers.base import Serializer

__all__ = ["ImageSerializer"]

_KEPT = ("icc_profile", "transparency")


@attrs.frozen
class ImageSerializer:
    """One image in a lossless file: mode, size, pixels, palette and transparency come back.

    Of what else its file said (``info``) the colour profile is kept, and nothing more. An
    image that was opened from a file comes back as a plain one.
    """

    format: str
    extension: str
    modes: frozenset[str]
    kind: str = "image"

    def can_handle(self, obj: object) -> bool:
        """Tell whether it is a single image of one of the form's modes."""
        return _is_image(obj) and obj.mode in self.modes and _frames(obj) == 1  # type: ignore[attr-defined]  # it is an image

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write an image; ValueError says what would be altered, TypeError refuses all else."""
        if not _is_image(obj):
            raise TypeError(f"a PIL image is wanted, not {type(obj).__name__}")
        if obj.mode not in self.modes:
            raise ValueError(f"an image of mode {obj.mode!r} has no lossless form; .convert() it")
        if (frames := _frames(obj)) > 1:
            raise ValueError(f"the image has {frames} frames; keep them one by one, or its file")
        content = io.BytesIO()
        plain = obj.copy()
        kept = {name: obj.info[name] for name in _KEPT if name in obj.info}
        plain.info = kept
        plain.save(content, format=self.extension, **kept)
        if fault := _fault(plain, self.load(content)):
            raise ValueError(f"the image would come back altered: {fault}")
        file.write(content.getbuffer())

    def load(self, file: BinaryIO) -> Any:
        """Read the image; MissingExtraError without Pillow."""
        file.seek(0)
        image = _pillow().open(file, formats=[self.extension])
        made = image.copy()
        made.info = {name: image.info[name] for name in _KEPT if name in image.info}
        return made


def _fault(image: Any, back: Any) -> str | None:
    for what in ("mode", "size", "info"):
        one, other = getattr(image, what), getattr(back, what)
        if one != other:
            return f"its {what} {one!r} as {other!r}"
    if image.tobytes() != back.tobytes():
        return "its pixels as others"
    # A file holds the colours that are used, or all 256.
    if image.mode == "P" and image.convert("RGBA").tobytes() != back.convert("RGBA").tobytes():
        return "its palette as another"
    return None


def _is_image(obj: object) -> bool:
    if type(obj) is class_in_use("PIL.Image", "Image"):
        return True
    opened = class_in_use("PIL.ImageFile", "ImageFile")
    return opened is not None and isinstance(obj, opened)


def _frames(image: Any) -> int:
    return int(getattr(image, "n_frames", 1))


def _pillow() -> Any:
    try:
        from PIL import Image  # noqa: PLC0415  a soft dependency
    except ImportError as error:
        raise not_installed("images", "Pillow", "pillow") from error
    return Image


_PNG = ImageSerializer("PIL/png", "png", frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}))
_TIFF = ImageSerializer("PIL/tiff", "tiff", frozenset({"CMYK", "F", "I", "LAB"}))
_FORMS = (_PNG, _TIFF)


@hookimpl
def metalab_serializer_for(obj: object) -> Serializer | None:
    """Choose the form for an image by its mode, PNG to refuse what has none."""
    if not _is_image(obj):
        return None
    return next((form for form in _FORMS if form.can_handle(obj)), _PNG)


@hookimpl
def metalab_serializer_named(format: str) -> Serializer | None:  # noqa: A002  the hook's name for it
    """Return the serializer of a ``PIL/...`` format."""
    return next((form for form in _FORMS if form.format == format), None)
