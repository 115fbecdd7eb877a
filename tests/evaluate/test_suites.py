import pytest

from hyperfocal.errors import InputMissing, PairMismatch
from hyperfocal.evaluate import find_suite


def names(suite):
    return [pair.name for pair in suite.pairs]


def test_a_folder_of_originals_is_sorted_by_name(originals):
    suite = find_suite(originals, 2)
    assert suite.name == "Small"
    assert names(suite) == ["a", "b", "c"]
    assert not suite.brings_low


@pytest.mark.parametrize(
    ("added", "called"),
    [
        (["a.jpg"], ["a.jpg", "a.png", "b", "c"]),
        (["a.PNG", "b.heic"], ["a.PNG", "a.png", "b.heic", "b.png", "c"]),
        (["a.jpg", "a.png.jpg"], ["a.jpg", "a.png", "a.png.jpg", "b.png", "c.png"]),
    ],
)
def test_originals_whose_names_differ_in_the_suffix_keep_it(originals, added, called):
    for name in added:
        (originals / name).write_bytes(b"")
    suite = find_suite(originals, 2)
    assert names(suite) == called
    assert len({pair.high for pair in suite.pairs}) == len(called)


@pytest.mark.parametrize("name", ["Small", "small"])
def test_a_name_is_found_under_the_data_folder(originals, tmp_path, name):
    data = tmp_path / "data"
    (data / "eval").mkdir(parents=True)
    originals.rename(data / "eval" / "Small")
    suite = find_suite(name, 2, environment={"HYPERFOCAL_DATA": str(data)})
    assert (suite.name, names(suite)) == ("Small", ["a", "b", "c"])


def test_an_unknown_name_tells_the_known_ones(originals, tmp_path):
    (tmp_path / "eval").mkdir()
    originals.rename(tmp_path / "eval" / "Small")
    with pytest.raises(InputMissing, match=r"no suite 'Set9'.*there: Small"):
        find_suite("Set9", 2, environment={"HYPERFOCAL_DATA": str(tmp_path)})


def test_without_the_variable_a_name_tells_of_it():
    with pytest.raises(InputMissing, match="set HYPERFOCAL_DATA"):
        find_suite("Set9", 2, environment={})


def test_a_data_folder_without_suites(tmp_path):
    with pytest.raises(InputMissing, match="there: none"):
        find_suite("Set9", 2, environment={"HYPERFOCAL_DATA": str(tmp_path)})


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(InputMissing, match="holds no pictures"):
        find_suite(tmp_path, 2)


def test_pairs_are_matched_by_name(paired):
    suite = find_suite(paired, 2)
    assert suite.brings_low
    assert [(pair.high.name, pair.low.name) for pair in suite.pairs] == [
        ("a.png", "ax2.png"),
        ("b.png", "bx2.png"),
        ("c.png", "cx2.png"),
    ]


def test_the_plain_layout_needs_neither_scale_nor_suffix(paired):
    (paired / "LR_bicubic" / "X2").rename(paired / "LR")
    for path in (paired / "LR").iterdir():
        path.rename(path.with_name(path.name.replace("x2", "")))
    assert [pair.low.name for pair in find_suite(paired, 2).pairs] == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda low: (low / "bx2.png").unlink(), r"b\.png has no low-resolution picture"),
        (lambda low: (low / "bx2.png").rename(low / "dx2.png"), r"dx2\.png has no original"),
        (lambda low: (low / "a.png").write_bytes(b""), "both for a"),
        (lambda low: (low / "ax2.jpg").write_bytes(b""), "have the same name"),
    ],
)
def test_pictures_without_a_counterpart_are_refused(paired, change, said):
    change(paired / "LR_bicubic" / "X2")
    with pytest.raises(PairMismatch, match=said):
        find_suite(paired, 2)


def test_originals_without_low_are_refused(paired):
    (paired / "LR_bicubic").rename(paired / "other")
    with pytest.raises(PairMismatch, match="has HR but no LR"):
        find_suite(paired, 2)


def test_empty_pairs(tmp_path):
    (tmp_path / "HR").mkdir()
    (tmp_path / "LR").mkdir()
    with pytest.raises(InputMissing, match="holds no pictures"):
        find_suite(tmp_path, 2)
