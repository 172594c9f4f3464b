"""hometone_keys reads what the second implementation (make_vectors) wrote, and refuses with the class that the vectors name."""

import hashlib
import io
import json
import runpy
from dataclasses import replace
from pathlib import Path

import keyring
import pytest

from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, ErasureReceipt, Vault
from hometone_keys.custody import Custodian
from hometone_keys.disk import Disk
from hometone_keys.erasure import unseal_intent
from hometone_keys.index import Index
from hometone_keys.pin import check_new_secret, normalised
from hometone_keys.register import seal_register, unseal_register
from hometone_keys.sealing import HEADER_BYTES, SALT_BYTES, FileKind, expect_kind
from hometone_keys.slots import SlotKind, open_slot
from hometone_keys.speaker import artefact_key, speaker_signing_key
from hometone_keys.stream import CHUNK_BYTES, StreamReader, StreamSealer
from hometone_shared import errors

HERE = Path(__file__).parent
STREAMS, FILES, RECEIPTS, DERIVATIONS = (
    json.loads((HERE / f"{name}.json").read_text(encoding="utf-8")) for name in ("streams", "files", "receipts", "derivations")
)
KEY, START = bytes.fromhex(STREAMS["key"]), bytes.fromhex(STREAMS["associated_data"])


def by_name(vector) -> str:
    return vector["name"]


def expectation(vector):
    return pytest.raises(getattr(errors, vector["error"]))


def test_the_files_are_what_the_second_implementation_computes():
    build = runpy.run_path(str(HERE / "make_vectors.py"))["build"]
    expected = {"streams": STREAMS, "files": FILES, "receipts": RECEIPTS, "derivations": DERIVATIONS}
    assert json.loads(json.dumps(build())) == expected
    assert "hometone_keys" not in (HERE / "make_vectors.py").read_text(encoding="utf-8").split('"""', 2)[2]


def plaintext_of(vector) -> bytes:
    if "plaintext" in vector:
        return bytes.fromhex(vector["plaintext"])
    return bytes.fromhex(vector["plaintext_byte"]) * vector["plaintext_length"]


def seal(plaintext: bytes) -> bytes:
    sealer = StreamSealer(KEY, associated_data=START)
    return sealer.update(plaintext) + sealer.finish()


def open_stream(sealed: bytes, start: bytes = START) -> bytes:
    with StreamReader(io.BytesIO(start + sealed), KEY, associated_data=start, what="a vector") as reader:
        return reader.readall()


@pytest.mark.parametrize("vector", STREAMS["positive"], ids=by_name)
def test_streams(vector):
    sealed = seal(plaintext_of(vector))
    assert len(sealed) == vector["sealed_length"]
    assert hashlib.sha256(sealed).hexdigest() == vector["sealed_sha256"]
    assert sealed.hex() == vector.get("sealed", sealed.hex())
    assert open_stream(sealed) == plaintext_of(vector)


@pytest.mark.parametrize("vector", STREAMS["negative"], ids=by_name)
def test_streams_to_refuse(vector):
    if "of" in vector:
        whole = seal(plaintext_of(next(other for other in STREAMS["positive"] if other["name"] == vector["of"])))
        sealed = bytearray(b"".join(whole[first:last] for first, last in vector["keep"]))
        if "flip" in vector:
            sealed[vector["flip"]] ^= 1
    else:
        full = seal(b"\x61" * (CHUNK_BYTES + 1))[: CHUNK_BYTES + 16]
        assert full[-16:].hex() == vector["full_chunk_tag"]
        sealed = bytearray(full + bytes.fromhex(vector["tail_after_full_chunk"]))
    start = bytes.fromhex(vector.get("associated_data", STREAMS["associated_data"]))
    with expectation(vector):
        open_stream(bytes(sealed), start)


class VectorKeyring(keyring.backend.KeyringBackend):
    """Gives one answer."""

    priority = 5
    answer = ""

    def get_password(self, service, username):
        return self.answer if service == "hometone" else None

    def set_password(self, service, username, password):
        raise NotImplementedError

    def delete_password(self, service, username):
        raise NotImplementedError


def read_artefact(inputs, data, _folder):
    start = data[: HEADER_BYTES + SALT_BYTES]
    expect_kind(start, FileKind.ARTEFACT, what="a vector")
    key = artefact_key(
        bytes.fromhex(inputs["data_key"]),
        salt=start[HEADER_BYTES:],
        speaker_id=inputs["speaker_id"],
        artefact_id=inputs["artefact_id"],
        kind=inputs["kind"],
    )
    with StreamReader(io.BytesIO(data), key, associated_data=start, what="a vector") as reader:
        return {"plaintext": reader.readall().hex()}


def read_index(inputs, data, _folder):
    data_key = bytes.fromhex(inputs["data_key"])
    index = Index.unseal(data, data_key, speaker_id=inputs["speaker_id"])
    assert index.seal(data_key, speaker_id=inputs["speaker_id"], salt=data[8:40]) == data
    return {
        "artefacts": [
            {
                "created_ms": artefact.created_ms,
                "id": artefact.artefact_id,
                "kind": artefact.kind,
                "metadata": artefact.metadata,
                "name": artefact.name,
                "size": artefact.size_bytes,
            }
            for artefact in index.artefacts.values()
        ]
    }


def read_key_slots(inputs, data, _folder):
    device_key = bytes.fromhex(inputs["device_key"])
    register = unseal_register(data, device_key=device_key)
    record = register.speakers[0]
    again = seal_register(register, key_id=data[8:24], device_key=device_key, salt=data[24:56])
    assert again[5] == 3
    if data[5] == 1:
        written = unseal_register(again, device_key=device_key).speakers[0]
        assert len(written.withdrawal) == 16
        assert replace(written, withdrawal=None) == record
    else:
        assert unseal_register(again, device_key=device_key).places == register.places
        assert (again == data) == (data[5] == 3 and inputs.get("as_written", True))
    slot = record.slot(SlotKind(inputs["slot"]))
    data_key = open_slot(slot, speaker_id=record.speaker_id, device_key=device_key, secret=inputs["secret"])
    read = {
        "data_key": data_key.hex(),
        "name": record.name,
        "withdrawal": record.withdrawal and record.withdrawal.hex(),
        "erase_after_ms": record.erase_after_ms,
        "is_guest": record.is_guest,
    }
    if register.house is not None:
        read["house_key"] = open_slot(register.house.slots[0], speaker_id="house", device_key=device_key).hex()
        read["house_folder"] = register.house.folder
    return read


def read_intent(inputs, data, _folder):
    return {"erase": unseal_intent(data, device_key=bytes.fromhex(inputs["device_key"]))}


def read_device_key(inputs, data, folder):
    (folder / f"key-{inputs['key_id']}").write_bytes(data)
    custodian = Custodian(
        folder,
        disk=Disk(),
        source=DeviceSecretSource(passphrase=inputs["passphrase"] or None),
        cost=Argon2Cost(memory_kib=8, iterations=1, lanes=1),
    )
    key_id = bytes.fromhex(inputs["key_id"])
    before = keyring.get_keyring()
    backend = VectorKeyring()
    backend.answer = inputs["keyring"]
    keyring.set_keyring(backend)
    try:
        return {"device_key": custodian.load(key_id).hex(), "custody": str(Custody(custodian.custody_of(key_id)))}
    finally:
        keyring.set_keyring(before)


READERS = {
    "artefact": read_artefact,
    "index": read_index,
    "key-slots": read_key_slots,
    "intent": read_intent,
    "device-key": read_device_key,
}


@pytest.mark.parametrize("vector", FILES, ids=by_name)
def test_files(vector, tmp_path):
    read = READERS[vector["format"]]
    if "error" in vector:
        with expectation(vector) as caught:
            read(vector["inputs"], bytes.fromhex(vector["data"]), tmp_path)
        assert caught.type.__name__ == vector["error"]
    else:
        assert read(vector["inputs"], bytes.fromhex(vector["data"]), tmp_path) == vector["expected"]


@pytest.mark.parametrize(("version", "name"), [(1, "key slots, version 1"), (2, "key slots, version 2"), (3, "key slots with a house")])
def test_a_whole_vault_of_the_second_implementation(version, name, tmp_path):
    """Device key, register, index and artefact as `make_vectors` computes them; the register may be of an older version."""
    data = {vector["name"]: bytes.fromhex(vector["data"]) for vector in FILES}
    artefact = next(vector for vector in FILES if vector["name"] == "artefact")
    folder = tmp_path / "vault" / "s-00"
    folder.mkdir(parents=True)
    slots = folder.parent / "keyslots"
    slots.write_bytes(data[name])
    house = tmp_path / "vault" / "s-01"
    house.mkdir()
    (house / "index").write_bytes(data["index of the house"])
    (folder.parent / f"key-{slots.read_bytes()[8:24].hex()}").write_bytes(data["device key in a file"])
    (folder / "index").write_bytes(data["index"])
    (folder / artefact["inputs"]["artefact_id"]).write_bytes(data["artefact"])
    read = slots.read_bytes()
    with Vault(tmp_path, device_secret_source=DeviceSecretSource(custody=Custody.FILE)) as vault:
        entry = vault.speakers()[0]
        for speaker in (vault.unlock(entry.speaker_id, "２５８０"), vault.unlock_for_work(entry.speaker_id)):
            assert speaker.read("take", "第一句").hex() == artefact["expected"]["plaintext"]
        assert slots.read_bytes() == read  # reading changes nothing
        secrets = vault.withdrawal_secrets()
        assert (slots.read_bytes() == read) == (version != 1)
        with vault.house() as opened:
            assert opened.list() == ()
            opened.put_json("1", "tablets", kind="reminder")
        assert (slots.read_bytes() == read) == (version == 3)
        assert house.exists() == (version == 3)
    assert secrets.keys() == {entry.speaker_id}
    assert slots.read_bytes()[5] == 3
    with Vault(tmp_path, device_secret_source=DeviceSecretSource(custody=Custody.FILE)) as vault:
        assert vault.withdrawal_secret(entry.speaker_id) == secrets[entry.speaker_id]
        assert vault.unlock(entry.speaker_id, "2580").read("take", "第一句").hex() == artefact["expected"]["plaintext"]


@pytest.mark.parametrize("vector", RECEIPTS, ids=by_name)
def test_receipts(vector):
    data, device = json.dumps(vector["receipt"]).encode(), bytes.fromhex(vector["device"])
    if "error" in vector:
        with expectation(vector):
            ErasureReceipt.verified(data, device=device)
    else:
        assert json.loads(ErasureReceipt.verified(data, device=device).to_json()) == vector["receipt"]


def test_speaker_signing_key():
    vector = DERIVATIONS["speaker_signing"]
    key = speaker_signing_key(bytes.fromhex(vector["data_key"]), speaker_id=vector["speaker_id"])
    assert key.public_key().public_bytes_raw().hex() == vector["public_key"]


@pytest.mark.parametrize("vector", DERIVATIONS["normalised_secrets"])
def test_normalised_secrets(vector):
    check_new_secret(vector["typed"])
    assert normalised(vector["typed"]).hex() == vector["bytes"]


@pytest.mark.parametrize("vector", DERIVATIONS["refused_secrets"])
def test_refused_secrets(vector):
    with expectation(vector):
        check_new_secret(vector["typed"])
