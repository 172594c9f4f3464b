"""One-time keys, sessions and form tokens."""

import pytest

from hometone_shared.pages.sessions import KEY_GOOD_FOR_S, MOST_SESSIONS, SESSION_GOOD_FOR_S, OneTimeKeys, Sessions


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class State:
    def __init__(self) -> None:
        self.ended = 0


def new_sessions(clock: Clock) -> Sessions[State]:
    def end(state: State) -> None:
        state.ended += 1

    return Sessions(begin=State, end=end, clock=clock)


def test_a_key_opens_once() -> None:
    keys = OneTimeKeys()
    key = keys.new()
    assert keys.use(key)
    assert not keys.use(key)
    assert not keys.use("")
    assert not keys.use("x" * 1000)
    assert not keys.use("\ud800")


def test_a_key_grows_old() -> None:
    clock = Clock()
    keys = OneTimeKeys(clock=clock)
    good, old = keys.new(), keys.new()
    clock.now += KEY_GOOD_FOR_S
    assert keys.use(good)
    clock.now += 0.1
    assert not keys.use(old)


def test_of_many_keys_that_nobody_used_the_oldest_are_forgotten() -> None:
    keys = OneTimeKeys()
    made = [keys.new() for _ in range(40)]
    assert not keys.use(made[0])
    assert keys.use(made[-1])


def test_keys_and_names_cannot_be_guessed() -> None:
    keys, sessions = OneTimeKeys(), new_sessions(Clock())
    made = {keys.new() for _ in range(10)} | {sessions.begin()[0] for _ in range(10)}
    assert len(made) == 20
    assert all(len(each) >= 43 for each in made)  # 256 bits in base64


def test_a_session_is_found_by_its_name_until_it_is_over() -> None:
    clock = Clock()
    sessions = new_sessions(clock)
    name, session = sessions.begin()
    assert sessions.find(name) is session
    assert sessions.find(name + "x") is None
    assert sessions.find("x" * 1000) is None
    clock.now += SESSION_GOOD_FOR_S + 1
    assert sessions.find(name) is None
    assert session.state.ended == 1


def test_leaving_ends_a_session_once() -> None:
    sessions = new_sessions(Clock())
    name, session = sessions.begin()
    sessions.end(name)
    sessions.end(name)
    assert sessions.find(name) is None
    assert session.state.ended == 1


def test_the_session_that_was_used_least_recently_makes_room() -> None:
    clock = Clock()
    sessions = new_sessions(clock)
    made = []
    for _ in range(MOST_SESSIONS):
        clock.now += 1
        made.append(sessions.begin())
    clock.now += 1
    sessions.find(made[0][0])
    sessions.begin()
    assert sessions.find(made[0][0]) is not None
    assert sessions.find(made[1][0]) is None
    assert made[1][1].state.ended == 1


def test_closing_ends_all_of_them() -> None:
    clock = Clock()
    sessions = new_sessions(clock)
    made = [sessions.begin()[1] for _ in range(3)]
    assert set(sessions.each()) == set(made)
    sessions.close()
    assert [each.state.ended for each in made] == [1, 1, 1]
    assert sessions.each() == ()


def test_sessions_that_are_over_are_not_among_the_others() -> None:
    clock = Clock()
    sessions = new_sessions(clock)
    _, session = sessions.begin()
    clock.now += SESSION_GOOD_FOR_S + 1
    assert sessions.each() == ()
    assert session.state.ended == 1


@pytest.mark.parametrize("token", ["", "x", "\ud800", "é"])
def test_a_form_of_somebody_else_is_told_apart(token: str) -> None:
    _, session = new_sessions(Clock()).begin()
    assert session.is_form_of_ours(session.form_token)
    assert not session.is_form_of_ours(token)
    assert session.form_token not in repr(session)
