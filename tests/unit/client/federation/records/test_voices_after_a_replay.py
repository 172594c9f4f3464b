"""Voices never carry a withdrawn release: not when they are made, not when they are used, and not in the vault once they were renewed."""

import datetime as dt

import numpy as np
import pytest

from hometone_client.federation.membership import join
from hometone_client.federation.newest_release import current_voice, newest_release, renew_voice, renew_voices
from hometone_client.federation.shared_releases import SharedReleases
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices.container import to_bytes
from hometone_client.voices.parameters import DenseDelta, VoiceParameters
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
from hometone_shared.errors import StorageError
from hometone_shared.records.release import ReleaseStatus
from hometone_shared.records.withdrawn_releases import WithdrawnReleases

BASE, BASIS = "ab" * 32, "cd" * 32


class Laptop:
    """A home that has joined, and follows its coordinator."""

    def __init__(self, home, coordinator, identity):
        self.home, self.coordinator = home, coordinator
        code = coordinator.invitations.issue(address=coordinator.descriptor.address).to_text()
        self.membership = join(code, home=home, identity=identity, transport=coordinator.bridge)

    def sync(self, *numbers):
        log = self.membership.log()
        with self.membership.records(transport=self.coordinator.bridge) as records:
            log.update(records)
            for number in numbers:
                SharedReleases(self.membership.folder, log=log).fetch(records, number=number)


def publish(coordinator, number, *, status=ReleaseStatus.CURRENT):
    plan = {"plan_sha256": f"{number:064x}", "run": "1" * 16, "round_number": number} if number else {}
    vector = np.asarray([number, 0.5], dtype=np.float32)
    return coordinator.releases.publish(vector, base_sha256=BASE, basis_sha256=BASIS, status=status, **plan)


def withdraw(coordinator, *numbers, replaced_by):
    coordinator.log.append(WithdrawnReleases(releases=numbers, replaced_by=replaced_by).signed(coordinator.key))


def a_voice(shared):
    return VoiceParameters(
        style=np.linspace(-1, 1, 256, dtype=np.float32),
        base_sha256=BASE,
        recipe="finetune-1",
        created=dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC),
        languages=("en",),
        weight_deltas={"x": DenseDelta(np.ones(2, np.float32))},
        shared=shared,
    )


@pytest.fixture
def laptop(tmp_path, coordinator, identity):
    for number in range(3):
        publish(coordinator, number)
    laptop = Laptop(tmp_path / "laptop", coordinator, identity)
    laptop.sync(0, 1, 2)
    return laptop


@pytest.fixture
def room(tmp_path):
    cost = Argon2Cost(memory_kib=8, iterations=1, lanes=1)
    with (
        Vault(tmp_path / "vault", device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=cost) as vault,
        SpeakerRoom(vault.enroll("mei", "1234")) as room,
    ):
        yield room


def test_a_voice_takes_the_release_that_replaces_its_own(laptop, coordinator):
    voice = a_voice(newest_release(laptop.home))
    assert voice.shared.number == 2
    assert current_voice(voice, laptop.home) is voice
    coordinator.releases.restore(0, run="2" * 16, status=ReleaseStatus.PROVISIONAL)
    publish(coordinator, 4)
    withdraw(coordinator, 1, 2, replaced_by=4)
    laptop.sync(4)
    renewed = current_voice(voice, laptop.home)
    assert renewed.shared.number == 4
    assert renewed.shared.theta.tolist() == [4.0, 0.5]
    assert renewed.weight_deltas.keys() == voice.weight_deltas.keys()
    assert renewed.digest() != voice.digest()
    assert current_voice(renewed, laptop.home) is renewed
    assert newest_release(laptop.home).number == 4


def test_as_long_as_the_new_one_is_not_here_the_base_speaks(laptop, coordinator):
    voice = a_voice(newest_release(laptop.home))
    publish(coordinator, 3)
    withdraw(coordinator, 1, 2, replaced_by=3)
    laptop.sync()
    assert current_voice(voice, laptop.home).shared is None
    assert newest_release(laptop.home) is None


def test_voices_without_a_release_and_laptops_without_a_coordinator_are_left_alone(laptop, coordinator, tmp_path):
    voice = a_voice(newest_release(laptop.home))
    publish(coordinator, 3)
    withdraw(coordinator, 1, 2, replaced_by=3)
    laptop.sync()
    plain = a_voice(None)
    assert current_voice(plain, laptop.home) is plain
    assert current_voice(voice, tmp_path / "nowhere") is voice


def test_numbers_of_another_coordinator_mean_nothing(laptop, coordinator):
    import dataclasses

    shared = dataclasses.replace(newest_release(laptop.home), theta=np.asarray([9, 9], dtype=np.float32))
    publish(coordinator, 3)
    withdraw(coordinator, 1, 2, replaced_by=3)
    laptop.sync(3)
    stranger = a_voice(shared)
    assert current_voice(stranger, laptop.home) is stranger


def test_the_vault_is_renewed_once_and_holds_nothing_of_the_old_one(laptop, coordinator, room):
    assert not renew_voice(room, laptop.home)
    voice = a_voice(newest_release(laptop.home))
    room.keep_voice(voice, record={"tier": "quick"})
    room.checkpoint().save(b"of the next one")
    assert not renew_voice(room, laptop.home)
    publish(coordinator, 3)
    withdraw(coordinator, 1, 2, replaced_by=3)
    laptop.sync(3)
    assert renew_voice(room, laptop.home)
    assert not renew_voice(room, laptop.home)
    again = room.voice()
    assert again.shared.number == 3
    assert room.voice_record() == {"tier": "quick"}
    assert room.voice_languages == ("en",)
    assert room.checkpoint().load() == b"of the next one"
    assert voice.shared.theta.tobytes() not in to_bytes(again)


def test_whoever_can_be_opened_without_a_pin_is_renewed_and_the_others_when_they_are(laptop, coordinator, tmp_path):
    cost = Argon2Cost(memory_kib=8, iterations=1, lanes=1)
    with Vault(tmp_path / "vault", device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=cost) as vault:
        ids = {}
        for name in ("anna", "bea", "clara"):
            with SpeakerRoom(vault.enroll(name, "1234")) as room:
                room.keep_voice(a_voice(newest_release(laptop.home)), record={})
                ids[name] = room.speaker_id
                if name != "clara":
                    vault.allow_work(room.vault)
        with vault.unlock(ids["bea"], "1234") as bea:
            bea.put("voice", "own", b"damaged")
        assert renew_voices(vault, laptop.home) == 0
        publish(coordinator, 3)
        withdraw(coordinator, 1, 2, replaced_by=3)
        laptop.sync(3)
        assert renew_voices(vault, laptop.home) == 1
        assert renew_voices(vault, laptop.home) == 0
        with SpeakerRoom(vault.unlock(ids["clara"], "1234")) as room:
            assert renew_voice(room, laptop.home)
        assert renew_voices(vault, tmp_path / "nowhere") == 0


def test_a_disk_that_refuses_leaves_the_old_voice_and_nobody_speaks_with_it(laptop, coordinator, room, monkeypatch):
    room.keep_voice(a_voice(newest_release(laptop.home)), record={})
    publish(coordinator, 3)
    withdraw(coordinator, 1, 2, replaced_by=3)
    laptop.sync(3)

    def full(*_args, **_kwargs):
        raise StorageError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(type(room.vault), "put", full)
        with pytest.raises(StorageError):
            renew_voice(room, laptop.home)
    assert room.voice().shared.number == 2
    assert current_voice(room.voice(), laptop.home).shared.number == 3
    assert renew_voice(room, laptop.home)
