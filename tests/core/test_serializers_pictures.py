"""Images of Pillow and figures of matplotlib: lossless files, refused where there is none."""

from __future__ import annotations

import io

import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageCms

from core.test_serializers import through, written
from metalab.errors import CaptureError
from metalab.serializers import serializer_for, serializer_named

PNG = b"\x89PNG\r\n\x1a\n"
BYTES_OF_A_PIXEL = {"I;16": 2, "I": 4, "F": 4, "LA": 2, "RGB": 3, "LAB": 3, "RGBA": 4, "CMYK": 4}


def image(mode, size=(8, 3)):
    pixels = size[0] * size[1]
    if mode == "1":
        return Image.frombytes("L", size, bytes(range(0, 240, 10))).convert("1")
    width = BYTES_OF_A_PIXEL.get(mode, 1)
    # Small values of every byte, so that floats are numbers.
    made = Image.frombytes(mode, size, bytes(i * 7 % 64 for i in range(pixels * width)))
    if mode == "P":
        made.putpalette([255 - i % 256 for i in range(768)])
    return made


def multiframe():
    file = io.BytesIO()
    image("L").save(file, format="gif", save_all=True, append_images=[image("L").rotate(180)])
    return Image.open(io.BytesIO(file.getvalue()))


class TestImages:
    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
    def test_are_png_files_where_png_has_the_mode(self, mode):
        assert written(image(mode)).startswith(PNG)
        self._check(image(mode))

    @pytest.mark.parametrize("mode", ["CMYK", "F", "I", "LAB"])
    def test_are_tiff_files_where_it_has_not(self, mode):
        assert serializer_for(image(mode)).format == "PIL/tiff"
        self._check(image(mode))

    def _check(self, given):
        back = through(given)
        assert type(back) is Image.Image
        assert (back.mode, back.size) == (given.mode, given.size)
        assert back.tobytes() == given.tobytes()
        assert back.convert("RGB").tobytes() == given.convert("RGB").tobytes()

    @pytest.mark.parametrize("mode", ["YCbCr", "HSV", "RGBX", "PA"])
    def test_of_modes_without_a_lossless_form_are_refused(self, mode):
        with pytest.raises(ValueError, match=f"mode '{mode}' has no lossless form"):
            written(Image.new(mode, (2, 2)))

    def test_keep_transparency_and_the_colour_profile(self):
        given = image("P")
        given.info["transparency"] = 3
        given.info["icc_profile"] = ImageCms.ImageCmsProfile(
            ImageCms.createProfile("sRGB")
        ).tobytes()
        given.info["comment"] = "not kept"
        back = through(given)
        assert back.info == {name: given.info[name] for name in ("transparency", "icc_profile")}
        assert given.info["comment"] == "not kept"

    def test_that_were_opened_from_a_file_are_kept_as_plain_ones(self):
        file = io.BytesIO()
        image("RGB").save(file, format="bmp")
        back = through(Image.open(file))
        assert type(back) is Image.Image
        assert back.tobytes() == image("RGB").tobytes()

    def test_of_several_frames_are_refused(self):
        with pytest.raises(ValueError, match="2 frames"):
            written(multiframe())

    def test_a_file_of_another_format_is_not_read(self):
        with pytest.raises(OSError, match="cannot identify"):
            serializer_named("PIL/png").load(io.BytesIO(written(image("F"))))

    def test_other_objects_are_refused(self):
        with pytest.raises(TypeError, match="a PIL image is wanted, not list"):
            serializer_named("PIL/png").dump([1], io.BytesIO())


class TestFigures:
    def test_are_png_files_and_come_back_as_their_bytes(self):
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([1, 2])
        found = serializer_for(figure)
        assert (found.kind, found.format) == ("figure", "matplotlib/png")
        back = through(figure)
        assert back.startswith(PNG)
        assert Image.open(io.BytesIO(back)).size == (300, 150)

    def test_other_objects_are_refused(self):
        with pytest.raises(TypeError, match="a matplotlib Figure is wanted, not list"):
            serializer_named("matplotlib/png").dump([1], io.BytesIO())
        with pytest.raises(CaptureError, match="nothing keeps"):
            serializer_for(Figure().subplots())
