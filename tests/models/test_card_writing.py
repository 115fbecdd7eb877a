import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperfocal.errors import OutputRefused
from hyperfocal.models.card import ModelCard, Quality, Training, Weights
from hyperfocal.models.toml import write_toml

CARD = ModelCard(
    name="photo-x2",
    purpose='Says "more" — with \\ and\na second line',
    scale=2,
    takes_depth=True,
    weights={
        "float": Weights(file="photo-x2.onnx", sha256="0" * 64),
        "int8": Weights(file="photo-x2.int8.onnx", sha256="f" * 64),
    },
    training=Training(data="tiles", steps=100_000, hours=2.5),
    quality=(
        Quality(
            suite="Set5",
            precision="float",
            images=5,
            psnr=37.8,
            ssim=0.9591,
            bicubic_psnr=33.66,
            bicubic_ssim=0.9299,
        ),
    ),
)

scalars = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
tables = st.dictionaries(keys, scalars, max_size=3)
documents = st.dictionaries(
    keys,
    st.one_of(
        scalars,
        st.lists(scalars, min_size=1, max_size=3),
        tables,
        st.dictionaries(keys, tables, max_size=2),
        st.lists(tables, min_size=1, max_size=3),
    ),
    max_size=5,
)


@settings(max_examples=200)
@given(documents)
def test_what_is_written_is_read_back(document):
    assert tomllib.loads(write_toml(document)) == document


@pytest.mark.parametrize("value", [None, 3j, {1, 2}, [1, None], [[1], [2]]])
def test_what_toml_or_we_cannot_write_is_an_error(value):
    with pytest.raises(TypeError, match="thing"):
        write_toml({"thing": value})


def test_a_card_is_read_back_as_written(tmp_path):
    path = tmp_path / "photo-x2.toml"
    CARD.write(path)
    assert ModelCard.read(path) == CARD
    assert [file.name for file in tmp_path.iterdir()] == ["photo-x2.toml"]


def test_defaults_are_left_out():
    assert ModelCard(name="a", scale=2).to_toml() == 'name = "a"\nscale = 2\n'


def test_a_card_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OutputRefused, match="does not exist"):
        CARD.write(tmp_path / "missing" / "photo-x2.toml")
    folder = tmp_path / "card.toml"
    folder.mkdir()
    with pytest.raises(OutputRefused):
        CARD.write(folder)
    assert list(tmp_path.iterdir()) == [folder]
