from __future__ import annotations

import os
from pathlib import Path, PurePath

import pytest

from hyperfocal.cli.find import Finding, find, looks_like_picture
from hyperfocal.imaging import ifd


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "b.jpg",
        "a.jpg",
        "notes.txt",
        "Thumbs.db",
        "desktop.ini",
        ".hidden.jpg",
        "._a.jpg",
        "sub/c.jpg",
        "sub/deeper/d.jpg",
        ".git/e.jpg",
    ):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "in"


def by_suffix(path: Path) -> bool:
    return path.suffix == ".jpg"


def below(found: Finding) -> list[str]:
    return [one.below.as_posix() for one in found.inputs]


def test_a_folder_without_recursion_gives_its_own_pictures_in_order(tree: Path) -> None:
    found = find([str(tree)], recurse=False, is_picture=by_suffix)
    assert below(found) == ["a.jpg", "b.jpg"]
    assert found.ignored == 5


def test_recursion_goes_all_the_way_down_but_not_into_hidden_folders(tree: Path) -> None:
    found = find([str(tree)], recurse=True, is_picture=by_suffix)
    assert below(found) == ["a.jpg", "b.jpg", "sub/c.jpg", "sub/deeper/d.jpg"]


def test_each_file_is_taken_once(tree: Path) -> None:
    again = tree / "sub" / ".." / "a.jpg"
    found = find([str(tree / "a.jpg"), str(again), str(tree / "a.jpg")], recurse=False,
                 is_picture=by_suffix)  # fmt: skip
    assert len(found.inputs) == 1


def test_a_named_file_is_taken_whatever_it_is(tree: Path) -> None:
    named = [str(tree / "notes.txt"), str(tree / ".hidden.jpg"), str(tree / "missing.jpg")]
    found = find(named, recurse=False, is_picture=by_suffix)
    assert len(found.inputs) == 3
    assert found.ignored == 0


def test_the_folder_of_results_is_not_read(tree: Path) -> None:
    found = find([str(tree)], recurse=True, is_picture=by_suffix, leave_out=[tree / "sub"])
    assert below(found) == ["a.jpg", "b.jpg"]


def test_several_folders_keep_their_names(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.jpg").write_bytes(b"x")
    found = find([str(tree), str(other)], recurse=False, is_picture=by_suffix)
    assert below(found) == ["in/a.jpg", "in/b.jpg", "other/a.jpg"]


def test_earlier_results_are_passed_over(tree: Path) -> None:
    (tree / "a@2x.jpg").write_bytes(b"x")
    found = find(
        [str(tree)],
        recurse=False,
        is_picture=by_suffix,
        is_result=lambda file: file.stem.endswith("@2x"),
    )
    assert below(found) == ["a.jpg", "b.jpg"]
    assert found.results == (tree / "a@2x.jpg",)


def test_a_cameras_raw_file_is_no_picture_by_its_content(tmp_path: Path) -> None:
    """Under a name that promises a picture it is one, so that what is wrong with it is said."""
    sensor = ifd.Directory()
    sensor.put(262, ifd.SHORT, 32803)
    for name in ("a.nef", "a.tif"):
        (tmp_path / name).write_bytes(ifd.block(sensor))
    assert not looks_like_picture(tmp_path / "a.nef")
    assert looks_like_picture(tmp_path / "a.tif")
    sensor.put(262, ifd.SHORT, 2)
    (tmp_path / "a.nef").write_bytes(ifd.block(sensor))
    assert looks_like_picture(tmp_path / "a.nef")


def test_a_link_to_a_folder_above_does_not_loop(tree: Path) -> None:
    (tree / "sub" / "up").symlink_to(tree, target_is_directory=True)
    found = find([str(tree)], recurse=True, is_picture=by_suffix)
    assert len(found.inputs) == 4


def test_a_file_comes_before_links_to_it(tree: Path, tmp_path: Path) -> None:
    """Whichever is met first: the tree that is mirrored has it in its own place."""
    (tree / "a0.jpg").symlink_to(tree / "sub" / "c.jpg")
    (tree / "sub" / "z.jpg").symlink_to(tree / "sub" / "c.jpg")
    (tmp_path / "outside").write_bytes(b"x")
    (tree / "y.jpg").symlink_to(tmp_path / "outside")
    (tree / "z.jpg").symlink_to(tmp_path / "outside")
    found = find([str(tree)], recurse=True, is_picture=by_suffix)
    assert below(found) == ["a.jpg", "b.jpg", "y.jpg", "sub/c.jpg", "sub/deeper/d.jpg"]
    named = find([str(tree / "a0.jpg"), str(tree)], recurse=True, is_picture=by_suffix)
    assert below(named) == ["a0.jpg", "in/a.jpg", "in/b.jpg", "in/y.jpg", "in/sub/deeper/d.jpg"]


def test_links_to_results_are_no_inputs(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "old").mkdir(parents=True)
    (tmp_path / "out" / "old" / "r.png").write_bytes(b"x")
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "o.jpg").write_bytes(b"x")
    (tree / "album").symlink_to(tmp_path / "out" / "old", target_is_directory=True)
    (tree / "outer").symlink_to(tmp_path / "outer", target_is_directory=True)
    found = find([str(tree)], recurse=True, is_picture=by_suffix, leave_out=[tmp_path / "out"])
    assert "outer/o.jpg" in below(found)
    assert "album/r.png" not in below(found)


def test_the_pipe_has_no_path() -> None:
    (one,) = find(["-"], recurse=False, is_picture=by_suffix).inputs
    assert one.path is None
    assert one.below == PurePath("stdin")
    assert one.name == "-"


def test_links_in_a_circle_are_an_input_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    named = [str(tmp_path / "a.jpg")]
    assert len(find(named, recurse=False, is_picture=by_suffix).inputs) == 1


def test_a_folder_that_may_not_be_read_is_a_problem(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def closed(path: object) -> object:
        if str(path).endswith("deeper"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", closed)
    found = find([str(tree)], recurse=True, is_picture=by_suffix)
    assert [one.path for one in found.inputs if one.problem] == [tree / "sub" / "deeper"]
    assert "Permission denied" in found.inputs[-1].problem


def test_links_to_folders_are_followed_and_each_is_looked_into_once(
    tree: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "more").mkdir(parents=True)
    (elsewhere / "e.jpg").write_bytes(b"x")
    (elsewhere / "more" / "f.jpg").write_bytes(b"x")
    (elsewhere / "back").symlink_to(tree)
    (tree / "album").symlink_to(elsewhere)
    (tree / "album again").symlink_to(elsewhere / "more")
    (tree / ".hidden album").symlink_to(elsewhere)
    found = find([str(tree)], recurse=True, is_picture=by_suffix)
    assert below(found) == [
        "a.jpg", "b.jpg", "sub/c.jpg", "sub/deeper/d.jpg", "album/e.jpg", "album/more/f.jpg",
    ]  # fmt: skip
    assert found.ignored == 5
    assert below(find([str(tree)], recurse=False, is_picture=by_suffix)) == ["a.jpg", "b.jpg"]
    left_out = find([str(tree)], recurse=True, is_picture=by_suffix, leave_out=[elsewhere])
    assert "album/e.jpg" not in below(left_out)


def test_what_lies_in_the_tree_comes_before_links_to_its_folder(tree: Path) -> None:
    (tree / "a link").symlink_to(tree / "sub" / "deeper")
    (tree / "sub" / "zz").mkdir()
    found = find([str(tree)], recurse=True, is_picture=by_suffix)
    assert below(found) == ["a.jpg", "b.jpg", "sub/c.jpg", "sub/deeper/d.jpg"]


def test_what_lies_in_another_given_folder_comes_before_links_to_it(
    tree: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "e.jpg").write_bytes(b"x")
    (tree / "album").symlink_to(other)
    found = find([str(tree / "sub"), str(tree), str(other)], recurse=True, is_picture=by_suffix)
    assert "other/e.jpg" in below(found)
    assert "in/album/e.jpg" not in below(found)
