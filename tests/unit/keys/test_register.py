"""The file of key slots, the device's identity, the index, the book of attempts."""

import base64
import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from hometone_keys.attempts import AttemptBook
from hometone_keys.device import DeviceIdentity
from hometone_keys.index import Artefact, Index, check_label, checked_metadata
from hometone_keys.register import HOUSE_ID, PREFIX_BYTES, Register, SpeakerRecord, key_id_of, seal_register, unseal_register
from hometone_keys.sealing import FileKind, canonical_json, context, header, seal
from hometone_keys.slots import SlotKind, make_secret_slot, make_work_slot, open_slot
from hometone_shared.errors import DamagedVaultError, UsageError

KEY, KEY_ID = os.urandom(32), os.urandom(16)
IDENTITY = DeviceIdentity.generate()


def record(speaker_id: str, cost) -> SpeakerRecord:
    slot = make_secret_slot(b"d" * 32, secret="1234", speaker_id=speaker_id, device_key=KEY, cost=cost)
    return SpeakerRecord(speaker_id=speaker_id, name="王芳", folder="s-00", created_ms=5, slots=(slot,), withdrawal=os.urandom(16))


def sealed(content: bytes) -> bytes:
    return seal(KEY, content, prefix=header(FileKind.KEY_SLOTS) + KEY_ID, info=context("hometone/key-slots/v1", KEY_ID))


def test_register_round_trip(cost):
    first = replace(record("spk-a", cost), erase_after_ms=1_800_000_000_000)
    both = first.with_slot(make_work_slot(b"d" * 32, speaker_id="spk-a", device_key=KEY))
    register = Register(IDENTITY).with_speaker(record("spk-b", cost)).with_speaker(first).with_speaker(both)
    data = seal_register(register, key_id=KEY_ID, device_key=KEY)
    assert key_id_of(data) == KEY_ID
    assert "王芳".encode() not in data
    assert b"spk-" not in data
    again = unseal_register(data, device_key=KEY)
    assert again.speakers == register.speakers
    assert again.identity.to_record() == IDENTITY.to_record()
    assert again.find("spk-a") == both
    assert again.completed() is again
    assert again.find("spk-c") is None
    assert both.without_slot(SlotKind.WORK) == first
    assert first.slot(SlotKind.WORK) is None


def test_a_register_of_an_older_file_is_completed_when_it_is_written(cost):
    older = replace(record("spk-a", cost), withdrawal=None)
    guest = SpeakerRecord(
        speaker_id="spk-g", name="g", folder="s-01", created_ms=6, slots=(make_work_slot(b"d" * 32, speaker_id="spk-g", device_key=KEY),)
    )
    whole = record("spk-b", cost)
    register = Register(IDENTITY, (older, guest, whole))
    assert (older.is_guest, guest.is_guest) == (False, True)
    written = unseal_register(seal_register(register, key_id=KEY_ID, device_key=KEY), device_key=KEY)
    assert written.speakers[1:] == (guest, whole)
    assert replace(written.speakers[0], withdrawal=None) == older
    secrets = {register.completed().speakers[0].withdrawal for _ in range(20)}
    assert {len(secret) for secret in secrets} == {16}
    assert len(secrets) == 20


def test_recovery_secrets_are_not_in_representations(cost):
    register = Register(IDENTITY, (record("spk-a", cost),))
    secret = register.speakers[0].withdrawal
    for shown in (secret.hex(), repr(secret), base64.b64encode(secret).decode()):
        assert shown not in repr(register)
        assert shown not in repr(register.speakers[0])
    assert "withdrawal" not in repr(register)


def test_the_house_is_no_speaker_and_moves_to_another_device_key_with_everybody(cost):
    slot = make_work_slot(b"h" * 32, speaker_id=HOUSE_ID, device_key=KEY)
    house = SpeakerRecord(speaker_id=HOUSE_ID, name="", folder="s-02", created_ms=7, slots=(slot,))
    bare = Register(IDENTITY, (record("spk-a", cost),))
    register = replace(bare, house=house)
    again = unseal_register(seal_register(register, key_id=KEY_ID, device_key=KEY), device_key=KEY)
    assert (again.speakers, again.house) == (register.speakers, house)
    assert again.find(HOUSE_ID) is None
    assert (again.holds(HOUSE_ID), again.holds("spk-a"), again.holds("spk-b")) == (True, True, False)
    assert (bare.holds(HOUSE_ID), bare.places, register.places) == (False, bare.speakers, (*bare.speakers, house))
    moved = register.rewrapped(old_device_key=KEY, new_device_key=bytes(32))
    assert open_slot(moved.house.slots[0], speaker_id=HOUSE_ID, device_key=bytes(32)) == b"h" * 32
    with pytest.raises(DamagedVaultError):
        open_slot(moved.house.slots[0], speaker_id=HOUSE_ID, device_key=KEY)
    assert register.without_speaker("spk-a").house == house


def test_register_refuses_another_key_and_another_id():
    data = seal_register(Register(IDENTITY), key_id=KEY_ID, device_key=KEY)
    with pytest.raises(DamagedVaultError):
        unseal_register(data, device_key=bytes(32))
    with pytest.raises(DamagedVaultError):
        unseal_register(data[:8] + bytes(16) + data[24:], device_key=KEY)
    with pytest.raises(DamagedVaultError):
        key_id_of(data[: PREFIX_BYTES - 1])


SLOT = {"kind": "secret", "salt": "", "sealed": "", "argon2id": [8, 1, 1]}
PERSON = {
    "id": "a",
    "name": "b",
    "folder": "c",
    "created_ms": 1,
    "slots": [SLOT],
    "withdrawal": base64.b64encode(bytes(16)).decode(),
    "erase_after_ms": None,
}

HOUSE = {"folder": "s-02", "created_ms": 1, "slot": {"kind": "work", "salt": "", "sealed": ""}}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"device": {}, "speakers": [], "house": None},
        {"device": IDENTITY.to_record(), "speakers": 5, "house": None},
        {"device": IDENTITY.to_record(), "speakers": [{"id": "spk-a"}], "house": None},
        {"device": IDENTITY.to_record(), "speakers": [PERSON]},
        *(
            {"device": IDENTITY.to_record(), "speakers": [PERSON], "house": house}
            for house in (
                5,
                [],
                {},
                HOUSE | {"slot": SLOT},
                HOUSE | {"slot": None},
                HOUSE | {"slot": {"kind": "work", "salt": "云", "sealed": ""}},
                HOUSE | {"created_ms": None},
                {"slot": HOUSE["slot"], "created_ms": 1},
            )
        ),
        *(
            {"device": IDENTITY.to_record(), "speakers": [PERSON | change], "house": None}
            for change in (
                {"slots": [{"kind": "recovery", "salt": "", "sealed": ""}]},
                {"slots": [SLOT | {"argon2id": [1 << 40, 1, 1]}]},
                {"slots": [{"kind": "work", "salt": "", "sealed": ""}]},
                {"slots": []},
                {"withdrawal": None},
                {"withdrawal": ""},
                {"withdrawal": base64.b64encode(bytes(17)).decode()},
                {"withdrawal": "AAAAAAAAAAAAAAAAAAAAA"},
                {"withdrawal": "云"},
                {"withdrawal": 5},
                {"erase_after_ms": "soon"},
                {"erase_after_ms": []},
                {"created_ms": None},
            )
        ),
    ],
)
def test_register_of_another_shape_is_refused(content):
    with pytest.raises(DamagedVaultError):
        unseal_register(sealed(canonical_json(content)), device_key=KEY)


def test_the_shape_that_the_others_differ_from_is_read():
    content = {"device": IDENTITY.to_record(), "speakers": [PERSON], "house": HOUSE}
    assert unseal_register(sealed(canonical_json(content)), device_key=KEY).house.folder == "s-02"
    assert unseal_register(sealed(canonical_json(content)), device_key=KEY).speakers[0].withdrawal == bytes(16)


def test_a_time_without_end_is_refused():
    text = canonical_json({"device": IDENTITY.to_record(), "speakers": [PERSON | {"erase_after_ms": 12345}], "house": None})
    with pytest.raises(DamagedVaultError):
        unseal_register(sealed(text.replace(b"12345", b"Infinity")), device_key=KEY)


def test_identity_shows_public_halves_only():
    assert repr(IDENTITY) == "DeviceIdentity()"
    assert len(IDENTITY.public_signing_key()) == len(IDENTITY.public_sealing_key()) == 32
    assert IDENTITY.public_node_key().startswith(b"ecdsa-sha2-nistp384 ")


def test_identity_with_another_curve_is_refused():
    wrong = generate_private_key(SECP256R1())
    for key in (wrong, Ed25519PrivateKey.generate()):
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(ValueError, match="P-384"):
            DeviceIdentity.from_record({**IDENTITY.to_record(), "p384": base64.b64encode(der).decode()})


def test_index_round_trip():
    take = Artefact("take", "一", "00" * 16, 5, 1, {"snr_db": 20.5})
    index = Index().with_artefact(take).with_artefact(Artefact("voice", "一", "11" * 16, 6, 2))
    data = index.seal(KEY, speaker_id="spk-a")
    assert Index.unseal(data, KEY, speaker_id="spk-a") == index
    assert index.file_names() == {"00" * 16, "11" * 16}
    assert index.without("take", "一").file_names() == {"11" * 16}
    assert "snr_db" not in repr(take)
    with pytest.raises(DamagedVaultError):
        Index.unseal(data, KEY, speaker_id="spk-b")


@pytest.mark.parametrize("content", [5, [5], [{"kind": "take"}], {"a": 1}])
def test_index_of_another_shape_is_refused(content):
    data = seal(KEY, canonical_json(content), prefix=header(FileKind.INDEX), info=context("hometone/index/v1", b"spk-a"))
    with pytest.raises(DamagedVaultError):
        Index.unseal(data, KEY, speaker_id="spk-a")


@pytest.mark.parametrize(
    ("kind", "name"), [("", "x"), ("Take", "x"), ("a" * 33, "x"), ("take\n", "x"), ("take", ""), ("take", "a\nb"), ("take", "x" * 201)]
)
def test_labels_are_checked(kind, name):
    with pytest.raises(UsageError):
        check_label(kind, name)


def test_metadata_is_checked_and_copied():
    check_label("take-2", "第一句 ✓")
    details = {"a": [1]}
    copy = checked_metadata(details)
    details["a"].append(2)
    assert copy == {"a": [1]}
    assert checked_metadata(None) == {}
    for wrong in ({"a": b"x"}, {"a": float("inf")}, {"a": "x" * 20_000}, {"a": "\ud800"}):
        with pytest.raises(UsageError):
            checked_metadata(wrong)


def test_waiting_grows_and_ends():
    book, now = AttemptBook(), 1_000_000
    waits = []
    for _ in range(15):
        book = book.after_failure("spk-a", now_ms=now)
        waits.append(book.wait_ms("spk-a", now_ms=now) // 1000)
    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]
    assert book.wait_ms("spk-a", now_ms=now + 3_599_999) == 1
    assert book.wait_ms("spk-a", now_ms=now + 3_600_000) == 0
    assert book.wait_ms("spk-a", now_ms=0) == 3_600_000
    assert book.wait_ms("spk-b", now_ms=now) == 0


@given(st.dictionaries(st.text(max_size=20), st.tuples(st.integers(0, 1000), st.integers(0, 1 << 50))))
def test_book_round_trip(failures):
    failures = {key: value for key, value in failures.items() if key.isprintable()}
    book = AttemptBook(failures)
    assert AttemptBook.from_bytes(book.to_bytes()) == book
    assert book.only(set()) == AttemptBook()
