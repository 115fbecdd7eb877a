"""Retraining end to end, with nets that train in seconds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from discs import discs, write_pictures
from PIL import Image
from typer.testing import CliRunner

from hyperfocal.cli.app import build
from hyperfocal.errors import (
    Cancelled,
    InputError,
    InputMissing,
    ModelError,
    ModelMissing,
    OutputExists,
    PairMismatch,
    SettingsError,
    UsageError,
)
from hyperfocal.evaluate import SuiteChoice
from hyperfocal.models.card import ModelCard
from hyperfocal.models.loaded import load_entry
from hyperfocal.models.registry import read_entry
from hyperfocal.retrain import Plan, retrain
from hyperfocal.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", models=tmp_path / "models")


@pytest.fixture
def plan(champion: Path, originals: Path, tmp_path: Path) -> Plan:
    return Plan(originals, str(champion), out=tmp_path / "out", steps=120, rate=4e-3)


def test_a_better_model_is_exported(plan: Plan, settings: Settings, tmp_path: Path) -> None:
    suite = write_pictures(tmp_path / "frozen", range(200, 203))
    plan = replace(plan, suites=(SuiteChoice(str(suite)),), tolerance=1.0)
    report, out = retrain(plan, settings, progress=False)
    assert report.verdict.better
    assert [found.new for found in report.suites] == [True, False]
    assert report.suites[0].gain > 0.02
    assert report.data["held_back"] == 2
    assert report.data["training"] == 7
    entry = read_entry(out / "tiny-retrained-x2.toml")
    # What the champion cost, which its card tells, is counted too.
    training = entry.card.training
    assert (
        training.total_steps == training.steps + ModelCard.read(Path(plan.champion)).training.steps
    )
    assert not training.more_before
    made = load_entry(entry, settings).run(discs(300)[:32, :32])
    assert made.shape == (64, 64, 3)
    assert {p.name for p in out.iterdir()} == {
        "held-back",
        "metrics.csv",
        "report.json",
        "report.md",
        *report.files,
    }
    written = json.loads((out / "report.json").read_text())
    assert written["verdict"]["better"] is True
    assert written["suites"][0]["gain"] == pytest.approx(report.suites[0].gain)
    with pytest.raises(OutputExists, match="holds a retraining already"):
        retrain(plan, settings, progress=False)


def test_one_that_is_asked_four_times_stays_that(
    plan: Plan, champion: Path, settings: Settings, tmp_path: Path
) -> None:
    own = shutil.copytree(champion.parent, tmp_path / "own") / champion.name
    ModelCard.read(own).model_copy(update={"self_ensemble": True}).write(own)
    report, out = retrain(replace(plan, champion=str(own)), settings, progress=False)
    assert report.verdict.better
    assert read_entry(out / "tiny-retrained-x2.toml").card.self_ensemble


def test_what_is_not_better_is_refused_with_the_reason(plan: Plan, settings: Settings) -> None:
    report, out = retrain(replace(plan, steps=2, margin=50.0), settings, progress=False)
    assert not report.verdict.better
    assert "NOT met" in report.verdict.reasons[0]
    assert not list(out.glob("*.onnx"))
    assert not list(out.glob("*.toml"))
    assert "refused" in (out / "report.md").read_text()


def test_pairs_are_learnt_from_as_they_are(plan: Plan, settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    high = write_pictures(folder / "HR", range(100, 110))
    (folder / "LR").mkdir()
    for path in high.iterdir():
        # Darker, which is easily learnt to be undone, and which no model here was trained on.
        pixels = np.asarray(Image.open(path)).reshape(48, 2, 48, 2, 3).mean(axis=(1, 3)) * 0.9
        Image.fromarray(np.rint(pixels).astype(np.uint8)).save(folder / "LR" / path.name)
    report, out = retrain(replace(plan, data=folder), settings, progress=False)
    assert report.data["degradation"] == "given"
    assert report.verdict.better
    assert len(list((out / "held-back" / "LR").iterdir())) == 2
    with pytest.raises(UsageError, match="brings its own"):
        retrain(
            replace(plan, data=folder, out=tmp_path / "no", degradation="real"),
            settings,
            progress=False,
        )
    (folder / "LR" / "100.png").unlink()
    with pytest.raises(PairMismatch):
        retrain(replace(plan, data=folder, out=tmp_path / "other"), settings, progress=False)


def test_a_suite_that_shares_a_picture_is_refused(
    plan: Plan, settings: Settings, tmp_path: Path
) -> None:
    suite = write_pictures(tmp_path / "frozen", range(200, 203))
    # The same photograph, smaller and compressed.
    Image.fromarray(discs(104)).resize((80, 80)).save(suite / "shared.jpg", quality=80)
    plan = replace(plan, suites=(SuiteChoice(str(suite)),))
    with pytest.raises(InputError, match=r"shared\.jpg of the suite frozen is among the new"):
        retrain(plan, settings, progress=False)
    assert plan.out is not None
    assert not plan.out.exists()


def test_copies_do_not_count(plan: Plan, settings: Settings, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "few", range(100, 106))
    for seed in range(100, 106):
        Image.fromarray(discs(seed)).save(folder / f"{seed}-again.jpg", quality=90)
    with pytest.raises(InputMissing, match=r"6 different pictures.*6 show what another"):
        retrain(replace(plan, data=folder), settings, progress=False)


def test_one_picture_that_cannot_be_read_does_not_stop_the_rest(
    plan: Plan, settings: Settings
) -> None:
    whole = (plan.data / "100.png").read_bytes()
    (plan.data / "cut.png").write_bytes(whole[: len(whole) // 2])
    (plan.data / "words.jpg").write_text("no picture")
    told: list[str] = []
    report, out = retrain(
        replace(plan, steps=2, margin=0.0), settings, progress=False, told=told.append
    )
    assert report.data["unreadable_left_out"] == 2
    assert report.data["training"] == 7
    for name in ("cut.png", "words.jpg"):
        assert sum("left out" in line and name in line for line in told) == 1
    assert any("2 of the new pictures cannot be read" in note for note in report.notes)
    assert "- unreadable left out: 2" in (out / "report.md").read_text()


def test_where_none_or_too_few_can_be_read_it_is_told(plan: Plan, settings: Settings) -> None:
    pictures = sorted(plan.data.iterdir())
    for path in pictures[:3]:
        path.write_text("no picture")
    with pytest.raises(InputMissing, match=r"7 different pictures.*3 cannot be read.*100\.png"):
        retrain(plan, settings, progress=False)
    for path in pictures[3:]:
        path.write_text("no picture")
    with pytest.raises(InputMissing, match=r"none of the 10 pictures in .* can be read.*100\.png"):
        retrain(plan, settings, progress=False)


def test_an_interrupted_one_goes_on_only_if_asked(
    plan: Plan, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("hyperfocal.retrain.run.export", die)
        with pytest.raises(KeyboardInterrupt):
            retrain(plan, settings, progress=False)
    with pytest.raises(OutputExists, match="--resume"):
        retrain(plan, settings, progress=False)
    with pytest.raises(SettingsError, match="other data or options"):
        retrain(replace(plan, rate=1e-4), settings, resume=True, progress=False)
    report, _ = retrain(plan, settings, resume=True, progress=False)
    assert report.cost["steps"] == 120


@pytest.mark.parametrize(
    "theirs", ["work/thesis.txt", "work/data/a.csv", "held-back/notes.txt", "metrics.csv"]
)
def test_what_is_somebody_elses_is_left_alone(plan: Plan, settings: Settings, theirs: str) -> None:
    assert plan.out is not None
    path = plan.out / theirs
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(OutputExists, match="holds something else"):
        retrain(plan, settings, progress=False)
    assert path.read_text() == "mine"
    assert [entry for entry in plan.out.rglob("*") if entry.is_file()] == [path]


@pytest.mark.parametrize("resume", [False, True])
def test_two_do_not_work_in_one_folder(
    plan: Plan, settings: Settings, monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    """Neither while the first one stages its data, nor later."""
    assert plan.out is not None
    found: list[Path] = []

    def second(*given: object, **named: object) -> None:
        before = sorted(plan.out.rglob("*"))  # type: ignore[union-attr]
        with pytest.raises(OutputExists, match="another retraining is at work in"):
            retrain(plan, settings, resume=resume, progress=False)
        assert sorted(plan.out.rglob("*")) == before  # type: ignore[union-attr]
        found.extend(before)
        raise KeyboardInterrupt

    monkeypatch.setattr("hyperfocal.retrain.plan.stage", second)
    with pytest.raises(KeyboardInterrupt):
        retrain(plan, settings, progress=False)
    assert plan.out / "work" / "champion.onnx" in found


def test_one_that_is_stopped_says_how_to_go_on(
    plan: Plan, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hyperfocal.retrain.run.fit", stop)
    with pytest.raises(Cancelled, match="--resume"):
        retrain(plan, settings, progress=False)


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"champion": "bicubic-x2"}, ModelError, "not weights"),
        ({"champion": "no-such-model"}, ModelMissing, "no-such-model"),
        ({"name": "photo-fast-x2"}, UsageError, "already"),
        ({"minutes": 1.0}, UsageError, "either minutes or steps"),
        ({"data": Path("nowhere")}, InputMissing, "nowhere"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_written(
    plan: Plan,
    settings: Settings,
    changes: dict[str, object],
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        retrain(replace(plan, **changes), settings, progress=False)  # type: ignore[arg-type]
    assert plan.out is not None
    assert not plan.out.exists()


def test_the_command_exits_with_1_where_nothing_was_gained(
    champion: Path, originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYPERFOCAL_CACHE", str(tmp_path / "cache"))
    given = ["retrain", "--data", str(originals), "--from", str(champion), "--steps", "2"]
    answer = CliRunner().invoke(build(), [*given, "--margin", "50", "--json"])
    assert answer.exit_code == 1
    assert json.loads(answer.stdout)["verdict"]["better"] is False
    answer = CliRunner().invoke(build(), [*given, "--margin", "50", "-o", "two", "--quiet"])
    assert answer.exit_code == 1
    assert "refused, not exported" in answer.stdout
    assert "two/report.md" in answer.stdout
