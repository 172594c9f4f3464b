"""How long the driver waits for those who do not answer, and what it does with answers that are none."""

import pytest

from hometone_server.rounds import driver as driving
from hometone_server.rounds.driver import Exchange, RoundDriver, require_cohort
from hometone_shared.errors import FederationError
from hometone_shared.messages import Body


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(driving.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(driving.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def enough_for(asked: int):
    return RoundDriver._enough(None, asked)  # type: ignore[arg-type]


def answers(*nodes: int):
    return {node: Body("roster", {}) for node in nodes}


def test_when_everybody_answered_it_goes_on_at_once(clock):
    assert enough_for(3)(answers(0, 1, 2))


def test_two_thirds_are_not_enough_however_long_it_takes(clock):
    enough = enough_for(3)
    clock[0] = 1e6
    assert not enough(answers(0, 1))


def test_those_who_are_left_get_time_by_how_long_the_others_took(clock):
    enough = enough_for(4)
    clock[0] = 10.0
    assert not enough(answers(0, 1, 2))
    clock[0] = 29.9
    assert not enough(answers(0, 1, 2))
    clock[0] = 30.1
    assert enough(answers(0, 1, 2))


def test_quick_answers_leave_a_second_for_the_rest(clock):
    enough = enough_for(4)
    clock[0] = 0.01
    assert not enough(answers(0, 1, 2))
    clock[0] = 0.9
    assert not enough(answers(0, 1, 2))
    clock[0] = 1.1
    assert enough(answers(0, 1, 2))


class Arriving:
    """Laptops that come one by one."""

    def __init__(self) -> None:
        self.asked = 0

    def nodes(self):
        self.asked += 1
        return range(self.asked)

    def exchange(self, requests, *, kind, timeout_s, enough=None):
        return {}


def test_it_waits_for_laptops_that_come(clock):
    exchange: Exchange = Arriving()
    require_cohort(exchange, least=4, gather_s=10.0)
    assert exchange.asked == 4


def test_it_says_how_many_are_there_when_they_do_not_come(clock):
    class Nobody(Arriving):
        def nodes(self):
            return ()

    with pytest.raises(FederationError, match="0 laptops are there and 4 are needed"):
        require_cohort(Nobody(), least=4, gather_s=3.0)
    assert clock[0] >= 3.0
