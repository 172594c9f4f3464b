"""Compute the test vectors of docs/formats.md with plain primitives, independently of hometone_keys.

Run `python tests/vectors/keys/make_vectors.py` to write the JSON files beside it. Nothing of Hometone is imported here: this is the second
implementation of the formats. All keys and salts are made up and secret to nobody.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

CHUNK = 65_536
DEVICE_KEY = bytes(range(32))
DATA_KEY = bytes(range(100, 132))
KEY_ID = bytes(range(0xA0, 0xB0))
SPEAKER = "spk-abcdefghijklmnop"
ARTEFACT_ID = "000102030405060708090a0b0c0d0e0f"
SALT16 = bytes(range(0x10, 0x20))
SALT32 = bytes(range(0x40, 0x60))
COST = (64, 2, 1)
PIN = "２５８０ "
PASSPHRASE = "four brown bears"
SPEAKER_NAME = "王芳"
SIGNING_SEED = bytes(range(1, 33))
WITHDRAWAL = bytes(range(0xC0, 0xD0))
HOUSE_KEY = bytes(range(150, 182))


def lp(label: str, *fields: bytes) -> bytes:
    out = b""
    for part in (label.encode("ascii"), *fields):
        out += len(part).to_bytes(2, "big") + part
    return out


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info).derive(key)


def argon2(secret: bytes, salt: bytes) -> bytes:
    memory, iterations, lanes = COST
    return Argon2id(salt=salt, length=32, iterations=iterations, lanes=lanes, memory_cost=memory).derive(secret)


def aead(key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, associated_data)


def stream(key: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
    chunks = [plaintext[at : at + CHUNK] for at in range(0, len(plaintext), CHUNK)] or [b""]
    sealed = b""
    for number, chunk in enumerate(chunks):
        last = b"\x01" if number == len(chunks) - 1 else b"\x00"
        sealed += aead(key, number.to_bytes(11, "big") + last, chunk, associated_data)
    return sealed


def sealed_file(key: bytes, letter: str, extra: bytes, info: bytes, plaintext: bytes, *, version: int = 1) -> bytes:
    start = b"HTON" + letter.encode("ascii") + bytes([version, 0, 0]) + extra + SALT32
    return start + stream(hkdf(key, SALT32, info), plaintext, start)


def compact(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def slot(kind: str, place: str = SPEAKER, inner: bytes = DATA_KEY) -> dict[str, object]:
    cost = b"".join(value.to_bytes(4, "big") for value in COST) if kind == "secret" else b""
    fields = (kind.encode("ascii"), place.encode("ascii"), cost)
    if kind == "secret":
        inner = aead(argon2(b"2580", SALT16), bytes(12), inner, lp("hometone/slot-inner/v1", *fields))
    sealed = aead(hkdf(DEVICE_KEY, SALT16, lp("hometone/slot-outer/v1", *fields)), bytes(12), inner, b"")
    record: dict[str, object] = {"kind": kind, "salt": b64(SALT16), "sealed": b64(sealed)}
    if kind == "secret":
        record["argon2id"] = list(COST)
    return record


def device() -> dict[str, str]:
    node = derive_private_key(0x1234567890ABCDEF, SECP384R1())
    return {
        "ed25519": b64(SIGNING_SEED),
        "p384": b64(node.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())),
        "x25519": b64(bytes(range(2, 34))),
    }


def key_slots(*people: dict[str, object], version: int, **house: object) -> bytes:
    content = compact({"device": device(), "speakers": list(people), **house})
    return sealed_file(DEVICE_KEY, "S", KEY_ID, lp("hometone/key-slots/v1", KEY_ID), content, version=version)


def streams() -> dict[str, object]:
    key, start = bytes(range(32)), b"HTONA\x01\x00\x00" + SALT32
    positive = []
    for name, plaintext in (
        ("empty", b""),
        ("one byte", b"a"),
        ("a sentence", "今天天气很好，我想去公园散步。".encode()),
        ("one full chunk", b"\x61" * CHUNK),
        ("one byte more than a chunk", b"\x61" * (CHUNK + 1)),
        ("two full chunks", b"\x61" * (2 * CHUNK)),
        ("three chunks", b"\x61" * (2 * CHUNK + 100)),
    ):
        sealed = stream(key, plaintext, start)
        vector: dict[str, object] = {"name": name, "sealed_length": len(sealed), "sealed_sha256": hashlib.sha256(sealed).hexdigest()}
        if len(plaintext) < 100:
            vector |= {"plaintext": plaintext.hex(), "sealed": sealed.hex()}
        else:
            vector |= {"plaintext_byte": "61", "plaintext_length": len(plaintext)}
        positive.append(vector)
    chunk = CHUNK + 16
    bad = "DamagedVaultError"
    negative = [
        {"name": "nothing at all", "of": "empty", "keep": [], "error": bad},
        {"name": "tag cut", "of": "empty", "keep": [[0, 15]], "error": bad},
        {"name": "one byte cut", "of": "a sentence", "keep": [[0, 60]], "error": bad},
        {"name": "one byte added", "of": "a sentence", "keep": [[0, 61], [0, 1]], "error": bad},
        {"name": "last chunk dropped", "of": "three chunks", "keep": [[0, 2 * chunk]], "error": bad},
        {"name": "first chunk dropped", "of": "three chunks", "keep": [[chunk, 2 * chunk + 116]], "error": bad},
        {
            "name": "chunks exchanged",
            "of": "three chunks",
            "keep": [[chunk, 2 * chunk], [0, chunk], [2 * chunk, 2 * chunk + 116]],
            "error": bad,
        },
        {"name": "chunk repeated", "of": "three chunks", "keep": [[0, chunk], [0, chunk], [chunk, 2 * chunk + 116]], "error": bad},
        {"name": "last chunk repeated", "of": "three chunks", "keep": [[0, 2 * chunk + 116], [2 * chunk, 2 * chunk + 116]], "error": bad},
        {"name": "first bit flipped", "of": "a sentence", "keep": [[0, 61]], "flip": 0, "error": bad},
        {"name": "last bit flipped", "of": "three chunks", "keep": [[0, 2 * chunk + 116]], "flip": 2 * chunk + 115, "error": bad},
        {
            "name": "other associated data",
            "of": "a sentence",
            "keep": [[0, 61]],
            "associated_data": (start[:-1] + b"?").hex(),
            "error": bad,
        },
    ]
    full = aead(key, bytes(12), b"\x61" * CHUNK, start)
    empty_last = aead(key, (1).to_bytes(11, "big") + b"\x01", b"", start)
    negative.append(
        {
            "name": "empty last chunk after a full one",
            "tail_after_full_chunk": empty_last.hex(),
            "full_chunk_tag": full[-16:].hex(),
            "error": bad,
        }
    )
    return {"key": key.hex(), "associated_data": start.hex(), "positive": positive, "negative": negative}


def with_check(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()[:8]


def files() -> list[dict[str, object]]:
    speaker, wrong, bad = SPEAKER.encode("ascii"), "WrongSecretError", "DamagedVaultError"
    content = "今天天气很好".encode()
    artefact_info = lp("hometone/artefact/v1", speaker, bytes.fromhex(ARTEFACT_ID), b"take")
    artefact = sealed_file(DATA_KEY, "A", b"", artefact_info, content)
    artefact_inputs = {"data_key": DATA_KEY.hex(), "speaker_id": SPEAKER, "artefact_id": ARTEFACT_ID, "kind": "take"}

    entry = {"created_ms": 1, "id": ARTEFACT_ID, "kind": "take", "metadata": {"snr_db": 21.5}, "name": "第一句", "size": len(content)}
    index = sealed_file(DATA_KEY, "I", b"", lp("hometone/index/v1", speaker), compact([entry]))
    index_inputs = {"data_key": DATA_KEY.hex(), "speaker_id": SPEAKER}

    first = {"created_ms": 2, "folder": "s-00", "id": SPEAKER, "name": SPEAKER_NAME, "slots": [slot("secret"), slot("work")]}
    person = {**first, "erase_after_ms": None, "withdrawal": b64(WITHDRAWAL)}
    guest = {**person, "slots": [slot("work")], "withdrawal": None}
    unnoted = {name: value for name, value in person.items() if name != "erase_after_ms"}
    register = key_slots(person, version=3, house=None)
    house = {"created_ms": 3, "folder": "s-01", "slot": slot("work", "house", HOUSE_KEY)}
    with_house = key_slots(person, version=3, house=house)
    second = key_slots(person, version=2)
    kept_in_house = sealed_file(HOUSE_KEY, "I", b"", lp("hometone/index/v1", b"house"), compact([]))
    register_inputs = {"device_key": DEVICE_KEY.hex(), "secret": PIN}
    by_pin, for_work = {**register_inputs, "slot": "secret"}, {**register_inputs, "slot": "work"}
    opened = {"data_key": DATA_KEY.hex(), "name": SPEAKER_NAME, "withdrawal": WITHDRAWAL.hex(), "erase_after_ms": None, "is_guest": False}
    opened_first = {**opened, "withdrawal": None}
    opened_house = {**opened, "house_key": HOUSE_KEY.hex(), "house_folder": "s-01"}
    opened_guest = {**opened_first, "is_guest": True}

    intent = sealed_file(DEVICE_KEY, "E", KEY_ID, lp("hometone/intent/v1", KEY_ID), compact({"erase": SPEAKER}))
    intent_inputs = {"device_key": DEVICE_KEY.hex()}

    file_key = with_check(b"HTONF\x01\x00\x00" + KEY_ID + DEVICE_KEY)
    start = b"HTONP\x01\x00\x00" + KEY_ID + b"".join(value.to_bytes(4, "big") for value in COST) + SALT16
    passphrase_key = with_check(start + aead(argon2(PASSPHRASE.encode("ascii"), SALT16), bytes(12), DEVICE_KEY, start))
    hostile_start = b"HTONP\x01\x00\x00" + KEY_ID + (1 << 31).to_bytes(4, "big") + bytes([0, 0, 0, 1, 0, 0, 0, 1]) + SALT16
    hostile_key = with_check(hostile_start + bytes(48))
    keyring_key = with_check(b"HTONR\x01\x00\x00" + KEY_ID)
    key_inputs = {"key_id": KEY_ID.hex(), "passphrase": PASSPHRASE, "keyring": DEVICE_KEY.hex()}
    key_opened = {"device_key": DEVICE_KEY.hex()}

    def vector(name: str, form: str, inputs: dict[str, Any], data: bytes, **outcome: object) -> dict[str, object]:
        return {"name": name, "format": form, "inputs": inputs, "data": data.hex(), **outcome}

    def of_version(data: bytes, version: int) -> bytes:
        return data[:5] + bytes([version]) + data[6:]

    return [
        vector("artefact", "artefact", artefact_inputs, artefact, expected={"plaintext": content.hex()}),
        vector("artefact of another speaker", "artefact", {**artefact_inputs, "speaker_id": SPEAKER[:-1] + "a"}, artefact, error=bad),
        vector("artefact under another id", "artefact", {**artefact_inputs, "artefact_id": "ff" * 16}, artefact, error=bad),
        vector("artefact of another kind", "artefact", {**artefact_inputs, "kind": "voice"}, artefact, error=bad),
        vector("artefact with another data key", "artefact", {**artefact_inputs, "data_key": DEVICE_KEY.hex()}, artefact, error=bad),
        vector("artefact of a newer version", "artefact", artefact_inputs, of_version(artefact, 2), error=bad),
        vector("artefact cut in its salt", "artefact", artefact_inputs, artefact[:30], error=bad),
        vector("index in the place of an artefact", "artefact", artefact_inputs, index, error=bad),
        vector("index", "index", index_inputs, index, expected={"artefacts": [entry]}),
        vector("index of another speaker", "index", {**index_inputs, "speaker_id": "spk-"}, index, error=bad),
        vector("index with a wrong reserved byte", "index", index_inputs, index[:7] + b"\x01" + index[8:], error=bad),
        vector("key slots, by PIN", "key-slots", by_pin, register, expected=opened),
        vector("key slots, for work", "key-slots", for_work, register, expected=opened),
        vector("key slots, wrong PIN", "key-slots", {**by_pin, "secret": "2581"}, register, error=wrong),
        vector("key slots, other device key", "key-slots", {**for_work, "device_key": "00" * 32}, register, error=bad),
        vector("key slots, other key id", "key-slots", for_work, register[:8] + bytes(16) + register[24:], error=bad),
        vector("key slots, one byte short", "key-slots", for_work, register[:-1], error=bad),
        vector("key slots, newer", "key-slots", for_work, key_slots(person, version=4, house=None), error=bad),
        vector("key slots, version 0", "key-slots", for_work, key_slots(first, version=0), error=bad),
        vector("key slots, version 1", "key-slots", by_pin, key_slots(first, version=1), expected=opened_first),
        vector("key slots, version 1, for work", "key-slots", for_work, key_slots(first, version=1), expected=opened_first),
        vector("key slots, version 2", "key-slots", by_pin, second, expected=opened),
        vector("key slots, version 2, for work", "key-slots", for_work, second, expected=opened),
        vector("key slots, version 2 said to be 1", "key-slots", for_work, of_version(second, 1), error=bad),
        vector("key slots, version 2 said to be 3", "key-slots", for_work, of_version(second, 3), error=bad),
        vector("key slots, version 3 said to be 2", "key-slots", for_work, of_version(with_house, 2), error=bad),
        vector("key slots, no word on the house", "key-slots", for_work, key_slots(person, version=3), error=bad),
        vector("key slots with a house", "key-slots", by_pin, with_house, expected=opened_house),
        vector("key slots with a house, for work", "key-slots", for_work, with_house, expected=opened_house),
        vector(
            "key slots, the house has a PIN",
            "key-slots",
            for_work,
            key_slots(person, version=3, house={**house, "slot": slot("secret", "house", HOUSE_KEY)}),
            error=bad,
        ),
        vector(
            "key slots, the house has no folder",
            "key-slots",
            for_work,
            key_slots(person, version=3, house={name: value for name, value in house.items() if name != "folder"}),
            error=bad,
        ),
        vector(
            "index of the house", "index", {"data_key": HOUSE_KEY.hex(), "speaker_id": "house"}, kept_in_house, expected={"artefacts": []}
        ),
        vector("key slots, version 1 said to be 2", "key-slots", for_work, of_version(key_slots(first, version=1), 2), error=bad),
        vector(
            "key slots with a time to erase",
            "key-slots",
            by_pin,
            key_slots({**person, "erase_after_ms": 1_700_000_000_000}, version=3, house=None),
            expected={**opened, "erase_after_ms": 1_700_000_000_000},
        ),
        vector(
            "key slots without a word on erasing",
            "key-slots",
            {**by_pin, "as_written": False},
            key_slots(unnoted, version=3, house=None),
            expected=opened,
        ),
        vector("key slots of a guest", "key-slots", for_work, key_slots(guest, version=3, house=None), expected=opened_guest),
        vector(
            "key slots, no recovery secret",
            "key-slots",
            for_work,
            key_slots({**person, "withdrawal": None}, version=3, house=None),
            error=bad,
        ),
        vector("key slots, no word on the recovery secret", "key-slots", for_work, key_slots(first, version=3, house=None), error=bad),
        vector(
            "key slots, short recovery secret",
            "key-slots",
            for_work,
            key_slots({**person, "withdrawal": b64(WITHDRAWAL[:15])}, version=3, house=None),
            error=bad,
        ),
        vector(
            "key slots, guest with a recovery secret",
            "key-slots",
            for_work,
            key_slots({**guest, "withdrawal": b64(WITHDRAWAL)}, version=3, house=None),
            error=bad,
        ),
        vector(
            "key slots with an absurd cost",
            "key-slots",
            by_pin,
            key_slots({**person, "slots": [{**slot("secret"), "argon2id": [1 << 30, 1, 1]}]}, version=3, house=None),
            error=bad,
        ),
        vector("intent", "intent", intent_inputs, intent, expected={"erase": SPEAKER}),
        vector("intent under another key", "intent", {"device_key": "00" * 32}, intent, error=bad),
        vector("device key in a file", "device-key", key_inputs, file_key, expected={**key_opened, "custody": "file"}),
        vector("device key under a passphrase", "device-key", key_inputs, passphrase_key, expected={**key_opened, "custody": "passphrase"}),
        vector("device key in the keyring", "device-key", key_inputs, keyring_key, expected={**key_opened, "custody": "keyring"}),
        vector("wrong passphrase", "device-key", {**key_inputs, "passphrase": "four brown hares"}, passphrase_key, error=wrong),
        vector("no passphrase", "device-key", {**key_inputs, "passphrase": ""}, passphrase_key, error=wrong),
        vector("passphrase file with an absurd cost", "device-key", key_inputs, hostile_key, error=bad),
        vector("key file with a wrong check", "device-key", key_inputs, file_key[:-1] + bytes([file_key[-1] ^ 1]), error=bad),
        vector("key file of another id", "device-key", {**key_inputs, "key_id": "00" * 16}, file_key, error=bad),
        vector("empty key file", "device-key", key_inputs, b"", error=bad),
    ]


def receipts() -> list[dict[str, object]]:
    signer = Ed25519PrivateKey.from_private_bytes(SIGNING_SEED)
    public = signer.public_key().public_bytes_raw().hex()
    fields = {
        "bytes_removed": 1234,
        "device": public,
        "device_key_rotated": True,
        "erased_ms": 1_700_000_000_000,
        "files_pending": 0,
        "files_removed": 3,
    }
    receipt = {**fields, "signature": signer.sign(b"hometone/erasure-receipt/v1\x00" + compact(fields)).hex()}
    bad = "ProtocolError"
    return [
        {"name": "receipt", "device": public, "receipt": receipt},
        {"name": "another count", "device": public, "receipt": {**receipt, "files_removed": 4}, "error": bad},
        {"name": "another machine", "device": "00" * 32, "receipt": receipt, "error": bad},
        {"name": "no signature", "device": public, "receipt": fields, "error": bad},
        {"name": "an unknown field", "device": public, "receipt": {**receipt, "speaker": SPEAKER}, "error": bad},
    ]


def derivations() -> dict[str, object]:
    seed = hkdf(DATA_KEY, b"", lp("hometone/speaker-signing/v1", SPEAKER.encode("ascii")))
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return {
        "speaker_signing": {"data_key": DATA_KEY.hex(), "speaker_id": SPEAKER, "public_key": public.hex()},
        "normalised_secrets": [
            {"typed": "1234", "bytes": b"1234".hex()},
            {"typed": " １２３４ ", "bytes": b"1234".hex()},
            {"typed": "ﬁve words", "bytes": b"five words".hex()},
            {"typed": "春眠不觉晓", "bytes": "春眠不觉晓".encode().hex()},
        ],
        "refused_secrets": [{"typed": typed, "error": "UsageError"} for typed in ("", "   ", "123", "一二三", "x" * 1025)],
    }


def build() -> dict[str, object]:
    """All vectors, by file name."""
    return {"streams": streams(), "files": files(), "receipts": receipts(), "derivations": derivations()}


if __name__ == "__main__":
    for file_name, vectors in build().items():
        text = json.dumps(vectors, ensure_ascii=False, indent=1, sort_keys=True)
        Path(__file__).with_name(f"{file_name}.json").write_text(text + "\n", encoding="utf-8")
