"""Refusals travel between processes, as what a pool of them does."""

from __future__ import annotations

import copy
import pickle

import pytest

from hyperfocal import errors
from hyperfocal.client import calling
from hyperfocal.client import errors as refusals
from hyperfocal.client.errors import ServiceError, class_of, error_of


def every(kind: type[errors.HyperfocalError]) -> list[type[errors.HyperfocalError]]:
    return [kind, *(one for child in kind.__subclasses__() for one in every(child))]


CODES = sorted(
    {
        *(
            kind.code
            for kind in every(errors.HyperfocalError)
            if kind.__module__ == errors.__name__
        ),
        *(kind.code for kind in every(ServiceError) if kind.__module__ == refusals.__name__),
        "of-tomorrow",
    }
)


def there_and_back(error: ServiceError) -> None:
    for made in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(made) is type(error)
        assert str(made) == str(error)
        assert made.args == error.args
        for name in ("code", "status", "request_id", "retry_after", "exit_code"):
            assert getattr(made, name) == getattr(error, name)


@pytest.mark.parametrize("code", CODES)
def test_a_refusal_of_every_code(code: str) -> None:
    error = error_of({"code": code, "detail": "it cannot be"}, 418, "request-1", 2.5)
    there_and_back(error)
    assert isinstance(error, class_of(code))


def test_what_has_no_code_of_its_own() -> None:
    there_and_back(calling._Unconnected("nobody is there"))
    there_and_back(ServiceError("no"))
    there_and_back(refusals.StrangeAnswer("a page", status=404))


def test_one_that_is_caught_as_the_error_of_restoring() -> None:
    sent = pickle.dumps(error_of({"code": "broken-picture", "title": "x"}, 422, None, None))
    with pytest.raises(errors.BrokenPicture, match="x"):
        raise pickle.loads(sent)
