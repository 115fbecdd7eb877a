"""What happens to photographs: blur, resizing, noise, low light, sharpening, compression.

Each kind of step is a frozen dataclass of ranges with ``draw``, which decides one concrete step
by a seeded generator; a concrete step has ``apply`` and says what it does. :class:`Degradations`
strings them together into low-resolution pictures.
"""

from hyperfocal.training.degradations.compression import Compress, CompressionRange
from hyperfocal.training.degradations.kernels import Blur, BlurRange
from hyperfocal.training.degradations.low_light import LowLight, LowLightRange
from hyperfocal.training.degradations.noise import Noise, NoiseRange
from hyperfocal.training.degradations.pipeline import Degradations, Recipe, seed_of
from hyperfocal.training.degradations.resizing import Resize, ResizeRange
from hyperfocal.training.degradations.sharpening import Sharpen, SharpenRange

__all__ = [
    "Blur",
    "BlurRange",
    "Compress",
    "CompressionRange",
    "Degradations",
    "LowLight",
    "LowLightRange",
    "Noise",
    "NoiseRange",
    "Recipe",
    "Resize",
    "ResizeRange",
    "Sharpen",
    "SharpenRange",
    "seed_of",
]
