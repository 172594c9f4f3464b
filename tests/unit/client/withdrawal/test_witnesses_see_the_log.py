"""Witnesses: what a laptop demands, and what a witness itself refuses to sign."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.unit.client.federation.records.conftest import Coordinator

from hometone_client.federation import log_audit
from hometone_client.federation.log_audit import PinnedLog
from hometone_client.federation.witnesses import MOST_WITNESSES, NotWitnessedError, TrustedWitnesses
from hometone_client.federation.witnessing import ForkedLogError, Witness
from hometone_shared.errors import DamagedVaultError, ProtocolError
from hometone_shared.log.cosignature import WitnessKey, cosigned_at

NOW = 1_800_000_000.0


@pytest.fixture
def witness(tmp_path):
    return Witness.open(tmp_path / "witness-home", name="w1", clock=lambda: NOW)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "laptop" / "federation"


@pytest.fixture
def pinned(folder, coordinator):
    waits = []
    log = PinnedLog(folder, coordinator_key=coordinator.raw_key, clock=lambda: NOW + 60, sleep=waits.append)
    log.waits = waits
    return log


def test_a_head_needs_every_trusted_witness(coordinator, folder, pinned, witness, tmp_path):
    coordinator.grow(1, 2, 3)
    pinned.update(coordinator.records())
    TrustedWitnesses().trusting(witness.public_key).trusting(witness.public_key).save(folder)
    assert TrustedWitnesses.load(folder).witnesses == (witness.public_key,)
    with pytest.raises(NotWitnessedError, match="no trusted witness"):
        pinned.update(coordinator.records())
    assert sum(pinned.waits) == log_audit._WITNESS_PATIENCE_S
    assert pinned.evidence() == []
    assert witness.observe(coordinator.records(), coordinator_key=coordinator.raw_key).size == 3
    pinned.update(coordinator.records())
    assert pinned.head.size == 3
    coordinator.grow(4)
    pinned.update(coordinator.records())
    assert pinned.head.size == 3, "what the witness has not seen is not taken, what it has seen is"
    again = Witness.open(tmp_path / "witness-home", clock=lambda: NOW)
    assert again.public_key == witness.public_key
    again.observe(coordinator.records(), coordinator_key=coordinator.raw_key)
    pinned.update(coordinator.records())
    assert pinned.head.size == 4
    second = Witness.open(tmp_path / "another", clock=lambda: NOW)
    TrustedWitnesses.load(folder).trusting(second.public_key).save(folder)
    with pytest.raises(NotWitnessedError):
        pinned.update(coordinator.records())
    TrustedWitnesses.load(folder).without(second.public_key).save(folder)
    pinned.update(coordinator.records())


@pytest.mark.parametrize(("later_s", "holds"), [(0, True), (86_400, True), (86_401, False), (-300, True), (-301, False)])
def test_a_cosignature_holds_for_a_day(coordinator, witness, later_s, holds):
    coordinator.grow(1)
    witness.observe(coordinator.records(), coordinator_key=coordinator.raw_key)
    note = coordinator.records().checkpoint()
    assert cosigned_at(note, witness.public_key) == int(NOW)
    trusted = TrustedWitnesses((witness.public_key,))
    if holds:
        trusted.check(note, now_s=NOW + later_s)
    else:
        with pytest.raises(NotWitnessedError, match="lately"):
            trusted.check(note, now_s=NOW + later_s)


def test_a_head_that_a_witness_sees_while_it_is_waited_for(coordinator, folder, witness):
    coordinator.grow(1)
    TrustedWitnesses((witness.public_key,)).save(folder)

    def look(_seconds):
        witness.observe(coordinator.records(), coordinator_key=coordinator.raw_key)

    log = PinnedLog(folder, coordinator_key=coordinator.raw_key, clock=lambda: NOW, sleep=look)
    log.update(coordinator.records())
    assert log.head.size == 1


def test_a_witness_signs_nothing_that_contradicts_it(coordinator, witness, tmp_path):
    twin = Coordinator(tmp_path / "twin", key_file=coordinator.home.key_file)
    coordinator.grow(1, 2, 3)
    witness.observe(coordinator.records(), coordinator_key=coordinator.raw_key)
    twin.grow(1, 2)
    with pytest.raises(ForkedLogError, match="shorter"):
        witness.observe(twin.records(), coordinator_key=coordinator.raw_key)
    twin.grow(4)
    with pytest.raises(ForkedLogError, match="two versions"):
        witness.observe(twin.records(), coordinator_key=coordinator.raw_key)
    twin.grow(5, 6)
    with pytest.raises(ForkedLogError, match="two versions"):
        witness.observe(twin.records(), coordinator_key=coordinator.raw_key)
    assert [path for _, path, _ in twin.bridge.asked if path == "/log/cosignatures"] == []
    with pytest.raises(ProtocolError):
        witness.observe(twin.records(), coordinator_key=Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    twin.log.close()


def test_a_fork_is_refused_before_it_can_be_compared(coordinator, folder, witness, tmp_path):
    """Shown to one laptop only, which is new and has pinned nothing: without the witness it would believe it."""
    twin = Coordinator(tmp_path / "twin", key_file=coordinator.home.key_file)
    coordinator.grow(1, 2, 3)
    twin.grow(1, 2, 9)
    witness.observe(coordinator.records(), coordinator_key=coordinator.raw_key)
    TrustedWitnesses((witness.public_key,)).save(folder)
    log = PinnedLog(folder, coordinator_key=coordinator.raw_key, clock=lambda: NOW, sleep=lambda _: None)
    with pytest.raises(NotWitnessedError):
        log.update(twin.records())
    assert log.head.size == 0
    twin.log.close()


def test_lists_and_keys_that_are_damaged(folder, tmp_path, witness):
    folder.mkdir(parents=True)
    for data in (b"", b"{}", b"[]", b'{"version":2,"witnesses":[]}', b'{"version":1,"witnesses":["x"]}', b'{"version":1,"witnesses":[7]}'):
        (folder / "witnesses.json").write_bytes(data)
        with pytest.raises(DamagedVaultError):
            TrustedWitnesses.load(folder)
    trusted = TrustedWitnesses()
    for number in range(MOST_WITNESSES):
        trusted = trusted.trusting(WitnessKey(f"w{number}", bytes([number]) * 32))
    with pytest.raises(ProtocolError, match="at most"):
        trusted.trusting(WitnessKey("one-more", bytes(32)))
    (tmp_path / "witness-home" / "witness" / "key").write_bytes(b"short")
    with pytest.raises(DamagedVaultError):
        Witness.open(tmp_path / "witness-home")
    with pytest.raises(ProtocolError):
        Witness.open(tmp_path / "third", name="with space")
