"""How good a picture is: metrics against a reference, fidelity to the input, exact resizing."""

from hyperfocal.quality.decibels import DECIBEL_CAP
from hyperfocal.quality.fidelity import consistency, degrade
from hyperfocal.quality.metrics import Scores, mse, psnr, scores, snr, ssim
from hyperfocal.quality.resize import imresize, resize_picture_array

__all__ = [
    "DECIBEL_CAP",
    "Scores",
    "consistency",
    "degrade",
    "imresize",
    "mse",
    "psnr",
    "resize_picture_array",
    "scores",
    "snr",
    "ssim",
]
