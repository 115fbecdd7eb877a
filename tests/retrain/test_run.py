"""Retraining end to end, with nets that train in seconds."""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
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
    OutputRefused,
    PairMismatch,
    SettingsError,
    UsageError,
)
from hyperfocal.evaluate import SuiteChoice
from hyperfocal.evaluate.measuring import measure_speed
from hyperfocal.models.card import ModelCard
from hyperfocal.models.hardware import Processor, processor
from hyperfocal.models.loaded import load_entry
from hyperfocal.models.registry import read_entry
from hyperfocal.retrain import Plan, RetrainReport, retrain, run
from hyperfocal.settings import Settings
from hyperfocal.training.collapse import TrainingFailed
from hyperfocal.training.nets.plain import PlainNet


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", models=tmp_path / "models")


@pytest.fixture
def plan(champion: Path, originals: Path, tmp_path: Path) -> Plan:
    return Plan(
        originals,
        str(champion),
        out=tmp_path / "out",
        steps=40,
        rate=4e-3,
        bench=False,
        # Edges that are drawn have no softness: to the eye for damage some look compressed.
        any_quality=True,
    )


@pytest.fixture(autouse=True)
def quick_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here is that a model is timed, not how fast it is."""
    quick = functools.partial(measure_speed, side=24, runs=2, threads=1)
    monkeypatch.setattr(run, "measure_speed", quick)


def test_a_better_model_is_exported(plan: Plan, settings: Settings, tmp_path: Path) -> None:
    suite = write_pictures(tmp_path / "frozen", range(200, 203))
    plan = replace(plan, suites=(SuiteChoice(str(suite)),), tolerance=1.0)
    report, out = retrain(replace(plan, bench=True), settings, progress=False)
    assert report.verdict.better
    # Both weights are exported, so both are judged, and first those that run here.
    assert [found.new for found in report.suites] == [True, False] * 2
    kinds = [found.precision for found in report.suites[::2]]
    assert sorted(kinds) == ["float", "int8"]
    assert report.suites[0].gain > 0.02
    assert report.data["held_back"] == 2
    assert report.data["training"] == 7
    entry = read_entry(out / "tiny-retrained-x2.toml")
    told = [(q.suite, q.precision) for q in entry.card.quality]
    assert kinds[0] == ("int8" if processor().has_int8 else "float")
    suites = ("frozen", "held-back", "validation")
    assert sorted(told) == sorted((suite, kind) for suite in suites for kind in kinds)
    assert [speed.precision for speed in entry.card.speed] == ["float", "int8"]
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
        "pictures.csv",
        "report.json",
        "report.md",
        *report.files,
    }
    written = json.loads((out / "report.json").read_text())
    assert written["verdict"]["better"] is True
    assert written["suites"][0]["gain"] == pytest.approx(report.suites[0].gain)
    assert written["suites"][0]["sure"] > 0.0
    # What it had on the frozen suites, which those that come of it are judged by.
    assert [(q.suite, q.images) for q in entry.card.lineage] == [("frozen", 3)] * 2
    assert {q.psnr for q in entry.card.lineage} == {
        round(found.champion_psnr, 3) for found in report.suites if not found.new
    }
    with pytest.raises(OutputExists, match="holds a retraining already"):
        retrain(plan, settings, progress=False)


def test_one_that_is_asked_four_times_stays_that(
    plan: Plan, champion: Path, settings: Settings, tmp_path: Path
) -> None:
    own = shutil.copytree(champion.parent, tmp_path / "own") / champion.name
    ModelCard.read(own).model_copy(update={"self_ensemble": True}).write(own)
    report, out = retrain(replace(plan, champion=str(own)), settings, progress=False)
    assert report.verdict.better
    card = read_entry(out / "tiny-retrained-x2.toml").card
    assert card.self_ensemble
    # The export measures single answers, which are not this model's.
    assert {q.suite for q in card.quality} == {"held-back"}


def test_of_weights_that_are_not_exported_the_card_tells_nothing(
    plan: Plan, champion: Path, settings: Settings, tmp_path: Path
) -> None:
    own = shutil.copytree(champion.parent, tmp_path / "own") / champion.name
    card = ModelCard.read(own)
    card.model_copy(update={"weights": {"float": card.weights["float"]}}).write(own)
    report, out = retrain(replace(plan, champion=str(own)), settings, progress=False)
    assert report.verdict.better
    made = read_entry(out / "tiny-retrained-x2.toml").card
    assert made.weights.keys() == {"float"}
    assert {q.precision for q in made.quality} == {"float"}


def test_weights_that_cannot_be_judged_here_are_not_exported(
    plan: Plan, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ability in ("exact_int8", "has_int8"):
        monkeypatch.setattr(Processor, ability, property(lambda self: False))
    report, out = retrain(plan, settings, progress=False)
    assert report.verdict.better
    assert {found.precision for found in report.suites} == {"float"}
    assert read_entry(out / "tiny-retrained-x2.toml").card.weights.keys() == {"float"}
    assert not list(out.glob("*.int8.onnx"))
    assert any(note.startswith("int8 weights were not exported") for note in report.notes)


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
        # Paler, which is easily learnt to be undone, and which no model here was trained on.
        means = np.asarray(Image.open(path)).reshape(48, 2, 48, 2, 3).mean(axis=(1, 3))
        pixels = 255.0 - (255.0 - means) * 0.9
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


@pytest.mark.parametrize(("new", "frozen"), [("L", "RGB"), ("RGB", "L")])
def test_a_grey_photograph_is_known_again_in_colour(
    plan: Plan, settings: Settings, tmp_path: Path, new: str, frozen: str
) -> None:
    suite = write_pictures(tmp_path / "frozen", range(200, 203))
    grey = Image.fromarray(discs(111)).convert("L")
    grey.convert(new).save(plan.data / "one.png")
    grey.convert(frozen).save(suite / "other.png")
    plan = replace(plan, suites=(SuiteChoice(str(suite)),))
    with pytest.raises(InputError, match=r"other\.png of the suite frozen is among the new"):
        retrain(plan, settings, progress=False)


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
    suite = SuiteChoice(str(write_pictures(plan.data.parent / "frozen", range(200, 202))))
    for changed, text in (
        ({"rate": 1e-4}, r"rate was 0\.004 and is 0\.0001"),
        ({"margin": 0.5, "bench": True}, r"margin was 0\.02 and is 0\.5; bench was False"),
        ({"suites": (suite,)}, r"suites was none and is .*frozen:all"),
        ({"steps": None, "minutes": 1.0}, r"minutes was not given and is 1\.0; steps was 40"),
    ):
        with pytest.raises(SettingsError, match=text):
            retrain(replace(plan, **changed), settings, resume=True, progress=False)
    extra = Image.fromarray(discs(112))
    extra.save(plan.data / "112.png")
    with pytest.raises(SettingsError, match="other data"):
        retrain(plan, settings, resume=True, progress=False)
    (plan.data / "112.png").unlink()
    report, _ = retrain(plan, settings, resume=True, progress=False)
    assert report.cost["steps"] == 40


def test_one_that_is_stopped_while_it_is_published_is_finished(
    plan: Plan, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = run._replace, [0]

    def stopping(source: Path, target: Path) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(source, target)

    monkeypatch.setattr(run, "_replace", stopping)
    with pytest.raises(KeyboardInterrupt):
        retrain(plan, settings, progress=False)
    # Nothing is trained or measured again.
    monkeypatch.setattr(run, "_measure", None)
    frozen = SuiteChoice(str(write_pictures(plan.data.parent / "frozen", range(200, 202))))
    for changed in (replace(plan, tolerance=0.5), replace(plan, suites=(frozen,))):
        with pytest.raises(SettingsError, match="begun with other options"):
            retrain(changed, settings, resume=True, progress=False)
    assert plan.out is not None
    moved = 0
    while (plan.out / "work").exists():
        with pytest.raises(OutputExists, match="--resume"):
            retrain(plan, settings, progress=False)
        left[0], moved = 1, moved + 1
        with contextlib.suppress(KeyboardInterrupt):
            report, _ = retrain(plan, settings, resume=True, progress=False)
    told = {"metrics.csv", "pictures.csv", "report.json", "report.md"}
    kept = {"held-back", *told, *report.files}
    assert {entry.name for entry in plan.out.iterdir()} == kept
    assert moved == len(kept) == 8
    assert RetrainReport.read(plan.out / "report.json") == report


def test_no_room_for_the_report_costs_nothing(
    plan: Plan, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = replace(plan, steps=2, margin=50.0)

    def full(path: Path, write: object) -> None:
        raise OutputRefused(f"{path}: no space left on the disk")

    with monkeypatch.context() as broken:
        broken.setattr("hyperfocal.retrain.report.write_file", full)
        with pytest.raises(OutputRefused, match="no space left"):
            retrain(plan, settings, progress=False)
    assert plan.out is not None
    assert [entry.name for entry in plan.out.iterdir()] == ["work"]
    report, out = retrain(plan, settings, resume=True, progress=False)
    assert not report.verdict.better
    assert (out / "held-back").is_dir()


def import_anew(path: Path) -> None:
    """Make another model of the one whose card this is, under the same name."""
    card = ModelCard.read(path)
    file = path.with_name(card.weights["float"].file)
    model = onnx.load(file)
    model.graph.doc_string = "imported anew"
    onnx.save(model, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    changed = card.weights["float"].model_copy(update={"sha256": digest})
    card.model_copy(update={"weights": {**card.weights, "float": changed}}).write(path)


def test_another_champion_of_the_same_name_is_not_gone_on_with(
    plan: Plan, champion: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    own = shutil.copytree(champion.parent, tmp_path / "own") / champion.name
    plan = replace(plan, champion=str(own))
    with monkeypatch.context() as broken:
        broken.setattr(run, "fit", stop)
        with pytest.raises(Cancelled):
            retrain(plan, settings, progress=False)
    import_anew(own)
    with pytest.raises(SettingsError, match="another model called tiny-x2"):
        retrain(plan, settings, resume=True, progress=False)


def test_a_champion_that_is_overwritten_meanwhile_is_not_judged_by(
    plan: Plan, champion: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = shutil.copytree(champion.parent, tmp_path / "own") / champion.name
    surveyed = run.survey

    def overwritten(*given: Any, **named: Any) -> Any:
        import_anew(own)
        return surveyed(*given, **named)

    monkeypatch.setattr(run, "survey", overwritten)
    with pytest.raises(SettingsError, match="tiny-x2 was overwritten since"):
        retrain(replace(plan, champion=str(own)), settings, progress=False)


def test_to_go_on_there_must_be_something_begun(plan: Plan, settings: Settings) -> None:
    with pytest.raises(InputMissing, match=r"no interrupted retraining in .*without --resume"):
        retrain(plan, settings, resume=True, progress=False)
    assert plan.out is not None
    assert not plan.out.exists()


def test_a_training_that_fails_is_refused_and_leaves_nothing_to_go_on_with(
    plan: Plan, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    forward = PlainNet.forward
    monkeypatch.setattr(PlainNet, "forward", lambda *given: forward(*given) * math.nan)
    report, out = retrain(plan, settings, progress=False)
    assert not report.verdict.better
    assert "the training has failed" in report.verdict.reasons[0]
    assert "a lower --rate (it was 0.004), in another folder" in report.verdict.reasons[0]
    assert "best.ckpt" not in caplog.text
    assert (report.suites, report.files) == ((), ())
    assert not (out / "work").exists()
    assert {path.name for path in out.iterdir()} == {
        "held-back", "metrics.csv", "pictures.csv", "report.json", "report.md",
    }  # fmt: skip
    assert RetrainReport.read(out / "report.json") == report


def test_weights_too_large_to_export_are_refused(
    plan: Plan, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*given: object, **named: object) -> None:
        raise TrainingFailed("best.ckpt: the training has failed; try a lower rate")

    monkeypatch.setattr(run, "export", failing)
    report, out = retrain(replace(plan, steps=2), settings, progress=False)
    assert not report.verdict.better
    assert not (out / "work").exists()


def test_a_champion_that_may_know_what_is_held_back_is_told(
    plan: Plan, champion: Path, settings: Settings, tmp_path: Path
) -> None:
    report, _ = retrain(replace(plan, steps=2, margin=0.0), settings, progress=False)
    assert not any("before" in note for note in report.notes)
    own = shutil.copytree(champion.parent, tmp_path / "own") / champion.name
    card = ModelCard.read(own)
    data = "tiny-x2, then 30 pictures of new (sha256 0123456789abcdef), reduced bicubically"
    training = card.training.model_copy(update={"data": data})
    card.model_copy(update={"training": training}).write(own)
    again = replace(plan, champion=str(own), steps=2, margin=0.0, out=tmp_path / "again")
    report, _ = retrain(again, settings, progress=False)
    assert any("trained on pictures of a folder of this name before" in n for n in report.notes)


def test_a_folder_whose_name_is_no_text(plan: Plan, settings: Settings, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9s")
    plan.data.rename(odd)
    plan = replace(plan, data=odd, steps=2, margin=0.0)
    _, out = retrain(plan, settings, progress=False)
    assert "- folder: caf\\udce9s" in (out / "report.md").read_text()
    with pytest.raises(UsageError, match="is no text"):
        retrain(replace(plan, out=odd / "out"), settings, progress=False)


@pytest.mark.parametrize(
    "theirs",
    ["work/thesis.txt", "work/data/a.csv", "held-back/notes.txt", "metrics.csv", "pictures.csv"],
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
        ({"suites": (SuiteChoice("validation"),)}, UsageError, "the training chose by"),
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


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"minutes": 1.0}, "either minutes or steps"),
        ({"steps": None}, "either minutes or steps"),
        ({"margin": math.inf}, "the margin must be a number of dB"),
        ({"tolerance": math.inf}, "the tolerance must be a number of dB"),
        ({"tolerance": -0.1}, "at least 0, not -0.1"),
        ({"margin": math.nan}, "not nan"),
    ],
)
def test_what_no_plan_can_say(plan: Plan, changes: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        replace(plan, **changes)  # type: ignore[arg-type]


def test_which_pictures_it_learnt_from_can_be_looked_up(plan: Plan, settings: Settings) -> None:
    _, out = retrain(replace(plan, steps=2), settings, progress=False)
    with (out / "pictures.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert {row["part"] for row in rows} == {"training", "choosing", "held-back"}
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in plan.data.iterdir()}
    assert {row["file"]: row["sha256"] for row in rows} == digests
    held_back = {f"{path.stem}.png" for path in (out / "held-back").iterdir()}
    assert {row["file"] for row in rows if row["part"] == "held-back"} == held_back


def test_the_command_exits_with_5_where_nothing_was_gained(
    champion: Path, originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYPERFOCAL_CACHE", str(tmp_path / "cache"))
    given = ["retrain", "--data", str(originals), "--from", str(champion), "--steps", "2"]
    given += ["--no-suite", "--any-quality"]
    answer = CliRunner().invoke(build(), [*given, "--margin", "50", "--json"])
    assert answer.exit_code == 5
    assert json.loads(answer.stdout)["verdict"]["better"] is False
    # That it could not begin is something else.
    assert CliRunner().invoke(build(), [*given, "--margin", "50", "--json"]).exit_code == 1
    answer = CliRunner().invoke(build(), [*given, "--margin", "50", "-o", "two", "--quiet"])
    assert answer.exit_code == 5
    assert "refused, not exported" in answer.stdout
    assert "two/report.md" in answer.stdout


def test_the_command_tells_a_lack_of_memory(
    champion: Path, originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hyperfocal.training.module.Restoration.training_step", fail)
    given = ["retrain", "--data", str(originals), "--from", str(champion), "--steps", "2"]
    answer = CliRunner().invoke(build(), [*given, "--no-suite", "--any-quality", "--json"])
    assert answer.exit_code == 2
    assert "not enough memory" in json.loads(answer.stdout)["error"]["message"]
    assert "--resume" in answer.stderr


def test_the_command_judges_by_the_suites_that_are_there(
    champion: Path, originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYPERFOCAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HYPERFOCAL_DATA", raising=False)
    given = ["retrain", "--data", str(originals), "--from", str(champion), "--steps", "2"]
    given.append("--any-quality")
    answer = CliRunner().invoke(build(), given)
    assert answer.exit_code == 2
    assert "no frozen suite" in answer.stderr
    assert not (tmp_path / "retrained").exists()
    write_pictures(tmp_path / "data" / "eval" / "BSD100", range(200, 202))
    write_pictures(tmp_path / "data" / "eval" / "mine", range(202, 204))
    monkeypatch.setenv("HYPERFOCAL_DATA", str(tmp_path / "data"))
    answer = CliRunner().invoke(build(), [*given, "--margin", "50", "--json"])
    assert answer.exit_code == 5, answer.stderr
    judged = {(found["suite"], found["new"]) for found in json.loads(answer.stdout)["suites"]}
    assert judged == {("new pictures, held back", True), ("BSD100", False)}
    answer = CliRunner().invoke(build(), [*given, "--suite", "BSD100", "--no-suite"])
    assert answer.exit_code == 2
    assert "exclude each other" in answer.stderr
