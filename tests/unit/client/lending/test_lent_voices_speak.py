"""A lent copy is asked at every use whether it is still lent; contacts renew it, silence ends it."""

import dataclasses
import datetime as dt
from collections.abc import Iterator

import pytest
from tests.unit.client.lending.conftest import DAY, NOW, World

from hometone_client.lending.borrowing import borrow
from hometone_client.lending.guests import Guest, LeaseState, guests, lent_voice, read_guest
from hometone_client.lending.known_log import KnownLog
from hometone_client.lending.renewal import lapsed, renew_leases
from hometone_client.speakers.choosing import UnlockedVoices
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import OWN, SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.voices import Voice, VoiceRegistry
from hometone_shared.errors import ConsentError, DamagedVaultError, ProtocolError, UsageError

HOUR = dt.timedelta(hours=1)


@dataclasses.dataclass
class Borrowed:
    """A copy that has arrived, and a clock."""

    world: World
    room: SpeakerRoom
    now: dt.datetime = NOW

    @property
    def voice(self) -> Voice:
        return lent_voice(self.room, log=lambda: self.world.log, way=Way.SERVE, clock=lambda: self.now)

    def speak(self, now: dt.datetime) -> None:
        self.now = now
        self.voice.load()

    @property
    def guest(self) -> Guest:
        return read_guest(self.room.vault)


@pytest.fixture
def borrowed(world: World) -> Iterator[Borrowed]:
    guest = borrow(world.borrower, world.package(lease_days=10), log=world.log, now=NOW)
    with SpeakerRoom(world.borrower.unlock_for_work(guest.speaker_id)) as room:
        yield Borrowed(world, room)


def test_it_speaks_without_a_pin_and_the_use_is_noted(borrowed: Borrowed) -> None:
    voice = borrowed.voice
    assert (voice.id, voice.kind, voice.languages) == ("mei", "lent", ("zh",))
    borrowed.speak(NOW + HOUR)
    borrowed.speak(NOW + 2 * HOUR)
    (use,) = borrowed.room.uses()
    assert (use.way, use.count, use.first, use.last) == (Way.SERVE, 2, NOW + HOUR, NOW + 2 * HOUR)


def test_after_a_tombstone_it_is_silent_at_once_and_for_ever(borrowed: Borrowed) -> None:
    borrowed.speak(NOW)
    borrowed.world.withdraw(Purpose.ANNOUNCEMENTS)
    for later in (NOW, NOW + HOUR, NOW + 400 * DAY):
        with pytest.raises(ConsentError, match="taken it back"):
            borrowed.speak(later)
    assert borrowed.room.journal()[-1]["event"] == "refused"


def test_without_a_contact_it_is_silent_after_the_days_of_the_lease(borrowed: Borrowed) -> None:
    borrowed.speak(NOW + 10 * DAY)
    with pytest.raises(ConsentError, match="more than 10 days") as refused:
        borrowed.speak(NOW + 10 * DAY + dt.timedelta(seconds=1))
    assert "hometone sync" in refused.value.hint


def test_a_contact_renews_it(borrowed: Borrowed) -> None:
    for days in (9, 18, 27):
        assert renew_leases(borrowed.world.borrower, now=NOW + days * DAY, tombstones=borrowed.world.log.book) == ("mei",)
        borrowed.speak(NOW + (days + 10) * DAY - HOUR if days == 27 else NOW + days * DAY)
    with pytest.raises(ConsentError, match="more than 10 days"):
        borrowed.speak(NOW + 38 * DAY)
    assert renew_leases(borrowed.world.borrower, now=NOW + 39 * DAY, tombstones=borrowed.world.log.book) == ("mei",)
    borrowed.speak(NOW + 40 * DAY)


def test_no_contact_renews_what_was_taken_back_or_is_not_known(borrowed: Borrowed) -> None:
    before = borrowed.guest.state
    assert renew_leases(borrowed.world.borrower, now=NOW + DAY, tombstones=KnownLog().book) == ()
    borrowed.world.withdraw(Purpose.OWN_VOICE)
    assert renew_leases(borrowed.world.borrower, now=NOW + DAY, tombstones=borrowed.world.log.book) == ()
    assert borrowed.guest.state == before


def test_no_contact_stretches_it_beyond_the_consent(borrowed: Borrowed) -> None:
    end = NOW + 365 * DAY
    renew_leases(borrowed.world.borrower, now=end - DAY, tombstones=borrowed.world.log.book)
    borrowed.speak(end - dt.timedelta(seconds=1))
    with pytest.raises(ConsentError, match="lent until 2027-11-24"):
        borrowed.speak(end)
    assert renew_leases(borrowed.world.borrower, now=end, tombstones=borrowed.world.log.book) == ()


def test_a_clock_that_was_set_back_silences_it(borrowed: Borrowed) -> None:
    borrowed.speak(NOW + 5 * DAY)
    borrowed.speak(NOW + 5 * DAY - HOUR)
    with pytest.raises(ConsentError, match="clock"):
        borrowed.speak(NOW + 5 * DAY - 2 * HOUR)
    assert renew_leases(borrowed.world.borrower, now=NOW, tombstones=borrowed.world.log.book) == ()
    borrowed.speak(NOW + 5 * DAY)


def test_a_clock_that_is_set_back_after_the_end_does_not_bring_it_back(borrowed: Borrowed) -> None:
    borrowed.speak(NOW + 9 * DAY)
    with pytest.raises(ConsentError, match="more than"):
        borrowed.speak(NOW + 12 * DAY)
    with pytest.raises(ConsentError, match="clock"):
        borrowed.speak(NOW + 2 * DAY)


def test_another_coordinators_log_does_not_vouch_for_it(borrowed: Borrowed) -> None:
    voice = lent_voice(borrowed.room, log=KnownLog, way=Way.SAY, clock=lambda: NOW)
    with pytest.raises(ConsentError, match="another coordinator"):
        voice.load()


def test_a_copy_without_a_coordinator_ends_with_its_days(world: World) -> None:
    borrow(world.borrower, world.package(log=KnownLog(), lease_days=3), log=KnownLog(), now=NOW)
    (guest,) = guests(world.borrower)
    guest.require(KnownLog(), now_s=int((NOW + 3 * DAY).timestamp()))
    with pytest.raises(ConsentError) as refused:
        guest.require(KnownLog(), now_s=int((NOW + 4 * DAY).timestamp()))
    assert "lend it again" in refused.value.hint


@pytest.mark.parametrize("part", [("lease", OWN), ("lease-state", "")])
def test_a_damaged_lease_or_state_is_silence(borrowed: Borrowed, part: tuple[str, str]) -> None:
    kind, name = part[0], part[1] or borrowed.guest.lease.lease
    borrowed.room.vault.put(kind, name, b"{}")
    with pytest.raises(DamagedVaultError):
        borrowed.speak(NOW)
    assert guests(borrowed.world.borrower) == ()


def test_a_state_that_was_taken_away_is_silence(borrowed: Borrowed) -> None:
    borrowed.room.vault.delete("lease-state", borrowed.guest.lease.lease)
    with pytest.raises(DamagedVaultError):
        borrowed.speak(NOW)


@pytest.mark.parametrize(
    "record", [{}, {"last_contact": 1}, {"last_contact": -1, "latest_seen": 1}, {"last_contact": 1.5, "latest_seen": 2}, 7]
)
def test_states_that_say_nothing_are_refused(record: object) -> None:
    with pytest.raises(ProtocolError):
        LeaseState.from_record(record)


def test_it_lapses_when_it_has_been_silent_for_as_long_again(borrowed: Borrowed) -> None:
    assert lapsed(borrowed.world.borrower, now=NOW + 20 * DAY) == ()
    (guest,) = lapsed(borrowed.world.borrower, now=NOW + 20 * DAY + HOUR)
    assert guest.name == "mei"


def test_in_a_running_server_an_erased_copy_is_gone_at_once(borrowed: Borrowed) -> None:
    gone: list[str] = []
    own = UnlockedVoices([borrowed.room], on_gone=lambda: gone.append("gone"), voice_of=lambda _: borrowed.voice)
    registry = VoiceRegistry(base_sha256="ab" * 32, own=own)
    assert registry.get("mei").kind == "lent"
    borrowed.world.borrower.revoke(borrowed.room.speaker_id)
    with pytest.raises(UsageError):
        registry.get("mei")
    assert gone == ["gone"]
