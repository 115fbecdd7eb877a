"""Which weights a picture of the documentation is of, kept in the picture as its description."""

from __future__ import annotations

from pathlib import Path

from PIL import ExifTags, Image


def save(picture: Image.Image, path: Path, told: str, quality: int) -> None:
    """Write a WebP that tells ``told``; nothing where that is ""."""
    exif = Image.Exif()
    if told:
        exif[ExifTags.Base.ImageDescription] = told
    picture.save(path, quality=quality, method=6, exif=exif)


def read(path: Path) -> str:
    """What a picture tells, "" where it was made before they did."""
    with Image.open(path) as picture:
        return str(picture.getexif().get(ExifTags.Base.ImageDescription, ""))
