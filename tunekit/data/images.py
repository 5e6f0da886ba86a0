"""Pictures as files hold them, in the one form that processors read alike: 8 bits of red, green and blue."""

import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tunekit.errors import LONGEST_PATH, cut, first_line

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # none of them runs another program
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
LONGEST_SIDE = 100  # times the other; resizing the shorter side of a thin line would fill the memory
MOST_GREY = 65535  # the white of a picture with 16 bits


def is_image(value: Any) -> bool:
    """Whether a value of a table is a picture: its bytes, its path, or a mapping with one of them."""
    if isinstance(value, Mapping):
        return any(value.get(key) is not None for key in ("bytes", "path"))
    return isinstance(value, bytes) or (isinstance(value, str) and Path(value).suffix.lower() in SUFFIXES)


def plain(value: Any) -> Any:
    """The bytes of a mapping as `datasets` writes them, or its path where it has none."""
    if isinstance(value, Mapping):
        return value.get("path") if value.get("bytes") is None else value["bytes"]
    return value


def source_of(value: Any, folder: Path) -> bytes | str:
    """The bytes of a picture, or the file they are in; relative paths start in `folder`, else here.

    Raises:
        ValueError: it is neither.
    """
    value = plain(value)
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError(f"is {cut(repr(value))}, not a picture or its path")
    for path in (folder / os.path.expanduser(value), Path(value)):
        if os.path.isfile(path):
            return str(path)
    raise ValueError(f"{cut(value, LONGEST_PATH)!r} is no file; relative paths start in {folder.absolute()}")


def read_image(source: bytes | str) -> Any:
    """A picture as PIL's RGB: the first frame, turned as its camera was held, transparency over white.

    Raises:
        ValueError: it is no picture, a damaged one, or one that would fill the memory; says which.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    warnings.simplefilter("error", Image.DecompressionBombWarning)  # else up to twice the limit is decoded
    try:
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS
        ) as image:
            if max(image.size) > LONGEST_SIDE * min(image.size):
                raise ValueError(f"{image.width:,} x {image.height:,} pixels are a line")
            return in_colour(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise ValueError(f"is no picture in a format that can be read ({', '.join(FORMATS)})") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"is too large to be decoded ({first_line(error)}); make it smaller") from None
    except Exception as error:  # decoders raise whatever the damage leads to
        raise ValueError(f"cannot be decoded ({first_line(error)})") from None


def in_colour(image: Any) -> Any:
    """A picture of any mode in RGB."""
    from PIL import Image

    if image.mode[0] in "IF":
        image = eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def eight_bits(image: Any) -> Any:
    """Grey of 16 bits, or of fractions, in 8: PIL itself cuts off at 255, which turns most pictures white."""
    from PIL import Image

    white = 1 if image.mode == "F" else MOST_GREY
    grey = np.asarray(image).astype(np.float64)  # (height, width)
    if not (grey.min() >= 0 and grey.max() <= white):
        raise ValueError(f"grey from {grey.min():g} to {grey.max():g} is outside 0 to {white}")
    return Image.fromarray(np.rint(grey * (255 / white)).astype(np.uint8))
