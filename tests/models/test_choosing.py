import sys

import pytest

from hyperfocal.errors import ModelBroken, ModelMissing, RuntimeMissing
from hyperfocal.models.card import ModelCard, Weights
from hyperfocal.models.choosing import choose_precision, choose_runtime, runs_int8
from hyperfocal.models.hardware import Processor, _from_linux, processor
from hyperfocal.models.onnx_runtime import ONNXRuntimeEngine
from hyperfocal.models.openvino_graph import import_openvino
from hyperfocal.settings import Settings

OLD = Processor("old", frozenset({"avx2"}), 4)
NEW = Processor("new", frozenset({"avx2", "avx512_vnni", "avx512_bf16"}), 4)
OLDEST = Processor("oldest", frozenset({"sse4_1"}), 4)
ARM = Processor("arm", frozenset({"asimd"}), 4)
FILE = Weights(file="a.onnx", sha256="0" * 64)


def card(*precisions, exact_anywhere=False):
    weights = dict.fromkeys(precisions, FILE)
    if exact_anywhere:
        weights["int8"] = FILE.model_copy(update={"exact_anywhere": True})
    return ModelCard(name="net", scale=2, weights=weights)


@pytest.mark.parametrize(
    ("held", "cpu", "asked", "expected"),
    [
        (("float", "int8"), NEW, "auto", "int8"),
        (("float", "int8"), OLD, "auto", "float"),
        (("int8",), OLD, "auto", "int8"),
        (("float",), NEW, "auto", "float"),
        (("float", "int8"), NEW, "float", "float"),
        (("float", "int8"), OLD, "int8", "int8"),
        (("float", "int8"), NEW, "bf16", "float"),
    ],
)
def test_precision(held, cpu, asked, expected):
    assert choose_precision(card(*held), Settings(precision=asked), cpu) == expected


@pytest.mark.parametrize(
    ("cpu", "expected"), [(NEW, "int8"), (OLD, "int8"), (OLDEST, "float"), (ARM, "float")]
)
def test_weights_that_no_processor_gets_wrong(cpu, expected):
    made = card("float", "int8", exact_anywhere=True)
    assert choose_precision(made, Settings(), cpu) == expected
    assert runs_int8(made, cpu) is (expected == "int8")
    assert not runs_int8(card("float", exact_anywhere=False), cpu)


def test_precisions_that_cannot_be():
    with pytest.raises(ModelMissing, match="no float weights, only int8"):
        choose_precision(card("int8"), Settings(precision="float"), NEW)
    with pytest.raises(RuntimeMissing, match="bf16 needs"):
        choose_precision(card("float"), Settings(precision="bf16"), OLD)
    with pytest.raises(RuntimeMissing, match="bf16 needs"):
        choose_precision(card("float"), Settings(precision="bf16", runtime="onnxruntime"), NEW)
    with pytest.raises(ModelBroken, match="no weights"):
        choose_precision(card(), Settings(), NEW)


def test_openvino_comes_before_onnx_runtime(monkeypatch):
    there = {"openvino", "onnxruntime"}
    monkeypatch.setattr("hyperfocal.models.choosing.installed", lambda name: name in there)
    assert choose_runtime(Settings()) == "openvino"
    assert choose_runtime(Settings(runtime="onnxruntime")) == "onnxruntime"
    there.remove("openvino")
    assert choose_runtime(Settings()) == "onnxruntime"
    with pytest.raises(RuntimeMissing, match="pip install openvino"):
        choose_runtime(Settings(runtime="openvino"))
    there.clear()
    with pytest.raises(RuntimeMissing, match="no engine"):
        choose_runtime(Settings())
    with pytest.raises(RuntimeMissing, match=r"pip install 'hyperfocal\[onnxruntime\]'"):
        choose_runtime(Settings(runtime="onnxruntime"))


def test_engines_that_do_not_import_say_how_to_get_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeMissing, match="pip install openvino"):
        import_openvino()
    with pytest.raises(RuntimeMissing, match=r"pip install 'hyperfocal\[onnxruntime\]'"):
        ONNXRuntimeEngine(b"", scale=2, arithmetic="f32")


@pytest.mark.parametrize(
    ("flags", "described"),
    [
        ({"avx2", "avx512_vnni", "amx_int8"}, "one (AMX)"),
        ({"avx2", "avx_vnni"}, "one (VNNI)"),
        ({"avx2"}, "one (AVX2)"),
        ({"asimddp"}, "one (dot product)"),
        ({"sse4_1"}, "one"),
    ],
)
def test_processors_of_one_name_are_told_apart(flags, described):
    assert Processor("one", frozenset(flags), 2).described == described


def test_linux_flags():
    text = "processor : 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx2 avx_vnni\n\n" * 2
    assert _from_linux(text) == ("Some CPU @ 2 GHz", frozenset({"fpu", "avx2", "avx_vnni"}))
    assert _from_linux("Features : fp asimd asimddp")[1] == {"fp", "asimd", "asimddp"}


def test_flags_without_linux(monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError

    expected = processor()
    monkeypatch.setattr("pathlib.Path.read_text", missing)
    processor.cache_clear()
    try:
        found = processor()
        assert found.cores == expected.cores >= 1
        assert found.flags
        assert found.flags <= expected.flags or not expected.flags
    finally:
        processor.cache_clear()
