"""What happens to pictures before somebody wants them larger.

For ``gain_net.py`` and ``chosen.py``. More than nets are trained on
(``hyperfocal.training.degradations``): also what phones, screens and printers do. Each is a
function of an RGB picture of Pillow, given a generator of random numbers; :data:`MISHAPS` draw how
much of it, :data:`KINDS` are examples of one strength.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter

Picture = Image.Image
Generator = np.random.Generator
Floats = npt.NDArray[np.float64]
Mishap = Callable[[Picture, Generator], Picture]

FILTERS = (
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
    Image.Resampling.BOX,
    Image.Resampling.HAMMING,
    Image.Resampling.BILINEAR,
)
_BICUBIC = Image.Resampling.BICUBIC


def stored(picture: Picture, kind: str, **options: object) -> Picture:
    """What a file of the format ``kind`` gives back."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def jpeg(picture: Picture, quality: float, subsampling: int = 2) -> Picture:
    """``subsampling``: 0 for 4:4:4, 2 for 4:2:0."""
    return stored(picture, "JPEG", quality=int(quality), subsampling=subsampling)


def webp(picture: Picture, quality: float) -> Picture:
    """Lossy."""
    return stored(picture, "WEBP", quality=int(quality))


def noise(
    picture: Picture, generator: Generator, sigma: float, grey: bool = False, grain: float = 0.0
) -> Picture:
    """Gaussian, ``sigma`` in levels; ``grain``: blurred by that many pixels."""
    found = generator.normal(0.0, 1.0, (picture.height, picture.width, 1 if grey else 3))
    if grain:
        found = _gaussian(found, grain)
        found /= found.std()
    return _picture(_array(picture) + found * sigma)


def shot_noise(picture: Picture, generator: Generator, electrons: float) -> Picture:
    """Of a sensor whose white is so many electrons, in linear light."""
    light = (_array(picture) / 255.0) ** 2.2
    caught = generator.poisson(light * electrons) / electrons
    caught = caught + generator.normal(0.0, 2.0 / electrons, light.shape)
    return _picture(np.clip(caught, 0.0, 1.0) ** (1.0 / 2.2) * 255.0)


def colour_noise(picture: Picture, generator: Generator, sigma: float, grain: float) -> Picture:
    """Of the two differences of colour only."""
    planes = _array(picture.convert("YCbCr"))
    found = _gaussian(generator.normal(0.0, 1.0, (*planes.shape[:2], 2)), grain)
    planes[..., 1:] += found / found.std() * sigma
    return _picture(planes, "YCbCr")


def denoised(picture: Picture, share: float, blur: float) -> Picture:
    """As small cameras do: ``share`` of a median of 3x3, colours blurred by ``blur`` pixels."""
    mixed = Image.blend(picture, picture.filter(ImageFilter.MedianFilter(3)), share)
    planes = _array(mixed.convert("YCbCr"))
    planes[..., 1:] = _gaussian(planes[..., 1:], blur)
    return _picture(planes, "YCbCr")


def sharpened(picture: Picture, radius: float, percent: float, threshold: int = 0) -> Picture:
    """By an unsharp mask."""
    return picture.filter(ImageFilter.UnsharpMask(radius, int(percent), threshold))


def phone(picture: Picture, generator: Generator) -> Picture:
    """Noise of a small sensor, taken away, then sharpened."""
    return sharpened(denoised(shot_noise(picture, generator, 900.0), 0.7, 1.5), 1.0, 120.0)


def blurred(picture: Picture, sigma: float) -> Picture:
    """By a Gaussian of ``sigma`` pixels."""
    return _picture(_gaussian(_array(picture), sigma))


def enlarged(picture: Picture, factor: float, by: Image.Resampling = _BICUBIC) -> Picture:
    """Once smaller by ``factor``, and enlarged to this size."""
    return _smaller(picture, factor).resize(picture.size, by)


def compressed_larger(picture: Picture, factor: float, quality: float) -> Picture:
    """Once larger by ``factor``, a JPEG, and reduced to this size."""
    larger = round(picture.width * factor), round(picture.height * factor)
    return jpeg(picture.resize(larger, _BICUBIC), quality).resize(picture.size, _BICUBIC)


def cut_from_jpeg(picture: Picture, quality: float) -> Picture:
    """Cut out of a JPEG, beside its grid of blocks."""
    around = np.pad(np.asarray(picture), ((3, 5), (5, 3), (0, 0)), mode="edge")
    whole = jpeg(Image.fromarray(around), quality)
    return whole.crop((5, 3, 5 + picture.width, 3 + picture.height))


def few_colours(picture: Picture, colours: int, dithered: bool = True) -> Picture:
    """With a palette."""
    dither = Image.Dither.FLOYDSTEINBERG if dithered else Image.Dither.NONE
    return picture.quantize(colours, dither=dither).convert("RGB")


def printed(picture: Picture, generator: Generator, period: float, strength: float) -> Picture:
    """A screen of dots over each colour, ``period`` pixels wide and ``strength`` levels strong."""
    y, x = np.mgrid[: picture.height, : picture.width]
    pixels = _array(picture)
    for colour, angle in enumerate(generator.uniform(0.0, np.pi / 2.0, 3)):
        along = (x * np.cos(angle) + y * np.sin(angle)) * 2.0 * np.pi / period
        across = (y * np.cos(angle) - x * np.sin(angle)) * 2.0 * np.pi / period
        pixels[..., colour] += strength * (np.cos(along) + np.cos(across))
    return _picture(pixels)


def _drawn_noise(picture: Picture, g: Generator) -> Picture:
    grain = g.uniform(0.4, 1.3) if g.random() < 0.35 else 0.0
    return noise(picture, g, _log_uniform(g, 0.7, 12.0), g.random() < 0.35, grain)


def _drawn_shot_noise(picture: Picture, g: Generator) -> Picture:
    return shot_noise(picture, g, _log_uniform(g, 150.0, 6000.0))


def _drawn_sharpening(picture: Picture, g: Generator) -> Picture:
    return sharpened(
        picture, g.uniform(0.4, 2.5), g.uniform(25.0, 250.0), int(g.choice([0, 0, 0, 2, 3]))
    )


def _drawn_colour_noise(picture: Picture, g: Generator) -> Picture:
    return colour_noise(picture, g, g.uniform(2.0, 14.0), g.uniform(0.4, 2.0))


def _drawn_denoising(picture: Picture, g: Generator) -> Picture:
    return denoised(picture, g.uniform(0.3, 1.0), g.uniform(0.6, 2.0))


def _drawn_phone(picture: Picture, g: Generator) -> Picture:
    return _drawn_sharpening(_drawn_denoising(_drawn_shot_noise(picture, g), g), g)


def _drawn_blur(picture: Picture, g: Generator) -> Picture:
    return blurred(picture, g.uniform(0.35, 1.5))


def _drawn_enlargement(picture: Picture, g: Generator) -> Picture:
    small = _smaller(picture, g.uniform(1.15, 2.2))
    if g.random() < 0.3:
        small = jpeg(small, g.uniform(45.0, 92.0), _subsampling(g))
    ways = [_BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS, Image.Resampling.NEAREST]
    way = ways[int(g.choice(len(ways), p=[0.4, 0.3, 0.2, 0.1]))]
    return small.resize(picture.size, way)


def _drawn_larger_jpeg(picture: Picture, g: Generator) -> Picture:
    return compressed_larger(picture, g.uniform(1.2, 2.0), g.uniform(35.0, 85.0))


def _drawn_cut(picture: Picture, g: Generator) -> Picture:
    return cut_from_jpeg(picture, g.uniform(40.0, 92.0))


def _drawn_palette(picture: Picture, g: Generator) -> Picture:
    return few_colours(picture, int(g.choice([32, 64, 128, 256])), g.random() < 0.7)


def _drawn_screen(picture: Picture, g: Generator) -> Picture:
    return printed(picture, g, g.uniform(2.2, 5.0), g.uniform(4.0, 18.0))


# And how often, relative to each other.
MISHAPS: Mapping[Mishap, float] = {
    _drawn_noise: 3.0,
    _drawn_shot_noise: 2.0,
    _drawn_sharpening: 6.0,
    _drawn_colour_noise: 1.0,
    _drawn_phone: 2.5,
    _drawn_blur: 1.5,
    _drawn_enlargement: 2.0,
    _drawn_larger_jpeg: 1.5,
    _drawn_cut: 1.5,
    _drawn_palette: 0.8,
    _drawn_screen: 0.6,
    _drawn_denoising: 0.7,
}


def drawn_compression(picture: Picture, g: Generator) -> Picture:
    """A JPEG, or now and then WebP, of any usual quality."""
    quality = g.uniform(55.0, 99.0)
    if g.random() < 0.15:
        return webp(picture, quality)
    return jpeg(picture, quality, _subsampling(g))


def reduced(picture: Picture, scale: int, by: Image.Resampling = _BICUBIC) -> Picture:
    """Smaller by a whole number."""
    return picture.resize((picture.width // scale, picture.height // scale), by)


def unfiltered(picture: Picture, scale: int) -> Picture:
    """Every ``scale``-th pixel."""
    return Image.fromarray(np.ascontiguousarray(np.asarray(picture)[::scale, ::scale]))


def _fixed(step: Callable[..., Picture], *values: float) -> Mishap:
    return lambda picture, g: step(picture, *values)


@dataclass(frozen=True)
class Kind:
    """``mishap``: what a picture met with; ``quality``: of the JPEG it was stored as then."""

    mishap: Mishap | None = None
    quality: int | None = None

    def of(self, picture: Picture, generator: Generator) -> Picture:
        """The picture after it."""
        met = picture if self.mishap is None else self.mishap(picture, generator)
        return met if self.quality is None else jpeg(met, self.quality)


# What is done to a picture that was reduced bicubically, in words.
KINDS: Mapping[str, Kind] = {
    "nothing": Kind(),
    "JPEG 95": Kind(None, 95),
    "JPEG 90": Kind(None, 90),
    "JPEG 85": Kind(None, 85),
    "JPEG 75": Kind(None, 75),
    "WebP 90": Kind(_fixed(webp, 90)),
    "cut from a JPEG 60, then JPEG 95": Kind(_fixed(cut_from_jpeg, 60), 95),
    "reduced from a JPEG 60": Kind(_fixed(compressed_larger, 1.5, 60)),
    "noise of 2 levels": Kind(partial(noise, sigma=2.0)),
    "noise of 4 levels": Kind(partial(noise, sigma=4.0)),
    "noise of 6 levels, then JPEG 92": Kind(partial(noise, sigma=6.0), 92),
    "shot noise, 800 electrons": Kind(partial(shot_noise, electrons=800.0)),
    "grain of 6 levels": Kind(partial(noise, sigma=6.0, grey=True, grain=1.2)),
    "sharpened, radius 0.6, 60 %": Kind(_fixed(sharpened, 0.6, 60)),
    "sharpened, radius 1, 100 %": Kind(_fixed(sharpened, 1.0, 100)),
    "sharpened, radius 1, 200 %": Kind(_fixed(sharpened, 1.0, 200)),
    "sharpened, radius 1, 100 %, then JPEG 90": Kind(_fixed(sharpened, 1.0, 100), 90),
    "as a phone does, then JPEG 92": Kind(phone, 92),
    "blurred by 0.8 pixels": Kind(_fixed(blurred, 0.8)),
    "enlarged before, 1.5 times": Kind(_fixed(enlarged, 1.5)),
    "256 colours, dithered": Kind(_fixed(few_colours, 256)),
    "printed": Kind(partial(printed, period=3.2, strength=14.0)),
}


def _smaller(picture: Picture, factor: float) -> Picture:
    size = max(8, round(picture.width / factor)), max(8, round(picture.height / factor))
    return picture.resize(size, _BICUBIC)


def _subsampling(g: Generator) -> int:
    return int(g.choice([0, 2, 2]))


def _log_uniform(g: Generator, least: float, most: float) -> float:
    return float(np.exp(g.uniform(np.log(least), np.log(most))))


def _gaussian(values: Floats, sigma: float) -> Floats:
    made: Floats = gaussian_filter(
        values, sigma, axes=(0, 1), mode="mirror", radius=int(3.0 * sigma + 1.0)
    )
    return made


def _array(picture: Picture) -> Floats:
    return np.asarray(picture).astype(np.float64)


def _picture(values: Floats, mode: str = "RGB") -> Picture:
    levels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return Image.fromarray(levels, mode).convert("RGB")
