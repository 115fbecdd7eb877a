"""Retraining: a model goes on from where it is, on new pictures, and must prove itself.

The model that goes on is the challenger, the one it comes from the champion. Both are measured
on new pictures that nothing was trained on and on frozen suites; only a better challenger
becomes a model.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hyperfocal.errors import Cancelled, GarbledOutput, InputMissing, OutputExists
from hyperfocal.evaluate.measuring import SuiteChoice, measure_speed
from hyperfocal.evaluate.record import check_name, record
from hyperfocal.evaluate.report import Report
from hyperfocal.evaluate.run import evaluate, select
from hyperfocal.evaluate.suites import find_suite
from hyperfocal.lock import LOCK, alone
from hyperfocal.models.card import ModelCard, Precision, Quality
from hyperfocal.retrain.champion import Champion, read_champion
from hyperfocal.retrain.data import Parted, refuse_shared, survey
from hyperfocal.retrain.lineage import best, best_psnr
from hyperfocal.retrain.plan import (
    DATA,
    PICTURES,
    PLAN,
    Degradation,
    Plan,
    degradation_of,
    described,
    draft,
    full_side,
    least_side,
    may_stage,
    name_of,
    prepare,
    source_of,
)
from hyperfocal.retrain.report import (
    JSON,
    MARKDOWN,
    Compared,
    RetrainReport,
    Verdict,
    judge,
    lost_structure,
)
from hyperfocal.retrain.staging import HELD_BACK, original_of
from hyperfocal.settings import Settings
from hyperfocal.text import check_text
from hyperfocal.training.collapse import TrainingFailed
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.export import Exported, export
from hyperfocal.training.fit import Trained, fit

_WORK, _MODEL, _FIT, _CURVES = "work", "model", "training", "metrics.csv"


def retrain(
    plan: Plan,
    settings: Settings | None = None,
    *,
    resume: bool = False,
    progress: bool = True,
    told: Callable[[str], None] | None = None,
) -> tuple[RetrainReport, Path]:
    """Retrain, measure, judge; gives the report, and the folder it and a better model are in.

    The folder then has ``report.json``, ``report.md``, ``metrics.csv`` (the training's
    curves), ``pictures.csv`` (which picture became what), the suite ``held-back``, and
    ``NAME.toml`` with its weights. Until the verdict,
    everything lies in ``work`` there, from which ``resume`` goes on. ``told`` hears each stage.

    :class:`InputMissing`, :class:`PairMismatch` and :class:`InputError` for unusable data or a
    suite that shares pictures with it, :class:`ModelError` for a model that cannot go on,
    :class:`UsageError`, :class:`SettingsError` where what is gone on with was asked for otherwise,
    :class:`OutputExists`, :class:`InputMissing` where there is nothing to go on with, and
    :class:`Cancelled` when stopped. A training that fails is a challenger that is refused.
    """
    settings = settings or Settings.read()
    say = told or (lambda text: None)
    champion = read_champion(plan.champion, settings)
    name = name_of(plan, champion)
    out = plan.out or Path("retrained") / name
    work = out / _WORK
    # The plan of the training, as TOML, tells where it reads.
    check_text({"the folder for the results": str(work.resolve())})
    _check_free(out, resume=resume)

    say(f"reading {plan.data}")
    degradation = degradation_of(plan, champion, plan.data)
    parted = survey(
        plan.data,
        champion.card.scale,
        least_side(degradation, champion.card.scale),
        settings,
        any_quality=plan.any_quality,
        wanted=full_side(degradation, champion.card.scale),
    )
    for reason in (*parted.unreadable, *parted.damaged):
        say(f"left out: {reason}")
    for path in parted.tiny:
        say(f"left out: {path}: with patches as small as it is the others would teach less")
    for choice in plan.suites:
        check_name(choice.name)
        suite = select(find_suite(choice.suite, champion.card.scale), choice.first)
        check_name(suite.name)
        refuse_shared(suite, champion.card.scale, parted, settings)

    draft(plan, champion, name, degradation, parted, work)
    with alone(work, "retraining", out):
        # Another one may have begun, or ended, since.
        _check_free(out, resume=resume)
        experiment = prepare(plan, champion, name, degradation, parted, work, settings)
        if (work / JSON).is_file():
            # All was done but the moving.
            report = RetrainReport.read(work / JSON)
            _publish(out, report)
            return report, out
        precisions = champion.judged_precisions
        champions = _measure(champion.card_path, precisions, plan, work, settings, say)
        champion.refuse_another()
        say(f"training on {len(parted.training)} pictures")
        trained = _fit(experiment, work / _FIT, resume=resume, progress=progress)
        say("exporting the challenger")
        path = work / _MODEL / f"{name}.toml"
        card, compared, validation = None, tuple[Compared, ...](), dict[str, float]()
        try:
            made = _exported(trained, work)
        except TrainingFailed as error:
            verdict = Verdict(False, (f"{error} (it was {plan.rate:g}), in another folder",))
        else:
            card = _card(made.card, champion, parted, degradation).model_copy(
                update={"lineage": best(champion.card.lineage, _frozen(champions, plan))}
            )
            card.write(path)
            validation = {k: v for k, v in made.validation.items() if k in card.weights}
            compared, verdict = _judged(
                plan,
                champion.card.lineage,
                champions,
                path,
                precisions,
                original_of(parted, degradation),
                work,
                settings,
                say,
            )
        report = RetrainReport(
            champion=champion.card.name,
            champion_sha256=champion.card.weights["float"].sha256,
            challenger=name,
            verdict=verdict,
            margin=plan.margin,
            tolerance=plan.tolerance,
            suites=compared,
            data={
                "folder": plan.data.resolve().name,
                "sha256": parted.digest,
                "degradation": degradation,
                **parted.counts(),
            },
            cost=_cost(trained, card, experiment),
            validation=validation,
            notes=(*lost_structure(compared), *_notes(plan, champion, parted, trained)),
            files=_files(card) if card is not None and verdict.better else (),
        )
        if verdict.better and plan.bench:
            say(f"timing {name}")
            measure_speed(path, settings)
        # From here on only names change: what has no room fails here, and can go on.
        report.write(work)
        _publish(out, report)
        return report, out


def _check_free(out: Path, *, resume: bool) -> None:
    begun = (out / _WORK / PLAN).is_file()
    if (out / JSON).exists():
        raise OutputExists(f"{out} holds a retraining already; name another folder")
    if begun and not resume:
        raise OutputExists(
            f"{out} holds a retraining that was interrupted: go on with it (--resume), or name "
            "another folder"
        )
    if (out / _WORK / JSON).is_file():
        return
    if (out / MARKDOWN).exists() or any(out.glob("*.onnx")):
        raise OutputExists(f"{out} holds a retraining already; name another folder")
    if begun:
        return
    # What of these is there without a plan is somebody else's, and would be replaced.
    theirs = [name for name in (HELD_BACK, _CURVES, PICTURES) if (out / name).exists()]
    if not may_stage(out / _WORK):
        theirs.append(_WORK)
    if theirs:
        raise OutputExists(f"{out} holds something else, {theirs[0]}; name another folder")
    if resume and not _was_staged(out / _WORK):
        raise InputMissing(
            f"there is no interrupted retraining in {out} to go on with; begin one without --resume"
        )


def _was_staged(work: Path) -> bool:
    """Whether anything was begun there, if only to write down what is learnt from."""
    return work.is_dir() and any(entry.name != LOCK for entry in work.iterdir())


def _fit(experiment: Experiment, folder: Path, *, resume: bool, progress: bool) -> Trained:
    try:
        return fit(experiment, folder, resume=resume, progress=progress, tracking=False)
    except KeyboardInterrupt as stopped:
        raise Cancelled("stopped; go on with the same options and --resume") from stopped


def _exported(trained: Trained, work: Path) -> Exported:
    """The challenger's weights; :class:`TrainingFailed` where nothing was ever learnt.

    That is no reason to keep what was done: going on would only come to the same once more.
    """
    if not math.isfinite(trained.best_psnr):
        raise TrainingFailed(
            "the training has failed: no validation came to a number; try a lower --rate"
        )
    return export(work / _FIT / "best.ckpt", work / _MODEL)


def _measure(
    card: Path,
    precisions: tuple[Precision, ...],
    plan: Plan,
    work: Path,
    settings: Settings,
    say: Callable[[str], None],
) -> list[Report]:
    """Reports of each precision on the pictures held back, and on each frozen suite."""
    reports = []
    held_back = SuiteChoice(str(work / DATA / HELD_BACK))
    for kind in precisions:
        for choice in (held_back, *plan.suites):
            say(f"measuring {card.stem} ({kind}) on {choice.name}")
            reports.append(evaluate(choice.suite, str(card), None, choice.first, settings, kind))
    return reports


def _frozen(reports: Sequence[Report], plan: Plan) -> list[Report]:
    """Those on frozen suites: of each precision, all but the first."""
    return [r for index, r in enumerate(reports) if index % (1 + len(plan.suites))]


def _judged(
    plan: Plan,
    lineage: Sequence[Quality],
    champions: list[Report],
    path: Path,
    precisions: tuple[Precision, ...],
    originals: Mapping[str, str],
    work: Path,
    settings: Settings,
    say: Callable[[str], None],
) -> tuple[tuple[Compared, ...], Verdict]:
    try:
        challengers = _measure(path, precisions, plan, work, settings, say)
    except GarbledOutput as error:
        return (), Verdict(False, (f"the challenger fails: {error}",))
    frozen = _frozen(champions, plan)
    compared = tuple(
        Compared.of(ours, theirs, new=False, lineage=best_psnr(lineage, ours))
        if ours in frozen
        else Compared.of(ours, theirs, new=True, original_of=originals)
        for ours, theirs in zip(champions, challengers, strict=True)
    )
    for report in challengers:
        record(report, path)
    return compared, judge(compared, plan.margin, plan.tolerance)


def _card(
    card: ModelCard, champion: Champion, parted: Parted, degradation: Degradation
) -> ModelCard:
    """The challenger's card: what is the champion's by nature, and where it comes from."""
    old, judged = champion.card, champion.judged_precisions
    source = f"{old.name} (sha256 {old.weights['float'].sha256[:16]}; {old.training.data or '?'})"
    training = card.training.model_copy(
        update={"data": f"{source}, then {described(parted, degradation)}", "experiment": ""}
    )
    return card.model_copy(
        update={
            "tier": old.tier,
            "self_ensemble": old.self_ensemble,
            "takes_depth": old.takes_depth,
            "licence": old.licence,
            "training": training,
            # What the champion does not have, or cannot be measured here, is not exported.
            "weights": {kind: w for kind, w in card.weights.items() if kind in judged},
            # Of one answer, not of the mean of several.
            "quality": ()
            if old.self_ensemble
            else tuple(q for q in card.quality if q.precision in judged),
        }
    )


def _cost(trained: Trained, card: ModelCard | None, experiment: Experiment) -> dict[str, object]:
    return {
        "steps": trained.steps,
        "seconds": round(trained.seconds, 1),
        "hardware": experiment.hardware if card is None else card.training.hardware,
        "patch": experiment.data.patch,
        "batch": experiment.data.batch,
        "rate": experiment.schedule.rate,
        "quantisation_aware": experiment.net.qat,
        "seed": experiment.seed,
    }


def _notes(plan: Plan, champion: Champion, parted: Parted, trained: Trained) -> tuple[str, ...]:
    notes = []
    if math.isfinite(trained.best_psnr) and not math.isfinite(trained.final_psnr):
        notes.append(
            "the training collapsed: judged is the best state before that; try a lower --rate"
        )
    if source_of(parted) in champion.card.training.data:
        notes.append(
            f"{champion.card.name} was trained on pictures of a folder of this name before: if "
            "some are gone by now, others that it knows may be held back, which favours it"
        )
    if not plan.suites:
        notes.append("no frozen suite was given: what the model may have lost is not measured")
    if unjudged := champion.card.weights.keys() - champion.judged_precisions:
        notes.append(
            f"{', '.join(sorted(unjudged))} weights were not exported: this processor does not "
            "compute them exactly, so they could not be judged"
        )
    if len(parted.held_back) < 10:
        notes.append(
            f"only {len(parted.held_back)} pictures were held back: the gain on them is a rough one"
        )
    if parted.damaged:
        notes.append(
            f"{len(parted.damaged)} of the new pictures have signs of damage, which a model would "
            f"learn to make, and were left out; the first: {parted.damaged[0]}"
        )
    if parted.tiny:
        notes.append(
            f"{len(parted.tiny)} of the new pictures are much smaller than the others, whose "
            "patches would have had to be as small, and were not trained on; the first: "
            f"{parted.tiny[0]}"
        )
    if parted.unreadable:
        notes.append(
            f"{len(parted.unreadable)} of the new pictures cannot be read and were left out; the "
            f"first: {parted.unreadable[0]}"
        )
    return tuple(notes)


def _files(card: ModelCard) -> tuple[str, ...]:
    return (f"{card.name}.toml", *(weights.file for weights in card.weights.values()))


def _publish(out: Path, report: RetrainReport) -> None:
    """Move what is kept out of the work folder, as far as it still is there, and remove that.

    The card comes after its weights: weights without one are no model. The report for programs
    comes last: without it, in ``work``, nobody would know what is still to be moved.
    """
    work = out / _WORK
    files = [work / _MODEL / file for file in reversed(report.files)]
    data = (work / DATA / HELD_BACK, work / PICTURES)
    for source in (*data, work / _FIT / _CURVES, *files, work / MARKDOWN, work / JSON):
        if source.exists():
            _replace(source, out / source.name)
    shutil.rmtree(work, ignore_errors=True)


def _replace(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)
