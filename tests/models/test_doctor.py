import dataclasses
import json

from hyperfocal import models
from hyperfocal.models.doctor import doctor


def test_report_is_plain_data(settings):
    report = doctor(settings)
    assert json.loads(json.dumps(dataclasses.asdict(report)))["cores"] == report.cores >= 1
    assert report.engines["openvino"]
    assert report.threads == 2
    assert report.problems == ()
    assert report.cache_writable
    assert {choice.model for choice in report.models} >= {"bicubic-x2", "bicubic-x4"}


def test_tells_how_each_model_would_run(settings, add_model, network):
    from hyperfocal import models

    add_model("net", float=network(), int8=network(int8=True))
    for precision in ("auto", "float", "int8"):
        chosen = settings.model_copy(update={"precision": precision})
        choice = {c.model: c for c in doctor(chosen).models}["net"]
        loaded = models.load("net", settings=chosen)
        assert (choice.runtime, choice.precision) == (loaded.runtime, loaded.precision)
        assert choice.arithmetic == loaded.arithmetic


def test_tells_what_is_wrong(settings, add_model, network):
    add_model("plain", float=network())
    (settings.models / "plain.float.onnx").write_bytes(b"changed")
    (settings.models / "bad.toml").write_text("[")
    problems = "\n".join(doctor(settings).problems)
    assert "plain" in problems
    assert "sha256" in problems
    assert "bad: " in problems
    asked = settings.model_copy(update={"precision": "int8"})
    assert any("no int8 weights" in problem for problem in doctor(asked).problems)


def test_tells_what_is_wrong_with_aliases(settings, add_model, network):
    add_model("mine-x2", float=network())
    for alias, model in (("champion", "mine"), ("champion-x2", "mine-x2"), ("fast", "photo-fast")):
        models.set_alias(alias, model, settings=settings)
    assert doctor(settings).problems == ()
    (settings.models / "mine-x2.toml").unlink()
    gone, also = doctor(settings).problems
    assert "'champion' stands for 'mine', and there is no such model" in gone
    assert "'champion-x2' stands for 'mine-x2'" in also
    # Names are looked up once: an alias of an alias, written by hand, is no model.
    (settings.models / "aliases").write_text('fast = "photo-fast"\nmine = "fast"\n')
    (twice,) = doctor(settings).problems
    assert "'mine' stands for 'fast', and there is no such model" in twice
    (settings.models / "aliases").write_text("champion = photo-fast")
    (damaged,) = doctor(settings).problems
    assert "the aliases cannot be read" in damaged


def test_tells_the_size_of_the_cache(settings, add_model, network):
    from hyperfocal import models

    assert doctor(settings).cache_bytes == 0
    add_model("net", float=network())
    models.load("net", settings=settings)
    assert doctor(settings).cache_bytes > 0


def test_missing_parts_come_with_a_remedy(settings, monkeypatch):
    monkeypatch.setattr("hyperfocal.models.doctor._version", lambda name: None)
    report = doctor(settings)
    assert report.formats == {"HEIC": None}
    assert report.install["HEIC"] == "pip install 'hyperfocal[heif]'"
    assert report.install["onnxruntime"] == "pip install 'hyperfocal[onnxruntime]'"
