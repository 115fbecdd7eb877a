"""What a training is made of: machine, net and data, as text to be kept with it."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities.model_summary import ModelSummary

from hyperfocal.models.hardware import processor
from hyperfocal.text import encodable


def machine() -> str:
    """The graphics card if there is one, the processor, and the libraries."""
    lines = []
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        lines.append(
            f"GPU {index}: {card.name}, {card.total_memory / 2**30:.1f} GiB, "
            f"compute capability {card.major}.{card.minor}"
        )
    if lines:
        lines += [f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}", *_driver()]
    else:
        lines.append("no GPU")
    cpu = processor()
    lines += [
        f"CPU: {cpu.name}, {cpu.cores} cores available, {torch.get_num_threads()} torch threads",
        f"bf16 products: {'yes' if cpu.has_bf16 else 'no'}",
        f"{platform.platform()}, Python {platform.python_version()}",
        f"torch {torch.__version__}, Lightning {lightning.__version__}",
    ]
    return "\n".join(lines) + "\n"


def hardware(device: torch.device, processes: int = 1) -> str:
    """What a training on ``device`` runs on, in a few words, and how many processes share it."""
    if device.type == "cuda":
        return f"{processes} x {torch.cuda.get_device_name(device)}"
    cpu = processor()
    each = f"{cpu.cores} cores of {cpu.name}"
    return each if processes == 1 else f"{processes} workers, each on {each}"


def _driver() -> list[str]:
    """What the driver's own tool says, where it is installed."""
    try:
        told = subprocess.run(
            ["nvidia-smi"], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [told.stdout.rstrip()]


def net_summary(module: lightning.LightningModule) -> str:
    """Layers and numbers of parameters."""
    return f"{ModelSummary(module, max_depth=3)}\n"


def trainable(net: torch.nn.Module) -> int:
    """How many numbers the training changes."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def manifest(parts: Mapping[str, list[Path]]) -> tuple[str, str]:
    """Every picture of a data set with its SHA-256, a line each, and the digest of that text.

    ``parts``: files by what they are for. Only names count, not folders, so that the same data
    has the same digest wherever it lies. Bytes of a name that are no text are escaped.
    """
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {part}/{encodable(path.name)}"
        for part, files in parts.items()
        for path in files
    ]
    text = "\n".join(lines) + "\n"
    return text, hashlib.sha256(text.encode()).hexdigest()


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with names such as ``schedule.rate``; what is None is left out."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{key}."))
        elif value is not None:
            found[f"{prefix}{key}"] = value
    return found
