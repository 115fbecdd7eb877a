"""Requests made up from the OpenAPI document, right ones and wrong ones, to a real service.

Whatever is sent, the answer is one that the document describes, and none is a fault of the server.
"""

from __future__ import annotations

import contextlib
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_EXAMPLES = 12
_CONFIG = {
    "generation": {"deterministic": True, "max-examples": _EXAMPLES, "database": "none"},
    "phases": {"coverage": {"enabled": True}, "stateful": {"enabled": False}},
}


@pytest.fixture(scope="module")
def api(service):
    """The document as the service gives it."""
    document = service.client.get("/openapi.json").json()
    return schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(_CONFIG))


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_as_described(api, service, mode):
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) > 15
    sent, before = Counter(), service.restarts()
    for operation in operations:

        @settings(
            max_examples=_EXAMPLES,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case):
            sent[case.meta.generation.mode] += 1
            case.call_and_validate(base_url=service.url, checks=_CHECKS, timeout=120)

        # An operation without parameters cannot be asked wrongly.
        with contextlib.suppress(Unsatisfiable):
            check()
    assert set(sent) == {mode}
    assert sent[mode] > 80
    assert service.restarts() == before
