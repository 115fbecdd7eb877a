import pytest

from hyperfocal import Settings, Upscaler, models
from hyperfocal.errors import ModelBroken, ModelMissing, OutputRefused, UsageError
from hyperfocal.models import aliasing, registry
from hyperfocal.models.aliasing import resolve


@pytest.fixture
def settings(tmp_path):
    return Settings(models=tmp_path / "models")


def test_a_name_that_moves(settings):
    assert models.aliases(settings) == {}
    models.set_alias("champion-x2", "bicubic-x2", settings=settings)
    models.set_alias("other", "bicubic-x3", settings=settings)
    assert models.show("champion-x2", settings=settings).name == "bicubic-x2"
    assert models.load("champion-x2", settings=settings).card.name == "bicubic-x2"
    models.set_alias("champion-x2", "bicubic-x4", settings=settings)
    assert models.aliases(settings) == {"champion-x2": "bicubic-x4", "other": "bicubic-x3"}
    assert resolve("champion-x2", settings) == "bicubic-x4"
    assert resolve("bicubic-x2", settings) == "bicubic-x2"
    models.remove_alias("champion-x2", settings=settings)
    assert models.aliases(settings) == {"other": "bicubic-x3"}
    with pytest.raises(ModelMissing):
        models.show("champion-x2", settings=settings)


def test_an_alias_of_a_model_that_is_gone_is_not_recommended(settings):
    settings.models.mkdir(parents=True, exist_ok=True)
    (settings.models / "aliases").write_text('bicubic-x6 = "bicubic-x7"\n')
    with pytest.raises(ModelMissing, match="no model 'bicubic-x7', which 'bicubic-x6'") as told:
        models.show("bicubic-x6", settings=settings)
    assert "did you mean bicubic-x" in str(told.value)
    assert "bicubic-x6" not in str(told.value).split("did you mean")[1]


def test_an_alias_of_a_family_is_the_family(settings):
    models.set_alias("champion", "photo-realtime", settings=settings)
    assert Upscaler.load("champion", settings=settings).scales == (2, 4)
    with pytest.raises(ModelMissing, match=r"'photo-realtime', which 'champion' .* mean photo-r"):
        models.show("champion", settings=settings)


@pytest.mark.parametrize(
    ("alias", "model", "error", "words"),
    [
        ("bicubic-x2", "bicubic-x3", UsageError, "is a model"),
        ("photo-fast", "bicubic-x3", UsageError, "is a model"),
        ("auto", "bicubic-x3", UsageError, "is a model"),
        ("auto-fine", "bicubic-x3", UsageError, "is a model"),
        ("photo-fast-x20", "bicubic-x3", UsageError, "in a family"),
        ("mine.toml", "bicubic-x3", UsageError, "card's file"),
        ("../up", "bicubic-x3", UsageError, "cannot name"),
        ("Upper", "bicubic-x3", UsageError, "cannot name"),
        ("champion", "nothing", ModelMissing, "no model 'nothing'"),
        ("champion", "other", ModelMissing, "no model 'other'"),
    ],
)
def test_what_can_be_no_alias(settings, alias, model, error, words):
    models.set_alias("other", "bicubic-x2", settings=settings)
    with pytest.raises(error, match=words):
        models.set_alias(alias, model, settings=settings)
    assert models.aliases(settings) == {"other": "bicubic-x2"}


@pytest.mark.parametrize("named", ["mine-x2", "mine"])
def test_an_alias_does_not_move_to_damaged_weights(settings, named):
    models.set_alias("champion-x2", "bicubic-x2", settings=settings)
    shipped = registry.find("photo-realtime-x2", settings)
    shipped.card.model_copy(update={"name": "mine-x2"}).write(settings.models / "mine-x2.toml")
    for weights in shipped.card.weights.values():
        (settings.models / weights.file).write_bytes(b"cut off while it was copied")
    with pytest.raises(ModelBroken, match=r"mine-x2: .* is damaged"):
        models.set_alias("champion-x2", named, settings=settings)
    assert models.aliases(settings) == {"champion-x2": "bicubic-x2"}
    for weights in shipped.card.weights.values():
        (settings.models / weights.file).write_bytes((shipped.folder / weights.file).read_bytes())
    models.set_alias("champion-x2", named, settings=settings)
    assert models.aliases(settings) == {"champion-x2": named}


def test_an_alias_that_is_none(settings):
    with pytest.raises(ModelMissing, match="no alias 'nothing'"):
        models.remove_alias("nothing", settings=settings)
    models.set_alias("champion-x2", "bicubic-x2", settings=settings)
    with pytest.raises(ModelMissing, match="did you mean champion-x2"):
        models.show("champio-x2", settings=settings)


def test_no_change_is_lost_to_another_at_the_same_time(settings, at_once):
    models.set_alias("old", "bicubic-x2", settings=settings)
    at_once(
        aliasing,
        "aliases",
        lambda: models.set_alias("one", "bicubic-x3", settings=settings),
        lambda: models.set_alias("other", "bicubic-x4", settings=settings),
    )
    assert models.aliases(settings) == {
        "old": "bicubic-x2",
        "one": "bicubic-x3",
        "other": "bicubic-x4",
    }


@pytest.mark.parametrize(
    "text", ["no toml", "a = 3", '"../a" = "bicubic-x2"', 'a = "../b"', "[a]", "a = " + "[" * 5000]
)
def test_a_damaged_file_is_told_but_hides_no_model(settings, text):
    settings.models.mkdir()
    (settings.models / "aliases").write_text(text)
    with pytest.raises(ModelBroken, match="alias"):
        models.show("champion", settings=settings)
    assert models.show("bicubic-x2", settings=settings).name == "bicubic-x2"


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "models").write_text("a file")
    assert models.aliases(Settings(models=tmp_path / "models")) == {}
    with pytest.raises(OutputRefused, match="aliases cannot be written"):
        models.set_alias("a", "bicubic-x2", settings=Settings(models=tmp_path / "models"))
