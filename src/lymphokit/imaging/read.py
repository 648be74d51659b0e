"""One image file to one array of pixels, or the precise reason why not."""

import io
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from lymphokit.errors import ImageError
from lymphokit.files import read_regular

_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF")
_ORIENTATION = 0x0112  # the EXIF tag; 1, or any value that is not defined: as stored
_MODES = {
    "1": "black and white",
    "L": "grayscale",
    "LA": "grayscale with transparency",
    "P": "palette",
    "RGBA": "RGB with transparency",
    "I;16": "16-bit grayscale",
    "I;16B": "16-bit grayscale",
}
_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_MOST_PIXELS = 32_000_000  # ALL-IDB1's fields of view have 5 million
_MOST_BYTES = 128 * 1024**2  # so many pixels uncompressed
_TOO_LARGE = "is far larger than any image of a cell"
_PADDING = 64  # so many zero bytes at the end of a file are padding, not pixel data
# Exceptions of Pillow's decoders on damaged files; a test damages files at random.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError, struct.error)


def read_image(path: Path, size: int | None) -> NDArray[np.uint8]:
    """Read an 8-bit RGB image of `size` pixels a side, None for any size: (h, w, 3) uint8.

    Pillow gives the same pixels as OpenCV and takes 1.3 times as long, but always reports a file
    that ends too early. Data lost inside a JPEG with an intact end is not noticed if the decoder
    resynchronises.
    Raises ImageError with the finding: empty, no image, other size or mode, several frames, an EXIF
    orientation, truncated, damaged.
    """
    data = _bytes_of(path)
    _check_jpeg_ends(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they concern metadata; damaged pixels raise exceptions
        return _decode(data, size)


def open_image(path: Path) -> Image.Image:
    """An image file whose header alone was read.

    Raises ImageError with the finding: empty, no image, larger than any image of a cell.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _opened(_bytes_of(path))


def _bytes_of(path: Path) -> bytes:
    try:
        data = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise ImageError(f"cannot be opened: {error.strerror}") from error
    if not data:
        raise ImageError("is empty (0 bytes)")
    return data


def _check_jpeg_ends(data: bytes) -> None:
    """Raise ImageError unless an end-of-image marker follows the pixel data of a JPEG.

    Decoders accept a file with a tail of zeros, as an interrupted download leaves it: they fill in
    the missing pixels.
    """
    if not data.startswith(_JPEG_START):
        return
    if data.rfind(_JPEG_END) <= data.rfind(_JPEG_SCAN):
        written = len(data.rstrip(b"\0"))
        end = written if len(data) - written >= _PADDING else len(data)
        raise ImageError(f"truncated JPEG at byte {end:,}")


def _opened(data: bytes) -> ImageFile.ImageFile:
    """Read the header of an image, which bounds the memory that its pixels need."""
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise ImageError("is not a JPEG, PNG, TIFF, BMP or WebP image") from error
    except Image.DecompressionBombError as error:
        raise ImageError(_TOO_LARGE) from error
    except _DAMAGE as error:
        raise ImageError(f"has a damaged header ({error})") from error
    if image.width * image.height > _MOST_PIXELS:
        raise ImageError(f"{_TOO_LARGE}: {image.width}x{image.height} pixels")
    return image


def _decode(data: bytes, size: int | None) -> NDArray[np.uint8]:
    """Decode the pixels after a check of the header."""
    with _opened(data) as image:
        _check_header(image, size)
        _check_tail(data, image)
        try:
            if image.format == "TIFF":  # Pillow turns it while it loads, and drops the tag
                _check_orientation(image)
            image.load()  # before the EXIF of the others is read, which in a PNG follows the pixels
            _check_orientation(image)
            return np.array(image)
        except _DAMAGE as error:
            raise ImageError(_damage(image.format, len(data), str(error))) from error


def _check_tail(data: bytes, image: ImageFile.ImageFile) -> None:
    """Raise ImageError where uncompressed pixels end in zeros amid a row of the image.

    Formats that compress find such a tail themselves. Black rows end where a row ends.
    """
    row = 3 * image.width
    zeros = len(data) - len(data.rstrip(b"\0"))
    amid_a_row = zeros % row > 3  # a last pixel that is red alone ends in two zeros
    if image.format in ("TIFF", "BMP") and zeros >= max(row, _PADDING) and amid_a_row:
        raise ImageError(f"truncated {image.format} at byte {len(data) - zeros:,}: zeros follow")


def _check_header(image: ImageFile.ImageFile, size: int | None) -> None:
    if size is not None and image.size != (size, size):
        width, height = image.size
        raise ImageError(f"is {width}x{height}, expected {size}x{size}")
    if (frames := _metadata(image, _count_frames, 1)) > 1:
        raise ImageError(f"holds {frames} frames or pages, expected one")
    if image.mode != "RGB":
        raise ImageError(f"is {_MODES.get(image.mode, image.mode)}, expected 8-bit RGB")
    if "transparency" in image.info:  # one colour, which viewers leave out
        raise ImageError(f"is {_MODES['RGBA']}, expected 8-bit RGB")
    if any(";16" in str(tile.args) for tile in image.tile):  # Pillow would drop the low byte
        raise ImageError("is 16-bit RGB, expected 8-bit RGB")


def _check_orientation(image: ImageFile.ImageFile) -> None:
    orientation = _metadata(image, _read_orientation, 1)
    if orientation in range(2, 9):
        raise ImageError(
            f"has EXIF orientation {orientation}: viewers turn it; save it as it is to be seen"
        )


def _metadata(
    image: ImageFile.ImageFile, read: Callable[[ImageFile.ImageFile], int], default: int
) -> int:
    """What `read` finds in an image; the default where these bytes are damaged."""
    try:
        return read(image)
    except _DAMAGE:
        return default


def _count_frames(image: ImageFile.ImageFile) -> int:
    return int(getattr(image, "n_frames", 1))


def _read_orientation(image: ImageFile.ImageFile) -> int:
    return int(image.getexif().get(_ORIENTATION, 1))


def _damage(kind: str | None, n_bytes: int, message: str) -> str:
    if "truncated" in message.lower():
        return f"truncated {kind} at byte {n_bytes:,}"
    return f"damaged {kind} ({message})"
