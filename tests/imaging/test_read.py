"""One image: its exact pixels, or the precise reason why not."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lymphokit.errors import ImageError
from lymphokit.imaging.read import read_image

SIZE = 24
PIXELS = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


def encode(pixels: NDArray[Any], kind: str, mode: str | None = None, **options: Any) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(stream, kind, **options)
    return stream.getvalue()


JPEG = encode(PIXELS, "JPEG", quality=95)


def finding(folder: Path, data: bytes, name: str = "a.jpg") -> str:
    (folder / name).write_bytes(data)
    with pytest.raises(ImageError) as error:
        read_image(folder / name, SIZE)
    return str(error.value)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_lossless_images_are_read_as_they_are(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(encode(PIXELS, kind))
    np.testing.assert_array_equal(read_image(tmp_path / "a", SIZE), PIXELS)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_pixels_are_those_that_opencv_reads(tmp_path: Path, options: dict[str, Any]) -> None:
    data = encode(PIXELS, "JPEG", **options)
    (tmp_path / "a.jpg").write_bytes(data)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    pixels = read_image(tmp_path / "a.jpg", SIZE)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("cut", [len(JPEG) - 1, len(JPEG) - 2, len(JPEG) - 40, len(JPEG) // 2])
def test_a_truncated_jpeg_is_reported_with_its_last_byte(tmp_path: Path, cut: int) -> None:
    assert finding(tmp_path, JPEG[:cut]) == f"truncated JPEG at byte {cut:,}"


def test_a_jpeg_with_a_tail_of_zeros_is_reported_with_its_last_byte(tmp_path: Path) -> None:
    large = encode(np.tile(PIXELS, (6, 6, 1)), "JPEG", quality=95)
    cut = next(at for at in range(11_000, len(large)) if large[at - 1])
    message = finding(tmp_path, large[:cut] + bytes(len(large) - cut))
    assert message == f"truncated JPEG at byte {cut:,}"


def test_a_complete_thumbnail_does_not_hide_a_truncated_image(tmp_path: Path) -> None:
    segment = b"\xff\xe1" + struct.pack(">H", len(JPEG) + 2) + JPEG
    with_thumbnail = JPEG[:2] + segment + JPEG[2:]
    (tmp_path / "whole.jpg").write_bytes(with_thumbnail)
    assert read_image(tmp_path / "whole.jpg", SIZE).shape == (SIZE, SIZE, 3)
    cut = len(with_thumbnail) - 300
    assert finding(tmp_path, with_thumbnail[:cut]) == f"truncated JPEG at byte {cut:,}"


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG + bytes(100) + b"camera notes")
    assert read_image(tmp_path / "a.jpg", SIZE).shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize(
    ("kind", "behind"), [("JPEG", 1), ("PNG", 30), ("TIFF", 1), ("BMP", 1), ("WEBP", 1)]
)
def test_no_image_cut_within_its_pixels_passes(tmp_path: Path, kind: str, behind: int) -> None:
    data = encode(PIXELS, kind)
    for cut in [*range(1, len(data) - behind, 37), len(data) - behind]:
        finding(tmp_path, data[:cut])


def test_a_truncated_png_says_so(tmp_path: Path) -> None:
    assert finding(tmp_path, encode(PIXELS, "PNG")[:1000]) == "truncated PNG at byte 1,000"


def test_another_size_is_reported_as_width_by_height(tmp_path: Path) -> None:
    pixels = np.zeros((30, 20, 3), np.uint8)
    assert finding(tmp_path, encode(pixels, "JPEG")) == "is 20x30, expected 24x24"


@pytest.mark.parametrize(
    ("kind", "mode", "name"),
    [
        ("JPEG", "L", "grayscale"),
        ("JPEG", "CMYK", "CMYK"),
        ("PNG", "RGBA", "RGB with transparency"),
        ("PNG", "LA", "grayscale with transparency"),
        ("PNG", "P", "palette"),
        ("PNG", "1", "black and white"),
        ("TIFF", "L", "grayscale"),
    ],
)
def test_an_image_of_another_mode_is_refused(
    tmp_path: Path, kind: str, mode: str, name: str
) -> None:
    assert finding(tmp_path, encode(PIXELS, kind, mode)) == f"is {name}, expected 8-bit RGB"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_not_cut_to_eight(tmp_path: Path, suffix: str) -> None:
    wide = PIXELS.astype(np.uint16) * 256
    for pixels, name in ((wide, "16-bit RGB"), (wide[..., 0], "16-bit grayscale")):
        data = cv2.imencode(suffix, pixels)[1].tobytes()
        assert finding(tmp_path, data) == f"is {name}, expected 8-bit RGB"


@pytest.mark.parametrize(
    "data", [b"GIF89a" + bytes(50), b"<html></html>", b"\x00" * 500, b"\x89PNG"]
)
def test_a_file_that_is_no_image_is_refused(tmp_path: Path, data: bytes) -> None:
    assert finding(tmp_path, data) == "is not a JPEG, PNG, TIFF, BMP or WebP image"


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert finding(tmp_path, b"") == "is empty (0 bytes)"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be opened: No such file"):
        read_image(tmp_path / "a.jpg", SIZE)


def test_a_huge_image_is_refused_before_decoding(tmp_path: Path) -> None:
    side = struct.pack(">II", 60_000, 60_000)
    chunks = [b"IHDR" + side + bytes([8, 2, 0, 0, 0]), b"IDAT" + zlib.compress(bytes(100))]
    data = b"\x89PNG\r\n\x1a\n"
    for chunk in chunks:
        data += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    assert finding(tmp_path, data) == "is far larger than any image of a cell"


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(kind=st.sampled_from(["JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF"]), data=st.data())
def test_an_image_damaged_at_random_is_read_or_refused(
    tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    content = bytearray(encode(PIXELS, kind))
    places = st.integers(0, min(len(content) - 1, data.draw(st.sampled_from([60, 10**6]))))
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=5)):
        content[at] = value
    (tmp_path / "a").write_bytes(content)
    try:
        assert read_image(tmp_path / "a", SIZE).shape == (SIZE, SIZE, 3)
    except ImageError as error:
        assert str(error)  # noqa: PT017


def test_a_lossless_webp_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.webp").write_bytes(encode(PIXELS, "WEBP", lossless=True))
    np.testing.assert_array_equal(read_image(tmp_path / "a.webp", SIZE), PIXELS)


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "PNG", "MPO"])
def test_frames_after_the_first_are_not_dropped_in_silence(tmp_path: Path, kind: str) -> None:
    others = [Image.fromarray(np.roll(PIXELS, shift, axis=0)) for shift in (1, 2)]
    data = encode(PIXELS, kind, save_all=True, append_images=others)
    assert finding(tmp_path, data) == "holds 3 frames or pages, expected one"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_an_image_that_viewers_turn_is_refused(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert f"EXIF orientation {orientation}" in finding(tmp_path, encode(PIXELS, kind, exif=exif))


def test_an_orientation_as_stored_is_no_fault(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    (tmp_path / "a.png").write_bytes(encode(PIXELS, "PNG", exif=exif))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", SIZE), PIXELS)


def test_a_transparent_colour_is_refused(tmp_path: Path) -> None:
    found = finding(tmp_path, encode(PIXELS, "PNG", transparency=(1, 2, 3)))
    assert found == "is RGB with transparency, expected 8-bit RGB"
