from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from hyperfocal.cli.find import Found
from hyperfocal.cli.place import Destination, choose_destination, place
from hyperfocal.errors import OutputError, UsageError


def found(name: str, below: str | None = None) -> Found:
    return Found(Path(name), PurePath(below or Path(name).name))


def outputs(where: Destination, *inputs: Found) -> list[str | None]:
    return [job.output and job.output.as_posix() for job in place(inputs, where)]


def choose(output: str | None, form: str | None = None, suffix: str | None = None,
           *, single: bool = True) -> Destination:  # fmt: skip
    return choose_destination(output, form, suffix, default_suffix="@2x", single=single)


def test_beside_the_input_with_a_suffix_by_default() -> None:
    assert outputs(choose(None), found("in/a.jpg")) == ["in/a@2x.jpg"]


@pytest.mark.parametrize(
    ("name", "form", "expected"),
    [
        ("a.jpeg", None, "a@2x.jpeg"),
        ("a.TIF", None, "a@2x.TIF"),
        ("a.jpeg", "jpg", "a@2x.jpeg"),
        ("a.jpeg", "png", "a@2x.png"),
        ("a.b.jpg", None, "a.b@2x.jpg"),
        ("scan", None, "scan@2x.png"),
        ("a.xyz", None, "a.xyz@2x.png"),
        ("2024.01.05", None, "2024.01.05@2x.png"),
        ("2024.01.05", "jpg", "2024.01.05@2x.jpg"),
    ],
)
def test_the_format_decides_the_ending(name: str, form: str | None, expected: str) -> None:
    assert outputs(choose(None, form), found(name)) == [expected]


def test_a_folder_mirrors_the_tree_and_keeps_names() -> None:
    where = choose("out", single=False)
    assert outputs(where, found("in/x/a.jpg", "x/a.jpg")) == ["out/x/a.jpg"]


def test_a_folder_with_a_suffix() -> None:
    assert outputs(choose("out", suffix="-big"), found("a.jpg")) == ["out/a-big.jpg"]


def test_a_name_with_a_picture_suffix_is_a_file(tmp_path: Path) -> None:
    assert choose(str(tmp_path / "b.png")).file == tmp_path / "b.png"


def test_an_existing_folder_is_a_folder_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "b.png").mkdir()
    assert choose(str(tmp_path / "b.png")).folder == tmp_path / "b.png"


def test_several_results_into_a_folder_with_a_dot_in_its_name(tmp_path: Path) -> None:
    assert choose(str(tmp_path / "v1.2"), single=False).folder == tmp_path / "v1.2"


def test_several_results_into_one_file_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="must be a folder"):
        choose("b.png", single=False)


def test_several_results_into_the_pipe_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="only one picture"):
        choose("-", single=False)


def test_a_suffix_for_a_named_file_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--suffix"):
        choose("b.png", suffix="-big")


@pytest.mark.parametrize("output", ["b.xyz", "b.doc"])
def test_an_unknown_ending_is_refused(output: str) -> None:
    with pytest.raises(UsageError, match="suffix of no format"):
        choose(output)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        choose(None, "xcf")


def test_the_format_overrules_the_ending_of_a_named_file() -> None:
    where = choose("b.xyz", "png")
    assert (where.file, where.form) == (Path("b.xyz"), "png")


def test_an_input_is_never_an_output() -> None:
    (job,) = place([found("a.jpg")], choose(None, suffix=""))
    assert isinstance(job.error, OutputError)
    assert "replace the input" in str(job.error)


def test_another_input_is_no_output_either() -> None:
    jobs = place([found("a.jpg"), found("a@2x.jpg")], choose(None))
    assert [job.error is not None for job in jobs] == [True, False]


def test_the_pipe_goes_to_the_pipe() -> None:
    pipe = Found(None, PurePath("stdin"))
    assert outputs(choose(None), pipe) == [None]
    assert outputs(choose("out/"), pipe) == ["out/stdin.png"]
