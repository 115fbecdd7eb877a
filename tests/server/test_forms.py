from __future__ import annotations

import pytest

from hyperfocal.errors import UsageError
from hyperfocal.server.pool import Options
from hyperfocal.server.schemas import PredictRequest, PreviewForm, UpscaleForm, read_form


def test_text_becomes_options():
    form = read_form(
        UpscaleForm,
        {
            "width": "800",
            "height": "600",
            "model": "photo-fast",
            "format": "JPG",
            "quality": "90",
            "bit_depth": "8",
            "strip_metadata": "true",
            "min_fidelity": "35.5",
        },
    )
    assert form.options() == Options(
        size=(800, 600),
        model="photo-fast",
        format="jpeg",
        quality=90,
        bit_depth=8,
        strip_metadata=True,
        min_fidelity=35.5,
    )


def test_nothing_asked_for_is_nothing():
    assert read_form(UpscaleForm, {}).options() == Options()
    assert read_form(UpscaleForm, {"scale": "", "model": ""}).options() == Options()


def test_the_format_of_the_form_goes_before_that_of_the_header():
    assert read_form(UpscaleForm, {"format": "png"}).options("webp").format == "png"
    assert read_form(UpscaleForm, {}).options("webp").format == "webp"


def test_one_side_is_enough():
    assert read_form(UpscaleForm, {"width": "800"}).options().size == (800, None)


def test_a_crop_is_four_numbers():
    assert read_form(PreviewForm, {"crop": "1, 2,300,40"}).options().crop == (1, 2, 300, 40)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scale": "0.5"}, "scale"),
        ({"scale": "9"}, "scale"),
        ({"scale": "nan"}, "scale"),
        ({"scale": "inf"}, "scale"),
        ({"scale": "two"}, "scale"),
        ({"width": "0"}, "width"),
        ({"width": "1.5"}, "width"),
        ({"width": "10000000"}, "width"),
        ({"height": "-1"}, "height"),
        ({"long_edge": "x"}, "long_edge"),
        ({"megapixels": "0"}, "megapixels"),
        ({"megapixels": "1e9"}, "megapixels"),
        ({"model": "../x"}, "model"),
        ({"model": "x" * 101}, "model"),
        ({"model": "A"}, "model"),
        ({"format": "exe"}, "choose one of"),
        ({"format": "heic\0"}, "format"),
        ({"quality": "101"}, "quality"),
        ({"bit_depth": "11"}, "bit_depth"),
        ({"strip_metadata": "perhaps"}, "strip_metadata"),
        ({"min_fidelity": "-1"}, "min_fidelity"),
        ({"scale": "2", "width": "800"}, "only one of"),
        ({"long_edge": "9", "megapixels": "1"}, "only one of"),
        ({"scales": "2"}, "did you mean 'scale'"),
        ({"zzzzzz": "2"}, "there are scale"),
        ({"crop": "0,0,1,1"}, "no option 'crop'"),
        ({"x" * 9000: "2"}, "no option"),
    ],
)
def test_what_cannot_work_is_named(fields, said):
    with pytest.raises(UsageError, match=said) as caught:
        read_form(UpscaleForm, fields)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "crop", ["1,2,3", "1,2,3,4,5", "a,b,c,d", "-1,0,5,5", "1.5,0,5,5", "1,2,3,99999999", "١,٢,٣,٤"]
)
def test_an_impossible_crop_is_named(crop):
    with pytest.raises(UsageError, match="crop"):
        read_form(PreviewForm, {"crop": crop})


def test_a_value_is_not_repeated_for_it_may_be_a_picture():
    with pytest.raises(UsageError) as caught:
        read_form(PredictRequest, {"image": "A" * 100, "scale": "hush hush"})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"image": None},
        {"image": 5},
        {"image": ["QUJD"]},
        {"image": "QUJD", "return": "everything"},
        {"image": "QUJD", "returned": "image"},
        {"image": "QUJD", "scale": True},
        {"image": "QUJD", "scale": [2]},
        {"image": "QUJD", "reference": 1},
        {"image": "QUJD", "format": "png"},
    ],
)
def test_predict_takes_what_it_says_and_nothing_else(fields):
    with pytest.raises(UsageError):
        read_form(PredictRequest, fields)


def test_predict_takes_return_by_its_name():
    assert read_form(PredictRequest, {"image": "QUJD", "return": "image"}).returned == "image"
