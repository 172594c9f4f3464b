"""Computes the test vectors of docs/protocol.md, sections 4 to 7, independently of hometone_shared.

Usage: python tools/make_secagg_vectors.py    (writes tests/vectors/secagg/*.json)

Nothing of Hometone is imported: this is a second implementation, from the page alone, of identities, advertisements, the graph, Shamir
sharing, HPKE (RFC 9180, spelt out, since libraries do not let one choose the ephemeral key), masks, and one whole round with a dropout.
Sums are sums of Python's integers. All keys are made up, by hashing a name, and secret to nobody.
"""

import base64
import hashlib
import hmac
import json
import math
import struct
from fractions import Fraction
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

FOLDER = Path(__file__).parents[1] / "tests/vectors/secagg"
P_FIELD = 2**256 + 297


def named(name: str) -> bytes:
    """32 bytes that anybody can make again."""
    return hashlib.sha256(b"hometone test vector: " + name.encode()).digest()


def b64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode()


def canonical(value: object) -> bytes:
    """RFC 8785, for the numbers and ASCII texts that occur here."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def pae(kind: str, payload: bytes) -> bytes:
    """DSSE 1.0 pre-authentication encoding."""
    return f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload


def hkdf(ikm: bytes, info: bytes) -> bytes:
    """RFC 5869 with SHA-256, empty salt, 32 bytes: one block."""
    return hmac.digest(hmac.digest(bytes(32), ikm, "sha256"), info + b"\x01", "sha256")


def x25519(private: bytes, public: bytes) -> bytes:
    """Shared secret of a private and a public key (RFC 7748)."""
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


def x25519_public(private: bytes) -> bytes:
    """Public key of a private one."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def ed25519_public(seed: bytes) -> bytes:
    """Public key of a signing seed (RFC 8032)."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def device_id(seed: bytes) -> str:
    """Section 1."""
    return hashlib.sha256(ed25519_public(seed)).hexdigest()[:32]


def hpke_seal(plaintext: bytes, *, ephemeral: bytes, public: bytes, info: bytes) -> bytes:
    """RFC 9180, base mode: sections 4, 4.1, 5.1 and 5.2, for DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305."""
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x03"

    def extract(salt: bytes, label: bytes, ikm: bytes, suite_id: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite_id + label + ikm, "sha256")

    def expand(key: bytes, label: bytes, context: bytes, length: int, suite_id: bytes) -> bytes:
        labelled = struct.pack(">H", length) + b"HPKE-v1" + suite_id + label + context
        return hmac.digest(key, labelled + b"\x01", "sha256")[:length]

    enc = x25519_public(ephemeral)
    shared = expand(extract(b"", b"eae_prk", x25519(ephemeral, public), kem), b"shared_secret", enc + public, 32, kem)
    context = b"\x00" + extract(b"", b"psk_id_hash", b"", suite) + extract(b"", b"info_hash", info, suite)
    secret = extract(shared, b"secret", b"", suite)
    key, nonce = expand(secret, b"key", context, 32, suite), expand(secret, b"base_nonce", context, 12, suite)
    return enc + ChaCha20Poly1305(key).encrypt(nonce, plaintext, b"")


def keystream(key: bytes, words: int) -> list[int]:
    """Section 7: ChaCha20, nonce and counter zero, as little-endian words."""
    data = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(4 * words))
    return list(struct.unpack(f"<{words}I", data))


def shamir(secret: bytes, coefficients: list[int], shares: int) -> list[bytes]:
    """Section 6: values of the polynomial at 1, 2, 3 and so on."""
    terms = [int.from_bytes(secret, "big"), *coefficients]
    return [(sum(term * x**power for power, term in enumerate(terms)) % P_FIELD).to_bytes(33, "big") for x in range(1, shares + 1)]


def coefficients(name: str, count: int) -> list[int]:
    """Field elements that stand for drawn ones."""
    return [int.from_bytes(named(f"{name} {number}") + named(f"{name} {number} more"), "big") % P_FIELD for number in range(1, count + 1)]


def threshold(devices: int) -> int:
    """Section 6."""
    return 2 * devices // 3 + 1


def self_mask_key(seed: bytes, plan: bytes, roster: bytes, device: str) -> bytes:
    """Section 7."""
    return hkdf(seed, b"hometone/self-mask-stream/v1" + plan + roster + device.encode())


def pair_mask_key(secret: bytes, plan: bytes, roster: bytes, pair: list[str]) -> bytes:
    """Section 7."""
    return hkdf(secret, b"hometone/pair-mask/v1" + plan + roster + min(pair).encode() + max(pair).encode())


def shamir_vectors() -> object:
    """Secrets, coefficients and shares."""
    vectors = []
    for name, needed, shares in (("one", 1, 3), ("two of three", 2, 3), ("four of five", 4, 5), ("sparse", 61, 101)):
        drawn, secret = coefficients(name, needed - 1), named(name)
        parts = shamir(secret, drawn, shares)
        vectors.append(
            {
                "coefficients": [f"{each:066x}" for each in drawn],
                "needed": needed,
                "secret": secret.hex(),
                "shares": [each.hex() for each in parts],
            }
        )
    vectors.append(
        {
            "coefficients": [f"{P_FIELD - 1:066x}"],
            "needed": 2,
            "secret": "ff" * 32,
            "shares": [each.hex() for each in shamir(b"\xff" * 32, [P_FIELD - 1], 2)],
        }
    )
    return {"prime": f"{P_FIELD:066x}", "refused_shares": [f"{P_FIELD:066x}", "ff" * 33, "00" * 32, "00" * 34, ""], "vectors": vectors}


def graph_vectors() -> object:
    """Neighbours on either side of 101 devices."""
    vectors = []
    for count in (3, 101, 102, 150):
        devices = sorted(named(f"graph device {number}").hex()[:32] for number in range(count))
        roster = named(f"graph roster of {count}")
        ring = sorted(devices, key=lambda each: hashlib.sha256(b"hometone/graph/v1" + roster + each.encode()).digest())
        some = {}
        for device in (devices[0], devices[1], devices[-1]):
            at = ring.index(device)
            steps = [step for step in range(-50, 51) if step]
            around = devices if count <= 101 else [ring[(at + step) % count] for step in steps]
            some[device] = sorted(set(around) - {device})
        vectors.append(
            {
                "devices": devices,
                "neighbours": some,
                "roster_digest": roster.hex(),
                "shares_needed": threshold(count) if count <= 101 else math.ceil(Fraction(6, 10) * 101),
                "threshold": threshold(count),
            }
        )
    return {"vectors": vectors}


def mask_vectors() -> object:
    """Commitment, keys and the first words of both masks."""
    plan, roster = named("mask plan"), named("mask roster")
    first, second = sorted(device_id(named(f"mask device {number}")) for number in (1, 2))
    private, peer, seed = named("mask private"), named("mask peer"), named("mask seed")
    pair = pair_mask_key(x25519(private, x25519_public(peer)), plan, roster, [first, second])
    own = self_mask_key(seed, plan, roster, first)
    return {
        "commitment": hashlib.sha256(b"hometone/self-mask/v1" + plan + first.encode() + seed).hexdigest(),
        "device": first,
        "pair_key": pair.hex(),
        "pair_stream": keystream(pair, 20),
        "peer": second,
        "peer_private": peer.hex(),
        "peer_public": x25519_public(peer).hex(),
        "plan_digest": plan.hex(),
        "private": private.hex(),
        "refused_public": [
            "00" * 32,
            "01" + "00" * 31,
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ],
        "roster_digest": roster.hex(),
        "seed": seed.hex(),
        "self_key": own.hex(),
        "self_stream": keystream(own, 20),
    }


def sealing_vectors() -> object:
    """A sealed pair of shares, and what must not open."""
    plan, roster = named("sealing plan"), named("sealing roster")
    giver, holder = (device_id(named(f"sealing device {number}")) for number in (1, 2))
    private = named("sealing private")
    shares = shamir(named("sealing secret"), coefficients("sealing", 1), 2)
    info = b"hometone/share/v1" + plan + roster + giver.encode() + holder.encode()

    def sealed(plaintext: bytes) -> str:
        return hpke_seal(plaintext, ephemeral=named("sealing ephemeral"), public=x25519_public(private), info=info).hex()

    good = sealed(b"".join(shares))
    return {
        "giver": giver,
        "holder": holder,
        "mask_key_share": shares[1].hex(),
        "plan_digest": plan.hex(),
        "private": private.hex(),
        "public": x25519_public(private).hex(),
        "refused": {
            "a bit of the ciphertext": good[:-1] + ("0" if good[-1] != "0" else "1"),
            "a bit of the key": ("0" if good[0] != "0" else "1") + good[1:],
            "cut": good[:-2],
            "no field element": sealed(b"\xff" * 66),
            "nothing": "",
            "one share": sealed(shares[0]),
        },
        "roster_digest": roster.hex(),
        "sealed": good,
        "self_mask_share": shares[0].hex(),
    }


class Device:
    """One laptop of the round."""

    def __init__(self, number: int, dimension: int, plan: bytes) -> None:
        name = f"round device {number}"
        self.signing, self.mask, self.seal, self.seed = (named(f"{name} {what}") for what in ("signing", "mask", "seal", "seed"))
        self.name, self.id, self.speakers = name, device_id(self.signing), number % 3 + 1
        self.x = [int.from_bytes(named(f"{name} value {at}")[:3], "big") - (1 << 23) for at in range(dimension)]
        fields = {
            "commitment": b64(hashlib.sha256(b"hometone/self-mask/v1" + plan + self.id.encode() + self.seed).digest()),
            "device": self.id,
            "mask_key": b64(x25519_public(self.mask)),
            "seal_key": b64(x25519_public(self.seal)),
            "speakers": self.speakers,
        }
        signed = self.sign("hometone/advertisement/v1", fields | {"plan": plan.hex()})
        self.advertisement = fields | {"signature": signed}

    def sign(self, kind: str, document: object) -> str:
        """Sign a document."""
        return b64(Ed25519PrivateKey.from_private_bytes(self.signing).sign(pae(kind, canonical(document))))


def round_vectors() -> object:
    """Five laptops, of which one leaves between its shares and its vector."""
    count, dimension = 5, 6
    digests = {name: named(name).hex() for name in ("base_sha256", "basis_sha256", "bundle_sha256", "log_root", "release_sha256")}
    plan_document = digests | {
        "attempt": 2,
        "clip_norm": 0.5,
        "colluders": 1,
        "deadline": 1_800_000_600,
        "dimension": dimension,
        "issued": 1_800_000_000,
        "log_size": 7,
        "minimum_cohort": 4,
        "modulus_bits": 32,
        "noise_multiplier": 1.5,
        "purpose": "model",
        "release": 3,
        "reply_slot_ms": 1000,
        "round": 4,
        "run": "0123456789abcdef",
        "weights_permille": {"zh": 900},
    }
    plan = hashlib.sha256(pae("hometone/round-plan/v1", canonical(plan_document))).digest()
    devices = sorted((Device(number, dimension, plan) for number in range(count)), key=lambda each: each.id)
    advertisements = [each.advertisement for each in devices]
    roster = hashlib.sha256(b"hometone/roster/v1" + plan + canonical(advertisements)).digest()
    needed = threshold(count)

    opened: dict[str, list[bytes]] = {}
    answers: dict[str, dict[str, str]] = {}
    drawn: dict[str, dict[str, list[str]]] = {}
    for giver in devices:
        of_seed, of_key = (coefficients(f"{giver.name} {what}", needed - 1) for what in ("self mask", "mask key"))
        drawn[giver.id] = {"mask_key": [f"{each:066x}" for each in of_key], "self_mask": [f"{each:066x}" for each in of_seed]}
        pairs = [own + other for own, other in zip(shamir(giver.seed, of_seed, count), shamir(giver.mask, of_key, count), strict=True)]
        opened[giver.id] = pairs
        answers[giver.id] = {}
        for holder, pair in zip(devices, pairs, strict=True):
            if holder is not giver:
                info = b"hometone/share/v1" + plan + roster + giver.id.encode() + holder.id.encode()
                ephemeral = named(f"{giver.name} to {holder.name}")
                answers[giver.id][holder.id] = b64(hpke_seal(pair, ephemeral=ephemeral, public=x25519_public(holder.seal), info=info))

    # The fourth device leaves before its vector: its pairwise masks stay in the sum of the others until its key is rebuilt.
    participants, gone = [each.id for each in devices], devices[3]
    survivors = [each.id for each in devices if each is not gone]
    masked = {}
    for device in devices:
        y = [
            value + mask
            for value, mask in zip(device.x, keystream(self_mask_key(device.seed, plan, roster, device.id), dimension), strict=True)
        ]
        for peer in devices:
            if peer is not device:
                secret = x25519(device.mask, x25519_public(peer.mask))
                sign = 1 if device.id < peer.id else -1
                mask = keystream(pair_mask_key(secret, plan, roster, [device.id, peer.id]), dimension)
                y = [value + sign * word for value, word in zip(y, mask, strict=True)]
        masked[device.id] = struct.pack(f"<{dimension}I", *(value % 2**32 for value in y)).hex()

    statement = {"participants": participants, "plan": plan.hex(), "roster": roster.hex(), "survivors": survivors}
    signatures = {each.id: each.sign("hometone/survivors/v1", statement) for each in devices if each is not gone}
    openings = {}
    for index, holder in enumerate(devices):
        if holder is not gone:
            openings[holder.id] = {
                "mask_key_shares": {gone.id: b64(opened[gone.id][index][33:])},
                "self_mask_shares": {each: b64(opened[each][index][:33]) for each in survivors},
            }
    return {
        "devices": {
            each.id: {
                "coefficients": drawn[each.id],
                "mask_private": each.mask.hex(),
                "seal_private": each.seal.hex(),
                "seed": each.seed.hex(),
                "signing_seed": each.signing.hex(),
                "signing_public": ed25519_public(each.signing).hex(),
                "speakers": each.speakers,
                "values": each.x,
            }
            for each in devices
        },
        "mask_answers": {device: answer for device, answer in masked.items() if device != gone.id},
        "mask_requests": {
            device: {"participants": participants, "shares": {giver: answers[giver][device] for giver in participants if giver != device}}
            for device in participants
        },
        "noise_variance": math.ceil(Fraction(3, 2) ** 2 * 2**28 / (needed - 1)),
        "plan": plan_document,
        "plan_digest": plan.hex(),
        "roster_answers": {device: {"shares": shares} for device, shares in answers.items()},
        "roster_digest": roster.hex(),
        "roster_request": {"advertisements": advertisements},
        "survivors_answers": {device: {"signature": signature} for device, signature in signatures.items()},
        "survivors_request": {"survivors": survivors},
        "total": [sum(each.x[at] for each in devices if each is not gone) for at in range(dimension)],
        "total_speakers": sum(each.speakers for each in devices if each is not gone),
        "unmask_answers": openings,
        "unmask_request": {"signatures": signatures},
    }


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in (
        ("shamir", shamir_vectors),
        ("graph", graph_vectors),
        ("masks", mask_vectors),
        ("sealing", sealing_vectors),
        ("round", round_vectors),
    ):
        text = json.dumps(make(), indent=1, sort_keys=True)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
