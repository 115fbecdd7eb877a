import pytest

import hyperfocal.models as models
from hyperfocal.errors import ModelBroken, ModelMissing


def test_lists_shipped_and_own_models_sorted(settings, add_model, network):
    add_model("abc-x2", float=network())
    names = [card.name for card in models.list(settings=settings)]
    assert {"abc-x2", "bicubic-x2", "bicubic-x3", "bicubic-x4"} <= set(names)
    assert names == sorted(names)


def test_lists_by_wildcard(settings, add_model, network):
    add_model("own-x3", scale=3, float=network(3))
    names = [card.name for card in models.list("*-x3", settings=settings)]
    assert "own-x3" in names
    assert "bicubic-x3" in names
    assert all(name.endswith("-x3") for name in names)
    assert models.list("nothing*", settings=settings) == []


def test_a_broken_card_hides_no_other(settings, add_model, network):
    add_model("good", float=network())
    (settings.models / "bad.toml").write_text("scale = 'two'")
    names = [card.name for card in models.list(settings=settings)]
    assert "good" in names
    assert "bad" not in names
    with pytest.raises(ModelBroken, match="not a model card"):
        models.show("bad", settings=settings)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "[training]\nhours = nan\n"])
def test_a_card_that_no_document_could_hold_is_broken(settings, add_model, network, text):
    add_model("mine-x2", float=network())
    path = settings.models / "mine-x2.toml"
    path.write_text(path.read_text() + "\n" + text)
    with pytest.raises(ModelBroken, match="not a model card"):
        models.show("mine-x2", settings=settings)
    assert "bicubic-x2" in [card.name for card in models.list(settings=settings)]


def test_missing_model_names_near_ones(settings):
    with pytest.raises(ModelMissing, match="did you mean bicubic-x"):
        models.show("bicubik-x2", settings=settings)
    with pytest.raises(ModelMissing, match="models list"):
        models.show("qqqqqqqq", settings=settings)


@pytest.mark.parametrize("name", ["../secret", "a/b", "", "UPPER", ".hidden", "x\n"])
def test_a_name_never_leaves_the_folder(settings, name):
    settings.models.mkdir()
    (settings.models.parent / "secret.toml").write_text('name = "secret"\nscale = 2')
    with pytest.raises(ModelMissing):
        models.show(name, settings=settings)


def test_card_must_be_named_as_its_file(settings):
    settings.models.mkdir()
    (settings.models / "one.toml").write_text('name = "two"\nscale = 2')
    with pytest.raises(ModelBroken, match="named 'two'"):
        models.show("one", settings=settings)


def test_own_model_cannot_shadow_a_shipped_one(settings, add_model, network):
    add_model("bicubic-x2", float=network())
    assert models.show("bicubic-x2", settings=settings).kind == "builtin"


def test_public_names():
    assert set(models.__all__) <= set(dir(models))
    for name in models.__all__:
        assert getattr(models, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        models.nothing  # noqa: B018
