"""Pillow: images by mode, size, pixels, palette and info."""

from __future__ import annotations

from typing import Any

from ipycheckpoint.identity.registry import qualified, shapes_of
from ipycheckpoint.identity.shapes import Shape, named, text


@shapes_of("PIL.Image.Image")
def _image(image: Any) -> Shape:
    kind = type(image)
    # Read from a file or made in memory: an image of Pillow's is the same image.
    own = "" if kind.__module__.startswith("PIL.") else qualified(kind)
    pixels = image.tobytes()  # before the rest, as this is what reads a file
    palette = image.palette
    colours = (palette.mode, bytes(palette.tobytes())) if palette is not None else None
    head = (text(own), text(image.mode), text(image.size), pixels)
    return Shape("PIL.Image", head, (colours, image.info), named(".palette", ".info"))
