"""Making the voice: it goes on without her, can be paused, and ends with the pages without losing anything."""

import time
from collections.abc import Callable

import pytest
from clock import Clock
from tests.unit.client.speakers.test_room import a_voice, noise_take
from visitor import ORIGIN, Visitor

import hometone_client.pages.making as making
from hometone_client.jobs.queue import JobQueue, read_job
from hometone_client.jobs.tiers import Tier
from hometone_client.pages.house import LOCKED_AFTER_S, House
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Vault
from hometone_shared.errors import WrongSecretError


def until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + 120.0
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.fixture
def own(visitor: Visitor, mei: str) -> Visitor:
    """Mei, unlocked, with a take that says it has 40 s of speech."""
    visitor.post(f"/unlock/{mei}", {"pin": "2468"})
    room(visitor).add_take(noise_take(1), text="", language="en", speech_s=40.0, quality={})
    visitor.get("/me")
    return visitor


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is enough, whatever else runs beside the tests."""
    monkeypatch.setattr(making, "available_mib", lambda: 1 << 20)
    monkeypatch.setattr("hometone_client.jobs.queue.needed_mib", lambda _tier: 1)


def room(visitor: Visitor) -> SpeakerRoom:
    (session,) = visitor.house.browsers.each()
    assert session.state.room is not None
    return session.state.room


def test_with_too_little_speech_it_is_told_what_is_missing(visitor: Visitor, mei: str) -> None:
    visitor.post(f"/unlock/{mei}", {"pin": "2468"})
    page = visitor.get("/me/making").text
    assert "At least 30 are needed" in page
    assert "/me/making/start" not in page
    assert "At least 30 are needed" in visitor.follow(visitor.post("/me/making/start", {"tier": "quick"})).text
    assert read_job(room(visitor)) is None


def test_with_too_little_memory_it_is_told_and_no_job_is_left(own: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "available_mib", lambda: 10)
    page = own.follow(own.post("/me/making/start", {"tier": "standard"})).text
    assert "too little free memory" in page
    assert read_job(room(own)) is None
    assert not own.house.people()[0].work_allowed


@pytest.mark.parametrize("tier", ["", "gold", "STANDARD"])
@pytest.mark.usefixtures("memory")
def test_another_way_of_making_it_is_refused(own: Visitor, tier: str) -> None:
    assert "how carefully" in own.follow(own.post("/me/making/start", {"tier": tier})).text


@pytest.mark.usefixtures("memory")
def test_it_goes_on_while_she_is_locked_and_stops_when_she_pauses(own: Visitor, mei: str) -> None:
    """The real worker process; it takes seconds to begin, which is when it is paused."""
    assert "is being made" in own.follow(own.post("/me/making/start", {"tier": "quick"})).text
    assert "x-reload" not in own.get("/me/making/live").headers
    own.post("/lock")
    assert making.workshop(own.house).working(mei) is not None
    assert own.get("/me/making/live").headers["x-reload"] == "1"
    own.get("/")
    own.post(f"/unlock/{mei}", {"pin": "2468"})
    page = own.follow(own.post("/me/making/pause")).text
    assert "Paused" in page
    assert "Go on" in page
    assert making.workshop(own.house).working(mei) is None
    job = read_job(room(own))
    assert job is not None
    assert (job.tier, job.attempts) == (Tier.QUICK, 0)
    assert "/me/making" in own.get("/me").text
    assert "Leave it for now" in own.get("/me/making").text
    own.post("/me/making/drop")
    assert read_job(room(own)) is None
    with pytest.raises(WrongSecretError):
        own.house.vault().unlock_for_work(mei)


@pytest.mark.usefixtures("memory")
def test_the_end_of_the_pages_leaves_the_job_in_the_queue(own: Visitor, house: House, mei: str) -> None:
    own.post("/me/making/start", {"tier": "quick"})
    house.close()
    with Vault(house.home) as vault:
        (queued,) = JobQueue(vault, home=house.home).jobs()
    assert queued.speaker_id == mei
    assert queued.job.attempts == 0


@pytest.mark.usefixtures("memory")
def test_why_it_failed_is_told(own: Visitor, mei: str) -> None:
    """The real worker; it fails because the consent has been withdrawn meanwhile."""
    own.post("/me/making/start", {"tier": "quick"})
    room(own).vault.delete("consent", "own-voice")
    until(lambda: making.workshop(own.house).working(mei) is None)
    page = own.get("/me/making").text
    assert "could not be made" in page
    assert "not consented" in page


@pytest.mark.usefixtures("memory")
def test_somebody_who_is_forgotten_meanwhile_stops_nobody(own: Visitor, house: House, mei: str) -> None:
    own.post("/me/making/start", {"tier": "quick"})
    house.vault().revoke(mei)
    until(lambda: making.workshop(house).working(mei) is None)
    assert own.get("/me/making").headers["location"] == "/"


@pytest.mark.usefixtures("memory")
def test_a_page_that_looks_at_the_progress_keeps_nobody_unlocked(own: Visitor, clock: Clock) -> None:
    for _ in range(4):
        clock.now += LOCKED_AFTER_S / 3
        own.get("/me/making/live")
    assert own.get("/me").headers["location"] == "/"


def test_her_voice_is_heard_in_sentences_that_she_never_recorded(own: Visitor) -> None:
    room(own).keep_voice(a_voice(), record={"made": "2026-11-30T12:00:00+00:00"})
    page = own.get("/me/making").text
    assert "This is your voice" in page
    assert "这是我的声音" in page
    assert "/me/making/hear/zh/1" in page
    assert "/me/speak" in page
    assert "2026-11-30" in own.get("/me").text


@pytest.mark.parametrize("path", ["xx/1", "en/0", "en/4", "en/-1", "en/x"])
def test_sentences_that_are_not_there(own: Visitor, path: str) -> None:
    assert own.get(f"/me/making/hear/{path}").status_code == 400


@pytest.mark.models
def test_without_a_voice_or_a_consent_nothing_is_spoken(own: Visitor) -> None:
    assert own.get("/me/making/hear/en/1").status_code == 400
    room(own).vault.delete("consent", "own-voice")
    assert own.get("/me/making/hear/en/1").status_code == 403


@pytest.mark.parametrize("path", ["/me/making/start", "/me/making/pause", "/me/making/drop", "/me/pin"])
def test_forms_of_others_and_of_nobody_are_refused(own: Visitor, path: str) -> None:
    assert own.post(path, {"tier": "quick"}, token="x").status_code == 400
    assert own.post(path, {"tier": "quick"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert own.request("POST", path, content=b"", headers={"Origin": ORIGIN}).status_code == 400
    own.post("/lock")
    own.get("/")
    assert own.post(path, {"tier": "quick"}).headers["location"] == "/"


@pytest.mark.parametrize("path", ["/me", "/me/making", "/me/making/hear/en/1", "/me/pin"])
def test_pages_are_hers_alone(visitor: Visitor, mei: str, path: str) -> None:
    del mei
    assert visitor.get(path).headers["location"] == "/"


def test_dropping_what_is_not_there_is_told(own: Visitor) -> None:
    assert "no job" in own.follow(own.post("/me/making/drop")).text


def test_the_next_step_is_the_one_that_can_be_taken(visitor: Visitor, mei: str) -> None:
    visitor.post(f"/unlock/{mei}", {"pin": "2468"})
    assert "Begin to record" in visitor.get("/me").text
    room(visitor).add_take(noise_take(1), text="", language="en", speech_s=40.0, quality={})
    page = visitor.get("/me").text
    assert "Go on recording" in page
    assert "Make my voice now" in page
    room(visitor).add_take(noise_take(2), text="", language="en", speech_s=30.0, quality={})
    assert "Make my voice" in visitor.get("/me").text
    room(visitor).keep_voice(a_voice(), record={})
    assert "Let my voice speak" in visitor.get("/me").text
    room(visitor).vault.delete("consent", "own-voice")
    assert "has ended" in visitor.get("/me").text


def test_another_pin_needs_the_old_one_and_leaves_her_unlocked(own: Visitor, mei: str) -> None:
    new = {"new_pin": "97531", "pin_again": "97531"}
    page = own.follow(own.post("/me/pin", {"pin": "1111", **new})).text
    assert 'role="alert"' in page
    assert "97531" not in page
    assert "not the same" in own.follow(own.post("/me/pin", {"pin": "2468", **new, "pin_again": "2"})).text
    assert "at least" in own.follow(own.post("/me/pin", {"pin": "2468", "new_pin": "1", "pin_again": "1"})).text.lower()
    assert "new PIN opens" in own.follow(own.post("/me/pin", {"pin": "2468", **new})).text
    assert own.get("/me/recording/takes").status_code == 200
    own.house.vault().unlock(mei, "97531").close()
    with pytest.raises(WrongSecretError):
        own.house.vault().unlock(mei, "2468")
