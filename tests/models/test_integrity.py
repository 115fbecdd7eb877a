import pytest

import hyperfocal.models as models
from hyperfocal.errors import ModelBroken


def test_verify_finds_changed_and_lost_weights(settings, add_model, network):
    add_model("fine", float=network(), int8=network(int8=True))
    add_model("changed", float=network())
    add_model("lost", float=network())
    add_model("empty")
    (settings.models / "unreadable.toml").write_text("[")
    weights = settings.models / "changed.float.onnx"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    (settings.models / "lost.float.onnx").unlink()
    verdicts = {(v.name, v.precision): v for v in models.verify(settings=settings)}
    assert verdicts["fine", "float"].ok
    assert verdicts["fine", "int8"].ok
    assert verdicts["bicubic-x2", ""].ok
    assert "sha256" in verdicts["changed", "float"].reason
    assert "cannot be read" in verdicts["lost", "float"].reason
    assert "no weights" in verdicts["empty", ""].reason
    assert "not a model card" in verdicts["unreadable", ""].reason
    bad = {key for key, verdict in verdicts.items() if not verdict.ok}
    assert bad == {("changed", "float"), ("lost", "float"), ("empty", ""), ("unreadable", "")}


def test_verify_by_pattern(settings, add_model, network):
    add_model("one", float=network())
    assert [v.name for v in models.verify("one", settings=settings)] == ["one"]
    assert {v.name for v in models.verify("bicubic-*", settings=settings)} == {
        "bicubic-x2",
        "bicubic-x3",
        "bicubic-x4",
    }
    assert models.verify("nothing", settings=settings) == []


def test_verify_of_an_alias_and_of_a_family(settings):
    models.set_alias("champion", "bicubic", settings=settings)
    models.set_alias("champion-x2", "bicubic-x2", settings=settings)
    family = ["bicubic-x2", "bicubic-x3", "bicubic-x4"]
    for name, expected in (
        ("champion", family),
        ("bicubic", family),
        ("champion-x2", ["bicubic-x2"]),
    ):
        assert [v.name for v in models.verify(name, settings=settings)] == expected


def test_shipped_models_are_whole(settings):
    verdicts = models.verify(settings=settings)
    assert verdicts
    assert [v for v in verdicts if not v.ok] == []


def test_changed_weights_are_never_run(settings, add_model, network):
    add_model("changed", float=network())
    (settings.models / "changed.float.onnx").write_bytes(network(seed=1))
    with pytest.raises(ModelBroken, match="sha256"):
        models.load("changed", settings=settings)
