import subprocess
import sys

import pytest

import hyperfocal


def test_the_public_names_are_these_and_no_others():
    assert hyperfocal.__all__ == [
        "Comparison",
        "Facts",
        "Fidelity",
        "HyperfocalError",
        "Picture",
        "Result",
        "Settings",
        "Upscaler",
        "__version__",
        "compare",
        "errors",
        "inspect",
        "models",
        "open",
        "upscale",
    ]
    assert dir(hyperfocal) == sorted(hyperfocal.__all__)


@pytest.mark.parametrize("name", hyperfocal.__all__)
def test_every_name_is_there(name):
    assert getattr(hyperfocal, name) is not None


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="no attribute 'upscal'"):
        _ = hyperfocal.upscal


def test_public_things_say_where_they_are_from():
    from hyperfocal.errors import HyperfocalError
    from hyperfocal.imaging import Picture

    assert hyperfocal.HyperfocalError is HyperfocalError
    assert hyperfocal.Picture is Picture
    assert callable(hyperfocal.models.list)


def run(script):
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_importing_is_cheap():
    """Nothing heavy comes in before it is used: what is imported costs start-up time."""
    script = (
        "import sys; before = set(sys.modules); import hyperfocal;"
        "print(*(set(sys.modules) - before))"
    )
    imported = {name.partition(".")[0] for name in run(script).split()}
    assert imported - set(sys.stdlib_module_names) == {"hyperfocal"}


def test_an_upscaler_needs_no_engine_until_a_model_does():
    script = (
        "import sys, numpy, hyperfocal;"
        "out = hyperfocal.upscale(numpy.zeros((4, 4, 3), 'uint8'), scale=2, model='bicubic-x2');"
        "print(out.shape, *sys.modules)"
    )
    printed = run(script)
    assert printed.startswith("(8, 8, 3)")
    heavy = {"openvino", "onnxruntime", "onnx", "torch", "PIL", "rich", "imagecodecs", "tifffile"}
    assert not heavy & set(printed.split())
