import hashlib
import os
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper

import hyperfocal.models as models
from hyperfocal import Picture, Upscaler
from hyperfocal.errors import (
    ModelBroken,
    ModelMissing,
    OutputExists,
    OutputRefused,
    UsageError,
)
from hyperfocal.models.registry import SHIPPED


@pytest.fixture
def bring(settings, tmp_path):
    """Imports a network given as bytes."""

    def bring(weights, file="My Net.onnx", **options):
        path = tmp_path / file
        path.write_bytes(weights)
        return models.import_onnx(path, settings=settings, **options)

    return bring


@pytest.mark.parametrize(
    ("scale", "depth", "unshuffle"), [(1, 1, 1), (2, 2, 1), (2, 1, 2), (3, 1, 1), (4, 2, 2)]
)
def test_card_is_measured(bring, network, scale, depth, unshuffle):
    weights = network(scale, depth=depth, unshuffle=unshuffle)
    card = bring(weights)
    assert card.name == "my-net"
    assert card.scale == scale
    assert card.input_multiple == unshuffle
    assert card.receptive_radius == (depth + 2) * unshuffle + unshuffle - 1
    assert card.weights["float"].sha256 == hashlib.sha256(weights).hexdigest()


def test_imported_model_is_a_model(bring, network, settings):
    card = bring(network(), name="mine")
    assert models.show("mine", settings=settings) == card
    assert models.load("mine", settings=settings).run(np.zeros((4, 6, 3), np.uint8)).shape == (
        8,
        12,
        3,
    )
    assert all(verdict.ok for verdict in models.verify("mine", settings=settings))


def test_quantised_graphs_are_known(bring, network):
    assert set(bring(network(int8=True)).weights) == {"int8"}


def test_fixed_sides_that_can_be_freed_are(bring, network, settings):
    bring(network(shape=(1, 3, 24, 32)), name="fixed")
    made = models.load("fixed", settings=settings).run(np.zeros((10, 8, 3), np.uint8))
    assert made.shape == (20, 16, 3)
    other = settings.model_copy(update={"runtime": "onnxruntime"})
    with pytest.raises(ModelBroken, match="fixed to"):
        models.load("fixed", settings=other)


def test_fixed_sides_that_cannot(bring, graph):
    grain = graph.constant(np.random.default_rng(0).random((1, 3, 24, 32), dtype=np.float32) / 50)
    y = graph.node("Add", ["x", grain])
    with pytest.raises(ModelBroken, match="only pictures of 24x32; export it with dynamic"):
        bring(graph.finish(y, (1, 3, 24, 32)))


def test_statistics_of_the_whole_picture_are_refused(bring, graph):
    mean = graph.node("GlobalAveragePool", ["x"])
    tenth = graph.constant(np.float32(0.1))
    y = graph.node("Add", ["x", graph.node("Mul", [mean, tenth])])
    with pytest.raises(ModelBroken, match="statistics of the whole picture"):
        bring(graph.finish(y))


def test_dependence_on_windows_raises_the_multiple(bring, graph):
    # The mean of each aligned 4x4 window: equal to the whole only when cut at multiples of 4.
    pooled = graph.node("AveragePool", ["x"], kernel_shape=[4, 4], strides=[4, 4], ceil_mode=1)
    sizes = graph.constant(np.array([1, 1, 4, 4], np.float32))
    grown = graph.node(
        "Resize",
        [pooled, "", sizes],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    shape = graph.node("Shape", ["x"])
    cropped = graph.node("Slice", [grown, graph.constant(np.zeros(4, np.int64)), shape])
    half = graph.constant(np.float32(0.5))
    y = graph.node("Mul", [graph.node("Add", ["x", cropped]), half])
    card = bring(graph.finish(y))
    assert card.scale == 1
    assert card.input_multiple == 4
    assert card.receptive_radius == 3


def unreadable(graph):
    return b"no protobuf at all"


def two_inputs(graph):
    more = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3, "H", "W"))
    return graph.finish(graph.node("Add", ["x", "y"]), more_inputs=[more])


def grey(graph):
    return graph.finish(graph.node("Relu", ["x"]), (1, 1, "H", "W"))


def channels_last(graph):
    return graph.finish(graph.node("Relu", ["x"]), (1, "H", "W", 3))


def batch_of_four(graph):
    return graph.finish(graph.node("Relu", ["x"]), (4, 3, "H", "W"))


def half_precision(graph):
    return graph.finish(graph.node("Relu", ["x"]), element=TensorProto.FLOAT16)


def vector(graph):
    return graph.finish(graph.node("Relu", ["x"]), (3,))


def flattened(graph):
    return graph.finish(graph.node("Flatten", ["x"]))


def shrinking(graph):
    return graph.finish(graph.node("MaxPool", ["x"], kernel_shape=[2, 2], strides=[2, 2]))


def wants_255(graph):
    return graph.finish(graph.node("Mul", ["x", graph.constant(np.float32(1 / 255))]))


def infinite(graph):
    return graph.finish(graph.node("Div", ["x", graph.constant(np.float32(0))]))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (unreadable, "cannot read it as ONNX"),
        (two_inputs, "2 inputs"),
        (grey, "three channels second"),
        (channels_last, "three channels second"),
        (batch_of_four, "batch of 4"),
        (half_precision, "not float32"),
        (vector, r"not \(1, 3, H, W\)"),
        (flattened, r"not \(1, 3, H, W\)"),
        (shrinking, "enlarged by one of 1 to 8"),
        (wants_255, r"RGB in \[0, 1\]"),
        (infinite, "NaN or infinity"),
    ],
)
def test_refused_with_the_reason(bring, graph, settings, make, reason):
    with pytest.raises(ModelBroken, match=reason) as caught:
        bring(make(graph))
    assert "My Net.onnx" in str(caught.value)
    assert not settings.models.exists()


def test_names(bring, network, settings, tmp_path):
    with pytest.raises(UsageError, match="cannot name a model"):
        bring(network(), name="../x")
    with pytest.raises(UsageError, match="gives no name for a model"):
        bring(network(), file="---.onnx")
    with pytest.raises(UsageError, match="comes with Hyperfocal"):
        bring(network(), name="bicubic-x2")
    for name in ("photo-fast-x20", "photo-fast-x8", "photo-fast"):
        with pytest.raises(UsageError, match="in a family that comes with"):
            bring(network(), name=name)
    with pytest.raises(UsageError, match="card's file"):
        bring(network(), name="mine.toml")
    with pytest.raises(UsageError, match="lets the picture choose"):
        bring(network(), name="auto-fine")
    with pytest.raises(ModelMissing, match="cannot be read"):
        models.import_onnx(tmp_path / "nowhere.onnx", settings=settings)


def test_a_family_is_of_the_scales_in_its_names(bring, network, settings):
    bring(network(), name="mine-x2")
    bring(network(), name="mine-x20")
    bring(network(), name="other-x20")
    family = Upscaler.load("mine", settings=settings)
    picture = Picture(np.zeros((4, 4, 3), np.uint8))
    assert family(picture).models == ("mine-x2",)
    with pytest.raises(ModelMissing):
        Upscaler.load("other", settings=settings)
    with pytest.raises(ModelMissing):
        models.set_alias("champion", "other", settings=settings)


def test_overwriting_is_asked_for_and_leaves_no_old_weights(bring, network, settings):
    bring(network(), name="mine")
    with pytest.raises(OutputExists, match="already"):
        bring(network(3), name="mine")
    assert models.show("mine", settings=settings).scale == 2
    assert bring(network(3), name="mine", overwrite=True).scale == 3
    assert len(list(settings.models.glob("[!.]*"))) == 2
    assert all(verdict.ok for verdict in models.verify("mine", settings=settings))
    bring(network(3), name="mine", overwrite=True)  # the same again
    assert all(verdict.ok for verdict in models.verify("mine", settings=settings))


@pytest.mark.parametrize("target", ["mine-x2", "mine"])
def test_what_an_alias_stands_for_is_not_overwritten(bring, network, settings, target):
    bring(network(seed=1), name="mine-x2")
    models.set_alias("champion", target, settings=settings)
    before = models.show("mine-x2", settings=settings)
    with pytest.raises(OutputExists, match=r"'champion' stands for .* another name"):
        bring(network(seed=2), name="mine-x2", overwrite=True)
    assert models.show("mine-x2", settings=settings) == before
    bring(network(seed=2), name="mine-again-x2")
    models.set_alias("champion", "mine-again-x2", settings=settings)
    assert bring(network(seed=2), name="mine-x2", overwrite=True) != before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_model_takes_no_name_of_an_alias(bring, network, settings, overwrite):
    """It would be served to whoever asks for the alias."""
    models.set_alias("champion-x2", "bicubic-x2", settings=settings)
    with pytest.raises(OutputExists, match=r"'champion-x2' is an alias, .* 'bicubic-x2'.* another"):
        bring(network(), name="champion-x2", overwrite=overwrite)
    assert models.show("champion-x2", settings=settings).name == "bicubic-x2"
    assert not list(settings.models.glob("champion*"))


def test_a_folder_that_cannot_be_written(bring, network, settings):
    settings.models.write_text("a file where the folder should be")
    with pytest.raises(OutputRefused, match="cannot be written"):
        bring(network())


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are no text")
def test_a_file_name_that_is_no_text(bring, network):
    assert bring(network(), os.fsdecode(b"n\xe9t.onnx"), name="net").purpose == (
        "imported from n?t.onnx"
    )


def test_a_file_name_that_names_no_model(bring, network):
    with pytest.raises(UsageError, match=r"'сеть\.onnx' gives no name for a model; give one"):
        bring(network(), "сеть.onnx")


def test_a_failed_import_leaves_nothing(carded, settings, monkeypatch):
    """Neither weights that were written before the disk was full nor half a card."""
    monkeypatch.setattr(models.ModelCard, "write", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        models.import_card(carded, settings=settings)
    assert list(settings.models.glob("[!.]*")) == []
    assert list(settings.models.glob(".*.part*")) == []


def test_two_that_take_one_name_at_the_same_time(carded, settings, bring, network, monkeypatch):
    """The second is refused, though the name was free when it was first asked for."""
    from hyperfocal.models import importing

    read = importing._read

    def slow(path):
        data = read(path)
        if path.suffix == ".onnx" and path.parent == carded.parent:
            monkeypatch.setattr(importing, "_read", read)
            bring(network(3), name="mine-x2")
        return data

    monkeypatch.setattr(importing, "_read", slow)
    with pytest.raises(OutputExists, match="already"):
        models.import_card(carded, settings=settings)
    assert models.show("mine-x2", settings=settings).scale == 3
    assert all(verdict.ok for verdict in models.verify("mine-x2", settings=settings))
    assert len(list(settings.models.glob("[!.]*"))) == 2


def test_an_alias_that_takes_the_name_at_the_same_time(carded, settings, monkeypatch):
    from hyperfocal.models import importing

    read = importing._read

    def slow(path):
        data = read(path)
        if path.suffix == ".onnx":
            models.set_alias("mine-x2", "bicubic-x2", settings=settings)
        return data

    monkeypatch.setattr(importing, "_read", slow)
    with pytest.raises(OutputExists, match="is an alias"):
        models.import_card(carded, settings=settings)
    assert [path.name for path in settings.models.glob("[!.]*")] == ["aliases"]


@pytest.fixture
def carded(tmp_path):
    """The card of a model with two precisions, as a training exports it."""
    folder = tmp_path / "exported"
    folder.mkdir()
    for path in SHIPPED.glob("photo-realtime-x2.*"):
        (folder / path.name.replace("photo-realtime", "mine")).write_bytes(path.read_bytes())
    card = folder / "mine-x2.toml"
    card.write_text(card.read_text().replace("photo-realtime", "mine"))
    return card


def test_a_model_with_a_card_comes_whole(carded, settings):
    card = models.import_card(carded, settings=settings)
    assert (card.name, set(card.weights)) == ("mine-x2", {"float", "int8"})
    assert card.quality == models.ModelCard.read(carded).quality
    assert [card.weights[kind].exact_anywhere for kind in ("float", "int8")] == [False, True]
    assert models.show("mine-x2", settings=settings) == card
    verdicts = models.verify("mine-x2", settings=settings)
    assert len(verdicts) == 2
    assert all(verdict.ok for verdict in verdicts)
    lr = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    made = models.load("mine-x2", settings=settings).run(lr)
    np.testing.assert_array_equal(made, models.load("photo-realtime-x2", settings=settings).run(lr))
    with pytest.raises(OutputExists, match="already"):
        models.import_card(carded, settings=settings)
    assert models.import_card(carded, settings=settings, name="other-x2").name == "other-x2"


@pytest.mark.parametrize(
    ("says", "instead", "reason"),
    [
        ("scale = 2", "scale = 4", "enlarges 2 times, not 4"),
        ("receptive_radius = 13", "receptive_radius = 2", "looks 13 pixels far .*, not 2"),
    ],
)
def test_a_card_that_tells_a_lie_about_its_network(carded, settings, says, instead, reason):
    """It would be served, called ok, and fail or show seams."""
    text = carded.read_text()
    assert says in text
    carded.write_text(text.replace(says, instead))
    with pytest.raises(ModelBroken, match=rf"\.onnx is not what the card says: .*{reason}"):
        models.import_card(carded, settings=settings)
    assert not settings.models.exists()


@pytest.fixture
def exported(tmp_path):
    """Writes a card with the network given as bytes."""

    def exported(weights, **says):
        folder = tmp_path / "exported"
        folder.mkdir(exist_ok=True)
        (folder / "net.onnx").write_bytes(weights)
        sha = hashlib.sha256(weights).hexdigest()
        card = models.ModelCard(
            name="mine-x2", weights={"float": {"file": "net.onnx", "sha256": sha}}, **says
        )
        card.write(folder / "mine-x2.toml")
        return folder / "mine-x2.toml"

    return exported


def test_a_multiple_that_does_not_fit_and_one_that_does(exported, network, settings):
    weights = network(2, depth=1, unshuffle=2)
    with pytest.raises(ModelBroken, match=r"multiples of 2 pixels, not of 1"):
        models.import_card(exported(weights, scale=2), settings=settings)
    card = exported(weights, scale=2, input_multiple=4, receptive_radius=16)
    assert models.import_card(card, settings=settings).input_multiple == 4


def test_a_network_that_cannot_be_used_is_refused_with_a_card_too(exported, graph, settings):
    with pytest.raises(ModelBroken, match=r"mine-x2\.toml: net\.onnx: .*NaN or infinity"):
        models.import_card(exported(infinite(graph), scale=1), settings=settings)


def test_what_a_killed_import_left_is_swept(bring, network, settings):
    kept = bring(network(seed=1), name="kept").weights["float"].file
    left = [settings.models / f"{name}.0123456789ab.onnx" for name in ("gone.float", "kept.int8")]
    theirs = [settings.models / name for name in ("net.onnx", "x.float.onnx")]
    young = settings.models / "young.float.0123456789ab.onnx"
    for path in (*left, *theirs, young):
        path.write_bytes(b"left")
    for path in (*left, *theirs, settings.models / kept):
        os.utime(path, (0, 0))
    # What a card that cannot be read needs is not known.
    broken = settings.models / "broken.toml"
    broken.write_text("no card")
    bring(network(seed=2), name="another")
    assert all(path.exists() for path in left)
    broken.unlink()
    bring(network(seed=3), name="third")
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in (*theirs, young))
    assert all(verdict.ok for verdict in models.verify("kept", settings=settings))


def test_a_card_is_not_believed(carded, settings, tmp_path):
    with pytest.raises(ModelMissing, match="cannot be read"):
        models.import_card(tmp_path / "nowhere.toml", settings=settings)
    with pytest.raises(ModelBroken, match="no weights"):
        models.import_card(SHIPPED / "bicubic-x2.toml", settings=settings, name="cubic")
    text = carded.read_text()
    carded.write_text(text.replace('file = "mine', 'file = "../mine'))
    with pytest.raises(ModelBroken, match="not a model card"):
        models.import_card(carded, settings=settings)
    carded.write_text(text)
    weights = carded.with_name("mine-x2.int8.onnx")
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelBroken, match="not what the card says"):
        models.import_card(carded, settings=settings)
    weights.unlink()
    with pytest.raises(ModelMissing, match=r"int8\.onnx cannot be read"):
        models.import_card(carded, settings=settings)
    assert not settings.models.exists()
