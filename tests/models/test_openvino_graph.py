import subprocess
import sys


def test_importing_openvino_reports_to_nobody():
    """A fresh process: once imported, nothing can be taken back."""
    script = """
import sys
from hyperfocal.models.openvino_graph import import_openvino
openvino = import_openvino()
assert "openvino_telemetry" not in sys.modules, "telemetry was imported"
assert import_openvino() is openvino
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_importing_models_is_light():
    script = """
import sys
import hyperfocal.models as models
models.list
heavy = {"openvino", "onnxruntime", "onnx", "torch", "PIL", "imagecodecs"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True)
