"""The client: a method for everything the service does."""

from __future__ import annotations

import base64
import contextlib
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from hyperfocal.client.answers import Estimate, Health, Model, Prediction, Restored, Verdict
from hyperfocal.client.calling import Call, Caller, has_password
from hyperfocal.client.errors import Forbidden, ServiceError, Unauthorized, is_away
from hyperfocal.client.jobs import Jobs
from hyperfocal.client.options import Options
from hyperfocal.client.pictures import upload_of
from hyperfocal.client.reading import (
    Reader,
    read_estimate,
    read_models,
    read_prediction,
)
from hyperfocal.client.retry import Retry, check_seconds
from hyperfocal.client.sending import check_output, picture_call, receiver
from hyperfocal.errors import UsageError
from hyperfocal.kinds import check_kinds
from hyperfocal.text import check_text

# Seconds that a service which is there may take to say so.
_LOOK = 10.0

Size = tuple[int | None, int | None]


class Client:
    """A connection to the service at ``url``; use it with ``with``, or call :meth:`close`.

    ``key``: an API key, where the service wants one; a password in ``url`` is for a proxy before
    it, and goes along with the key. ``timeout``: seconds to wait for the
    service to say anything; a picture that takes longer belongs into a job. ``retry``: how
    patient to be with a service that is busy or away; ``on_retry``: is told why, and for how many
    seconds, before every pause, in the thread that waits. ``verify``: check the certificate of
    https, or the path of a file of authorities to trust.

    Pictures are given as a path, bytes of a picture file, a binary file, a Pillow image, or an
    array ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` of uint8, uint16 or floats in [0, 1].

    Every refusal of the service is a :class:`ServiceError`, and at the same time the error of
    restoring that it is (BrokenPicture, ModelMissing …). May be used from many threads.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = 120.0,
        retry: Retry | None = None,
        verify: bool | str | ssl.SSLContext = True,
        on_retry: Callable[[ServiceError, float], None] | None = None,
    ) -> None:
        if timeout is None:
            raise UsageError("a client needs a timeout, a number of seconds")
        check_seconds(timeout)
        check_kinds(
            key=(key, str | None),
            retry=(retry, Retry | None),
            verify=(verify, bool | str | ssl.SSLContext),
            on_retry=(on_retry, Callable | None),
        )
        self._given: dict[str, Any] = {"url": url, "key": key, "timeout": timeout, "verify": verify}
        self._caller = Caller(
            url,
            headers=_headers(key, beside_password=has_password(url)),
            timeout=timeout,
            retry=retry or Retry(),
            verify=verify,
            on_retry=on_retry,
        )
        self.jobs = Jobs(self._caller)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The service's address, without a password that it may hold."""
        return self._caller.url

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def cancel(self) -> None:
        """Break off all calls in progress, from another thread.

        They raise :class:`hyperfocal.errors.Cancelled`, and so do later ones. The service stops
        the work it was doing for them.
        """
        self._caller.cancel()

    def again(self) -> Client:
        """Another client of the same service, which this one's :meth:`cancel` does not stop.

        It tries everything once, and not for long.
        """
        return Client(**{**self._given, "timeout": 10.0, "retry": Retry(attempts=1)})

    def upscale(
        self,
        picture: object,
        output: str | Path | None = None,
        *,
        scale: float | None = None,
        size: Size | None = None,
        long_edge: int | None = None,
        megapixels: float | None = None,
        model: str | None = None,
        format: str | None = None,
        quality: int | None = None,
        bit_depth: int | None = None,
        strip_metadata: bool = False,
        min_fidelity: float | None = None,
        reference: object | None = None,
        depth: object = None,
        overwrite: bool = True,
    ) -> Restored:
        """Restore a picture.

        ``output``: stream the result into this file, which is whole or not there, instead of
        keeping it in memory, which may not be ``picture`` itself; ``overwrite``: replace what is
        there. ``reference``: a picture to
        measure PSNR and SSIM against. ``depth``: a map of how near or far things are, by which what
        is out of focus is kept so; left out, the one in the picture's file; False: none. It is
        given like a picture, an array ``(h, w)`` holding any numbers. The rest is as for
        ``hyperfocal.upscale``; where ``format`` is left out, it is by ``output``'s suffix or that
        of the input.
        """
        check_output(output, overwrite, picture)
        options = Options(
            scale=scale,
            size=size,
            long_edge=long_edge,
            megapixels=megapixels,
            model=model,
            format=_format(format, output),
            quality=quality,
            bit_depth=bit_depth,
            strip_metadata=strip_metadata,
            min_fidelity=min_fidelity,
            use_depth=depth is not False,
        )
        call = picture_call("/v1/upscale", picture, options, reference, depth)
        receive = receiver(output, overwrite, self._caller.go_on, asked=options.format)
        return self._caller.run(call, receive)

    def preview(
        self,
        picture: object,
        output: str | Path | None = None,
        *,
        crop: tuple[int, int, int, int] | None = None,
        scale: float | None = None,
        format: str | None = None,
    ) -> Restored:
        """Restore a part of a picture with the fastest model.

        ``crop``: x, y, width and height in pixels of the input, at most 512 x 512; left out, the
        middle. ``output`` and ``format``: as for :meth:`upscale`.
        """
        check_output(output, picture=picture)
        options = Options(scale=scale, format=_format(format, output), crop=crop)
        call = picture_call("/v1/preview", picture, options)
        receive = receiver(output, True, self._caller.go_on, asked=options.format)
        return self._caller.run(call, receive)

    def estimate(
        self,
        picture: object,
        *,
        scale: float | None = None,
        size: Size | None = None,
        long_edge: int | None = None,
        megapixels: float | None = None,
        model: str | None = None,
        format: str | None = None,
    ) -> Estimate:
        """What restoring a picture would take, without doing it."""
        options = Options(
            scale=scale,
            size=size,
            long_edge=long_edge,
            megapixels=megapixels,
            model=model,
            format=format,
        )
        return read_estimate(self._caller.json(picture_call("/v1/estimate", picture, options)))

    def predict(
        self,
        picture: object,
        *,
        reference: object | None = None,
        scale: float | None = None,
        model: str | None = None,
        returns: str | None = None,
    ) -> Prediction:
        """``POST /predict``: the picture travels inside JSON, a third larger than it is.

        ``returns``: what the service takes for ``return``. For other programs' sake; prefer
        :meth:`upscale`.
        """
        Options(scale=scale, model=model)
        check_kinds(returns=(returns, str | None))
        document: dict[str, object] = {"image": _base64(picture)}
        if reference is not None:
            document["reference"] = _base64(reference)
        given = {
            # JSON knows no numbers of numpy.
            "scale": None if scale is None else float(scale),
            "model": model,
            "return": returns,
        }
        document |= {name: value for name, value in given.items() if value is not None}
        check_text(document)
        call = Call("POST", "/predict", body=lambda files: {"json": document})
        return read_prediction(self._caller.json(call))

    def feedback(
        self,
        request_id: str,
        verdict: Verdict,
        *,
        reasons: Iterable[str] = (),
        comment: str = "",
        keep_picture: bool = False,
        picture: object | None = None,
    ) -> str:
        """Say whether a result was good; gives the feedback's id.

        ``request_id``: of the result. ``reasons``: some of blurry, artefacts, invented, colour,
        faces, text, noise, other. ``keep_picture``: consent to keeping ``picture``, which may not
        be sent without.
        """
        if picture is not None and not keep_picture:
            raise UsageError("a picture is sent only with keep_picture=True, your consent")
        check_kinds(
            keep_picture=(keep_picture, bool),
            request_id=(request_id, str),
            verdict=(verdict, str),
            reasons=(reasons, Iterable),
            comment=(comment, str),
        )
        words = [reasons] if isinstance(reasons, str) else list(reasons)
        for word in words:
            check_kinds(a_reason=(word, str))
        fields: dict[str, Any] = {
            "request_id": request_id,
            "verdict": verdict,
            "reasons": words,
            "comment": comment,
            "keep_picture": keep_picture,
        }
        check_text({**fields, "reasons": ",".join(fields["reasons"])})
        upload = None if picture is None else upload_of(picture)

        def body(files: contextlib.ExitStack) -> dict[str, Any]:
            if upload is None:
                return {"json": fields}
            part = files.enter_context(upload.open())
            form = {**fields, "reasons": ",".join(fields["reasons"]), "keep_picture": "true"}
            return {"data": form, "files": {"picture": (upload.name(), part, upload.media_type())}}

        # Given twice, it would count twice.
        call = Call("POST", "/v1/feedback", body=body, repeatable=False)
        answer = Reader(self._caller.json(call), "feedback")
        return answer.identifier("id")

    def models(self) -> tuple[Model, ...]:
        """The models the service can use."""
        return read_models(self._caller.json(Call("GET", "/v1/models")))

    def health(self) -> Health:
        """Whether the service is there and takes work; never raises for one that is not."""
        once, version = Retry(attempts=1), None
        try:
            # Not /healthz, which a page's own server answers though the service behind it is gone.
            # This goes through, needs no key, and is answered by a service with its hands full.
            content = self._caller.json(Call("GET", "/version"), retry=once, timeout=_LOOK)
            version = Reader(content, "the version").text_or_none("version")
        except ServiceError as error:
            # It needs no key: who wants one is somebody before the service.
            if is_away(error) or isinstance(error, Unauthorized | Forbidden):
                return Health(alive=False, ready=False, version=None)
        try:
            self._caller.run(Call("GET", "/readyz"), lambda answer: None, retry=once, timeout=_LOOK)
        except ServiceError:
            return Health(alive=True, ready=False, version=version)
        return Health(alive=True, ready=True, version=version)


def _format(format: str | None, output: str | Path | None) -> str | None:
    """The one asked for, or that of the name of the file."""
    if format is not None or output is None:
        return format
    from hyperfocal.imaging.formats import format_of_suffix

    return format_of_suffix(Path(output))


def _base64(picture: object) -> str:
    with upload_of(picture).open() as file:
        return base64.b64encode(file.read()).decode("ascii")


def _headers(key: str | None, *, beside_password: bool) -> dict[str, str]:
    """``beside_password``: there is one in the address, and ``Authorization`` is taken by it."""
    from importlib.metadata import version

    headers = {"User-Agent": f"hyperfocal/{version('hyperfocal')}"}
    if key is not None:
        key = key.strip()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise UsageError("the API key is empty, or holds what no key can hold")
        headers |= {"X-API-Key": key} if beside_password else {"Authorization": f"Bearer {key}"}
    return headers
