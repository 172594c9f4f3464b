"""Compute the test vectors of docs/withdrawal.md with plain primitives, independently of hometone_shared.

Run `python tests/vectors/withdrawal/make_vectors.py` to write the JSON file beside it. Nothing of Hometone is imported: this is a second
implementation of codes, keys, records and cosignatures. Of the package `mnemonic` only the word lists are used. All secrets are made up.
"""

import base64
import hashlib
import json
from importlib import resources
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
COORDINATOR, LAPTOP, WITNESS = (Ed25519PrivateKey.from_private_bytes(bytes([value]) * 32) for value in (7, 8, 9))
SECRETS = [bytes(16), bytes([255]) * 16, bytes(range(16)), hashlib.sha256(b"a person").digest()[:16]]
NOW = 1_790_000_000


def raw(key):
    return key.public_key().public_bytes_raw()


def b64(data):
    return base64.b64encode(data).decode()


def short(data):
    return hashlib.sha256(data).hexdigest()[:32]


def words_of(bits, language):
    words = resources.files("mnemonic").joinpath(f"wordlist/{language}.txt").read_text(encoding="utf-8").split()
    return " ".join(words[int(bits[at : at + 11], 2)] for at in range(0, len(bits), 11))


def bits_of(data):
    return "".join(f"{byte:08b}" for byte in data)


def twelve_words(secret, language):
    return words_of(bits_of(secret) + bits_of(hashlib.sha256(secret).digest())[:4], language)


def code(secret):
    number = 2**128 + int.from_bytes(secret, "big")
    values = []
    while number:
        values.insert(0, number % 32)
        number //= 32
    check = sum((place + 1) * value for place, value in enumerate(values)) % 1021
    text = "".join(SYMBOLS[value] for value in [*values, check // 32, check % 32])
    return "HR1-" + "-".join(text[at : at + 5] for at in range(0, len(text), 5))


def withdrawal_key(secret):
    seed = HKDF(hashes.SHA256(), 32, None, b"hometone/withdrawal-key/v1").derive(secret)
    return Ed25519PrivateKey.from_private_bytes(seed), seed


def encoded(kind, payload):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def canonical(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def envelope(kind, document, key):
    payload = canonical(document)
    return {"key": b64(raw(key)), "payload": b64(payload), "signature": b64(key.sign(encoded(kind, payload))), "type": kind}


def digest(signed):
    return hashlib.sha256(encoded(signed["type"], base64.b64decode(signed["payload"]))).hexdigest()


def secrets():
    for secret in SECRETS:
        key, seed = withdrawal_key(secret)
        yield {
            "secret": secret.hex(),
            "code": code(secret),
            "words_en": twelve_words(secret, "english"),
            "words_zh": twelve_words(secret, "chinese_simplified"),
            "withdrawal_seed": seed.hex(),
            "withdrawal_key": raw(key).hex(),
            "pseudonym": short(raw(key)),
        }


def records():
    owner, _ = withdrawal_key(SECRETS[3])
    who, where = short(raw(owner)), short(raw(COORDINATOR))
    possession = owner.sign(b"hometone/register-speaker/v1\x00" + raw(COORDINATOR) + raw(LAPTOP))
    request = {"coordinator_key": b64(raw(COORDINATOR)), "withdrawal_key": b64(raw(owner)), "possession": b64(possession)}
    tombstone = envelope(
        "hometone/tombstone/v1",
        {"pseudonym": who, "coordinator": where, "scope": ["archive", "own-voice"], "sequence": 3, "made": NOW, "shared_model": "replay"},
        owner,
    )
    bound = {"treatment": "bound", "rounds": 2, "epsilon": 1.5, "delta": 0.0009765625, "from_release": None, "replaced_by": None}
    receipt = envelope(
        "hometone/receipt/v1",
        {
            "tombstone_sha256": digest(tombstone),
            "pseudonym": who,
            "role": "laptop",
            "at": NOW + 1,
            "holder": b64(owner.sign(b"hometone/holder/v1\x00laptop\x00" + bytes.fromhex(short(raw(LAPTOP))))),
            "removed": {"recordings": 12, "voices": 1},
            "pending": [{"what": "exports-elsewhere", "until": None}, {"what": "lent-copies", "until": NOW + 86400}],
            "key_destroyed": True,
            "shared_model": bound,
        },
        LAPTOP,
    )
    card = {"coordinator": where, "signing_key": b64(raw(LAPTOP)), "sealing_key": b64(bytes(range(32))), "label": "晨光之家"}
    lease = {
        "pseudonym": who,
        "coordinator": where,
        "recipient": short(raw(LAPTOP)),
        "lease": "0f" * 16,
        "purpose": "announcements",
        "label": "Anna",
        "issued": NOW,
        "ends": NOW + 9,
        "holder": b64(owner.sign(b"hometone/holder/v1\x00recipient\x00" + bytes.fromhex(short(raw(LAPTOP))))),
        "lease_days": 30,
        "voice_sha256": "ab" * 32,
    }
    card_envelope = envelope("hometone/recipient/v1", card, LAPTOP)
    return {
        "owner_secret": SECRETS[3].hex(),
        "coordinator_key": raw(COORDINATOR).hex(),
        "register-speaker": envelope("hometone/register-speaker/v1", request, LAPTOP),
        "speaker": envelope("hometone/speaker/v1", {"pseudonym": who, "withdrawal_key": b64(raw(owner))}, COORDINATOR),
        "tombstone": tombstone,
        "withdrawal": envelope("hometone/withdrawal/v1", {"tombstone": tombstone, "received": NOW + 2}, COORDINATOR),
        "receipt": receipt,
        "filed-receipt": envelope("hometone/filed-receipt/v1", {"receipt": receipt}, COORDINATOR),
        "withdrawn-releases": envelope("hometone/withdrawn-releases/v1", {"releases": [3, 4, 7], "replaced_by": 9}, COORDINATOR),
        "recipient": card_envelope,
        "lease": envelope("hometone/lease/v1", lease, owner),
        "check_words": words_of(bits_of(hashlib.sha256(canonical(card_envelope)).digest())[:44], "english"),
    }


def cosignature():
    name = "witness.example/w1"
    origin = "hometone/log/" + short(raw(COORDINATOR))
    text = f"{origin}\n11\n{b64(bytes(range(32)))}\n"
    identity = hashlib.sha256(origin.encode() + b"\n\x01" + raw(COORDINATOR)).digest()[:4]
    note = f"{text}\n— {origin} {b64(identity + COORDINATOR.sign(text.encode()))}\n"
    key_id = hashlib.sha256(name.encode() + b"\n\x04" + raw(WITNESS)).digest()[:4]
    signature = WITNESS.sign(f"cosignature/v1\ntime {NOW}\n{text}".encode())
    return {
        "name": name,
        "private_key": (bytes([9]) * 32).hex(),
        "verifier": f"{name}+{key_id.hex()}+{b64(bytes([4]) + raw(WITNESS))}",
        "time": NOW,
        "note": note,
        "cosigned": f"{note}— {name} {b64(key_id + NOW.to_bytes(8, 'big') + signature)}\n",
    }


VECTORS = {"secrets": list(secrets()), "records": records(), "cosignature": cosignature()}

if __name__ == "__main__":
    text = json.dumps(VECTORS, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    (Path(__file__).parent / "withdrawal.json").write_text(text, encoding="utf-8")
