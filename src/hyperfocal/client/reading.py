"""From the JSON of the service to typed values."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

from hyperfocal.client.answers import (
    Basis,
    Estimate,
    Job,
    Made,
    Model,
    Prediction,
    Problem,
    Status,
)
from hyperfocal.client.errors import StrangeAnswer
from hyperfocal.client.headers import choice_of, depth_of


class Reader:
    """Values out of a JSON object, with :class:`StrangeAnswer` for what is not as agreed."""

    def __init__(self, content: object, what: str) -> None:
        self._what = what
        if not isinstance(content, Mapping):
            raise StrangeAnswer(f"{what}: not a JSON object")
        self._content: Mapping[str, Any] = content

    def text(self, name: str) -> str:
        """A string."""
        return str(self._of(name, str))

    def text_or_none(self, name: str) -> str | None:
        """A string, or None where there is none."""
        return None if self._content.get(name) is None else self.text(name)

    def identifier(self, name: str) -> str:
        """A string, or a whole number as a string."""
        value = self._content.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return self.text(name)

    def number(self, name: str) -> float:
        """A number."""
        value = self._of(name, (int, float))
        try:
            found = float(value)
        except OverflowError as error:
            raise self._strange(name) from error
        # Python reads the word NaN and 1e999, which JSON has no numbers for.
        if not math.isfinite(found):
            raise self._strange(name)
        return found

    def number_or_none(self, name: str) -> float | None:
        """A number, or None where there is none."""
        return None if self._content.get(name) is None else self.number(name)

    def decibels(self, name: str) -> float:
        """A number of dB; JSON has no infinity, so that null stands for two equal pictures."""
        value = self.number_or_none(name)
        return math.inf if value is None else value

    def whole(self, name: str) -> int:
        """A whole number."""
        value = self.number(name)
        if value != int(value):
            raise self._strange(name)
        return int(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        return bool(self._of(name, bool))

    def one_of(self, name: str, choices: Sequence[str]) -> Any:
        """One of these words."""
        value = self.text(name)
        if value not in choices:
            raise self._strange(name)
        return value

    def time(self, name: str) -> datetime | None:
        """An RFC 3339 time, or None where there is none."""
        text = self.text_or_none(name)
        if text is None:
            return None
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise self._strange(name) from error

    def numbers(self, name: str) -> dict[str, float]:
        """Numbers by name."""
        inner = Reader(self._content.get(name) or {}, f"{self._what}: {name}")
        return {key: inner.number(key) for key in inner._content}

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._content.get(name) or []
        if not isinstance(value, list):
            raise self._strange(name)
        return tuple(str(part) for part in value)

    def anything(self, name: str) -> object:
        """Whatever is there, or None."""
        return self._content.get(name)

    def inner(self, name: str) -> Reader | None:
        """An object inside, or None where there is none."""
        value = self._content.get(name)
        return None if value is None else Reader(value, f"{self._what}: {name}")

    def _of(self, name: str, kind: type | tuple[type, ...]) -> Any:
        value = self._content.get(name)
        # In Python true is a number; in JSON it is none.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self._strange(name)
        return value

    def _strange(self, name: str) -> StrangeAnswer:
        return StrangeAnswer(f"{self._what}: '{name}' is missing or not as agreed")


def read_job(content: object) -> Job:
    """A job's JSON."""
    job = Reader(content, "a job")
    created = job.time("created")
    if created is None:
        raise StrangeAnswer("a job: 'created' is missing")
    problem, result = job.inner("problem"), job.inner("result")
    return Job(
        id=job.text("id"),
        request_id=job.text("request_id"),
        status=job.one_of("status", get_args(Status)),
        progress=job.number("progress"),
        created=created,
        started=job.time("started"),
        finished=job.time("finished"),
        expires=job.time("expires"),
        result=None if result is None else _read_made(result),
        problem=None
        if problem is None
        else Problem(
            code=problem.text("code"),
            status=problem.whole("status"),
            detail=problem.text_or_none("detail") or problem.text("title"),
            request_id=problem.text_or_none("request_id"),
        ),
    )


def _read_made(result: Reader) -> Made:
    return Made(
        url=result.text("url"),
        width=result.whole("width"),
        height=result.whole("height"),
        format=result.text("format"),
        media_type=result.text("media_type"),
        bytes=result.whole("bytes"),
        model=result.text("model"),
        model_version=result.text("model_version"),
        scale=result.number("scale"),
        consistency_db=result.number_or_none("consistency_db"),
        psnr=result.decibels("psnr"),
        ssim=result.number("ssim"),
        basis=result.one_of("basis", get_args(Basis)),
        timing_ms=result.numbers("timing_ms"),
        notes=result.texts("notes"),
        # Beside the point where they are not as agreed, as in the headers of a picture.
        choice=choice_of(result.anything("choice")),
        depth=depth_of(result.anything("depth")),
    )


def read_prediction(content: object) -> Prediction:
    """The JSON of ``/predict``."""
    answer = Reader(content, "a prediction")
    metrics = answer.inner("metrics")
    if metrics is None:
        raise StrangeAnswer("a prediction: 'metrics' is missing")
    image = answer.text_or_none("image")
    return Prediction(
        prediction=answer.text("prediction"),
        psnr=metrics.decibels("PSNR"),
        ssim=metrics.number("SSIM"),
        basis=metrics.one_of("basis", get_args(Basis)),
        url=answer.text_or_none("url"),
        image=None if image is None else _decoded(image),
        request_id=answer.text("request_id"),
        model=answer.text("model"),
        width=answer.whole("width"),
        height=answer.whole("height"),
        timing_ms=answer.numbers("timing_ms"),
    )


def _decoded(text: str) -> bytes:
    """Base64, or a data URL of it."""
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except binascii.Error as error:
        raise StrangeAnswer("a prediction: 'image' is no base64") from error


def read_estimate(content: object) -> Estimate:
    """The JSON of ``/v1/estimate``."""
    answer = Reader(content, "an estimate")
    return Estimate(
        width=answer.whole("width"),
        height=answer.whole("height"),
        output_width=answer.whole("output_width"),
        output_height=answer.whole("output_height"),
        seconds=answer.number("seconds"),
        memory_bytes=answer.whole("memory_bytes"),
        model=answer.text("model"),
        format=answer.text("format"),
        tiles=answer.whole("tiles"),
    )


def read_models(content: object) -> tuple[Model, ...]:
    """The JSON of ``/v1/models``."""
    if not isinstance(content, list):
        raise StrangeAnswer("the models: not a JSON list")
    return tuple(
        Model(
            name=model.text("name"),
            scale=model.whole("scale"),
            tier=model.text("tier"),
            purpose=model.text("purpose"),
            version=model.text_or_none("version") or "",
            loaded=model.flag("loaded"),
            licence=model.text_or_none("licence") or "",
            precision=model.text_or_none("precision") or "",
        )
        for model in (Reader(part, "a model") for part in content)
    )
