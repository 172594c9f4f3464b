"""A place for somebody new comes after her yes, with what she said yes to and nothing else."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from hometone_client.enrolling.agreeing import agree
from hometone_client.enrolling.places import Agreement, check_new_place, enrol, place_for
from hometone_client.federation.ledger import DEFAULT_EPSILON, PrivacyLedger
from hometone_client.retention.takes import drops_takes
from hometone_client.speakers.consent import Purpose
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
from hometone_shared.errors import ConsentError, UsageError

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault(tmp_path / "home", device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=CHEAP) as opened:
        yield opened


def test_she_is_enrolled_with_what_she_agreed_to(vault: Vault) -> None:
    agreement = Agreement(locale="zh", purposes=frozenset({Purpose.FEDERATED}), days=30, drop_takes=True, read_out=True)
    with enrol(vault, name="梅", pin="2468", agreement=agreement) as room:
        consent = room.consent()
        assert consent is not None
        assert consent.locale == "zh"
        assert consent.expires - consent.given == dt.timedelta(days=30)
        assert room.consent(Purpose.FEDERATED) is not None
        assert room.consent(Purpose.LISTENING) is None
        assert drops_takes(room)
        assert [entry["shown"] for entry in room.journal() if entry["event"] == "consent-text"] == ["read out"]
    (entry,) = vault.speakers()
    assert entry.work_allowed


@pytest.mark.parametrize("days", [0, -1, 366])
def test_an_agreement_holds_a_day_to_a_year(days: int) -> None:
    with pytest.raises(ConsentError, match="365"):
        Agreement(locale="en", days=days)


@pytest.mark.parametrize("purpose", [Purpose.ANNOUNCEMENTS, Purpose.ARCHIVE])
def test_what_is_agreed_to_aloud_is_not_agreed_to_by_a_switch(vault: Vault, purpose: Purpose) -> None:
    with pytest.raises(ConsentError, match="aloud"):
        Agreement(locale="en", purposes=frozenset({purpose}))
    with enrol(vault, name="mei", pin="2468", agreement=Agreement(locale="en")) as room:
        with pytest.raises(ConsentError, match="aloud"):
            agree(room, vault, purpose=purpose, locale="en")
        assert room.consent(purpose) is None


def test_a_name_and_a_pin_are_looked_at_before_there_is_a_vault() -> None:
    check_new_place("Mei 梅", "2468")
    for name, pin in (("", "2468"), ("a\x00b", "2468"), ("x" * 201, "2468"), ("stock:mei", "2468"), (" stock:mei", "2468"), ("mei", "12")):
        with pytest.raises(UsageError):
            check_new_place(name, pin)


def test_whoever_was_broken_off_goes_on_and_whoever_is_enrolled_is_not_taken_over(vault: Vault) -> None:
    place_for(vault, "mei", "2468").close()
    with pytest.raises(UsageError, match="that name"):
        place_for(vault, "mei", "1111")
    with enrol(vault, name="Mei", pin="2468", agreement=Agreement(locale="en")) as room:
        speaker_id = room.speaker_id
    with pytest.raises(UsageError, match="that name"):
        place_for(vault, "mei", "2468")
    assert [entry.speaker_id for entry in vault.speakers()] == [speaker_id]


def test_a_yes_to_the_shared_model_sets_a_bound_and_keeps_one_that_was_chosen(vault: Vault) -> None:
    with enrol(vault, name="mei", pin="2468", agreement=Agreement(locale="en")) as room:
        ledger = PrivacyLedger(room.vault)
        ledger.set_budget(2.0)
        agree(room, vault, purpose=Purpose.FEDERATED, locale="en")
        budget = PrivacyLedger(room.vault).budget
        assert budget is not None
        assert budget.epsilon == 2.0
    with enrol(vault, name="otto", pin="2468", agreement=Agreement(locale="en")) as room:
        agree(room, vault, purpose=Purpose.FEDERATED, locale="en")
        budget = PrivacyLedger(room.vault).budget
        assert budget is not None
        assert budget.epsilon == DEFAULT_EPSILON
