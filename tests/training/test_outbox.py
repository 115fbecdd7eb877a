"""Messages to a server that comes and goes."""

from __future__ import annotations

import pytest

from hyperfocal.training.outbox import Outbox


class Refusal(Exception):
    """As MLflow refuses what it will never take."""

    error_code = "INVALID_PARAMETER_VALUE"


class Far:
    """A server that is up or down, and a clock."""

    def __init__(self) -> None:
        self.up = True
        self.now = 0.0
        self.heard: list[int] = []
        self.asked = 0

    def hear(self, number: int) -> None:
        self.asked += 1
        if not self.up:
            raise ConnectionError("no route")
        self.heard.append(number)


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
def outbox(far: Far) -> Outbox:
    return Outbox("the tracker", lambda: far.now)


def test_what_was_said_meanwhile_is_said_in_order(far: Far, outbox: Outbox) -> None:
    far.up = False
    for number in range(3):
        outbox.put(lambda number=number: far.hear(number))
        assert not outbox.send()
    far.up, far.now = True, 61.0
    assert outbox.send()
    assert far.heard == [0, 1, 2]


def test_a_dead_server_is_asked_ever_less_often(far: Far, outbox: Outbox) -> None:
    far.up = False
    outbox.put(lambda: far.hear(0))
    for second in range(0, 3600, 10):
        far.now = float(second)
        outbox.send()
    # At 0, 60, 180, 420, 900 s and then every ten minutes.
    assert far.asked == 9


def test_a_refusal_is_told_once_and_not_repeated(
    far: Far, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise Refusal("changing a parameter")

    outbox.put(refuse)
    outbox.put(lambda: far.hear(1))
    assert outbox.send()
    assert far.heard == [1]
    assert "the tracker refused: changing a parameter" in caplog.text


def test_without_what_is_needed_the_rest_is_not_sent(
    far: Far, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise Refusal("no run")

    outbox.put(refuse, needed=True)
    outbox.put(lambda: far.hear(1))
    assert outbox.send()
    outbox.put(lambda: far.hear(2))
    outbox.close()
    assert far.heard == []
    assert [record.message for record in caplog.records] == ["the tracker refused: no run"]


def test_closing_tries_at_once_and_says_what_is_lost(
    far: Far, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    far.up = False
    outbox.put(lambda: far.hear(0))
    outbox.send()
    outbox.close()
    assert far.asked == 2
    assert "was not told the last 1 messages" in caplog.text
