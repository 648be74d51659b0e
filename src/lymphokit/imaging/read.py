"""One image file to one array of pixels, or the precise reason why not."""

import io
import struct
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from lymphokit.errors import ImageError

_FORMATS = ("JPEG", "PNG", "TIFF")
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
_PADDING = 64  # so many zero bytes at the end of a file are padding, not pixel data
# Exceptions of Pillow's decoders on damaged files; a test damages files at random.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError, struct.error)


def read_image(path: Path, size: int | None) -> NDArray[np.uint8]:
    """Read an 8-bit RGB image of `size` pixels a side, None for any size: (h, w, 3) uint8.

    Pillow gives the same pixels as OpenCV and takes 1.3 times as long, but always reports a file
    that ends too early. Data lost inside a JPEG with an intact end is not noticed if the decoder
    resynchronises.
    Raises ImageError with the finding: empty, no image, other size or mode, truncated, damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be opened: {error.strerror}") from error
    if not data:
        raise ImageError("is empty (0 bytes)")
    _check_jpeg_ends(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they concern metadata; damaged pixels raise exceptions
        return _decode(data, size)


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


def _decode(data: bytes, size: int | None) -> NDArray[np.uint8]:
    """Decode the pixels after a check of the header, which bounds the memory that is needed."""
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise ImageError("is not a JPEG, PNG or TIFF image") from error
    except Image.DecompressionBombError as error:
        raise ImageError("is far larger than any image of a cell") from error
    except _DAMAGE as error:
        raise ImageError(f"has a damaged header ({error})") from error
    with image:
        _check_header(image, size)
        try:
            image.load()
            return np.array(image)
        except _DAMAGE as error:
            raise ImageError(_damage(image.format, len(data), str(error))) from error


def _check_header(image: ImageFile.ImageFile, size: int | None) -> None:
    if size is not None and image.size != (size, size):
        width, height = image.size
        raise ImageError(f"is {width}x{height}, expected {size}x{size}")
    if image.mode != "RGB":
        raise ImageError(f"is {_MODES.get(image.mode, image.mode)}, expected 8-bit RGB")
    if any(";16" in str(tile.args) for tile in image.tile):  # Pillow would drop the low byte
        raise ImageError("is 16-bit RGB, expected 8-bit RGB")


def _damage(kind: str | None, n_bytes: int, message: str) -> str:
    if "truncated" in message.lower():
        return f"truncated {kind} at byte {n_bytes:,}"
    return f"damaged {kind} ({message})"
