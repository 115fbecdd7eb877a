"""Errors cross from a worker to the service by name."""

from __future__ import annotations

import hyperfocal.client.errors as of_the_client
from hyperfocal.server import errors as of_the_server
from hyperfocal.server.pool.protocol import error_from_plain


def test_a_client_in_the_same_program_lends_none_of_its_classes() -> None:
    assert of_the_client.class_of("out-of-memory") is not of_the_server.WorkerMemory
    error = error_from_plain({"class": "WorkerMemory", "message": "too much"})
    assert type(error) is of_the_server.WorkerMemory
