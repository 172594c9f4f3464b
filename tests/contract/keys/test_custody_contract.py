"""One suite for every custody: whoever keeps the device key, the vault behaves the same."""

from collections.abc import Callable, Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend

from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
from hometone_shared.errors import UsageError, WrongSecretError

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)
SOURCES = {
    Custody.KEYRING: DeviceSecretSource(custody=Custody.KEYRING),
    Custody.PASSPHRASE: DeviceSecretSource(custody=Custody.PASSPHRASE, passphrase="four brown bears"),
    Custody.FILE: DeviceSecretSource(custody=Custody.FILE),
}


class KeyringInMemory(KeyringBackend):
    """What a keyring does, without a desktop."""

    priority = 5

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get(service + username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service + username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service + username]


@pytest.fixture(params=list(Custody))
def opener(request, tmp_path) -> Iterator[Callable[[], Vault]]:
    before = keyring.get_keyring()
    keyring.set_keyring(KeyringInMemory())
    yield lambda: Vault(tmp_path, device_secret_source=SOURCES[request.param], cost=CHEAP)
    keyring.set_keyring(before)


def test_what_was_put_is_there_after_a_restart(opener):
    with opener() as vault, vault.enroll("王芳", "2580") as speaker:
        speaker.put("take", "1", b"sound")
        assert vault.custody in SOURCES
    with opener() as vault, vault.unlock(vault.find("王芳").speaker_id, "2580") as speaker:
        assert speaker.read("take", "1") == b"sound"


def test_the_device_stays_who_it_is(opener):
    with opener() as vault:
        before = (vault.device.public_signing_key(), vault.device.public_node_key(), vault.device.public_sealing_key())
        vault.revoke(vault.enroll("王芳", "2580").speaker_id)
    with opener() as vault:
        assert (vault.device.public_signing_key(), vault.device.public_node_key(), vault.device.public_sealing_key()) == before


def test_exactly_one_device_key_is_kept(opener, tmp_path):
    with opener() as vault:
        for _ in range(3):
            vault.revoke(vault.enroll("王芳", "2580").speaker_id)
    assert len(list((tmp_path / "vault").glob("key-*"))) == 1
    assert len(keyring.get_keyring().entries) == (vault.custody is Custody.KEYRING)


def test_erasure_is_final_and_spares_the_others(opener):
    with opener() as vault:
        vault.enroll("李明", "1111").put("take", "1", b"his")
        vault.enroll("王芳", "2580").put("take", "1", b"hers")
        vault.revoke(vault.find("王芳").speaker_id)
    with opener() as vault:
        with pytest.raises(UsageError):
            vault.find("王芳")
        assert vault.unlock(vault.find("李明").speaker_id, "1111").read("take", "1") == b"his"


def test_work_without_a_pin_ends_when_it_is_ended(opener):
    with opener() as vault:
        speaker = vault.enroll("王芳", "2580")
        vault.allow_work(speaker)
    with opener() as vault:
        vault.unlock_for_work(speaker.speaker_id).put("job", "1", b"done")
        vault.end_work(speaker.speaker_id)
    with opener() as vault, pytest.raises(WrongSecretError):
        vault.unlock_for_work(speaker.speaker_id)
