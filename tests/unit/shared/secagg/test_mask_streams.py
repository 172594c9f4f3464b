"""Masks against RFC 8439 and against each other."""

import hashlib

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.secagg import masks

CONTEXT = bytes(range(64))
# RFC 8439, appendix A.1, test vector 1: key, nonce and counter all zero.
RFC_8439_A1 = bytes.fromhex(
    "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
)


def stream(key, words):
    data = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(4 * words))
    return np.frombuffer(data, dtype="<u4")


def test_keystream_of_rfc_8439():
    total = np.zeros(16, dtype=np.uint32)
    masks.add_keystream(total, bytes(32))
    assert total.astype("<u4").tobytes() == RFC_8439_A1


@pytest.mark.parametrize("words", [0, 1, 15, 16383, 16384, 16385, 40000])
def test_every_length_is_one_stream(words):
    key = bytes(range(32))
    total = np.full(words, 0xFFFFFFF0, dtype=np.uint32)
    masks.add_keystream(total, key)
    assert np.array_equal(total, (stream(key, words).astype(np.int64) + 0xFFFFFFF0) % (1 << 32))
    masks.add_keystream(total, key, subtract=True)
    assert np.all(total == 0xFFFFFFF0)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 6), st.integers(1, 50))
def test_pair_masks_cancel(devices, words):
    keys = {hashlib.sha256(b"%d" % number).hexdigest()[:32]: X25519PrivateKey.generate() for number in range(devices)}
    public = {device: key.public_key().public_bytes_raw() for device, key in keys.items()}
    total = np.zeros(words, dtype=np.uint32)
    for device, key in keys.items():
        before = total.copy()
        peers = {peer: each for peer, each in public.items() if peer != device}
        masks.add_pair_masks(total, key, device=device, peers=peers, context=CONTEXT)
        assert words < 4 or not np.array_equal(before, total)
    assert not total.any()


def test_the_smaller_id_adds():
    mine, theirs = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    key = masks.pair_mask_key(mine, theirs.public_key().public_bytes_raw(), context=CONTEXT, pair=("b" * 32, "a" * 32))
    assert key == masks.pair_mask_key(theirs, mine.public_key().public_bytes_raw(), context=CONTEXT, pair=("a" * 32, "b" * 32))
    total = np.zeros(10, dtype=np.uint32)
    masks.add_pair_masks(total, mine, device="a" * 32, peers={"b" * 32: theirs.public_key().public_bytes_raw()}, context=CONTEXT)
    assert np.array_equal(total, stream(key, 10))


def test_keys_hang_on_everything():
    mine, theirs = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    public, pair = theirs.public_key().public_bytes_raw(), ("a" * 32, "b" * 32)
    keys = {
        masks.pair_mask_key(mine, public, context=CONTEXT, pair=pair),
        masks.pair_mask_key(mine, public, context=bytes(64), pair=pair),
        masks.pair_mask_key(mine, public, context=CONTEXT, pair=("a" * 32, "c" * 32)),
        masks.pair_mask_key(X25519PrivateKey.generate(), public, context=CONTEXT, pair=pair),
        masks.self_mask_key(bytes(32), context=CONTEXT, device="a" * 32),
        masks.self_mask_key(bytes(32), context=CONTEXT, device="b" * 32),
        masks.self_mask_key(bytes(32), context=bytes(64), device="a" * 32),
        masks.self_mask_key(b"\x01" * 32, context=CONTEXT, device="a" * 32),
    }
    assert len(keys) == 8


# Points of small order (RFC 7748, section 6.1; the list of https://cr.yp.to/ecdh.html): the secret is zero with every private key.
@pytest.mark.parametrize(
    "key",
    [
        bytes(32),
        b"\x01" + bytes(31),
        bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes(31),
        b"",
    ],
)
def test_worthless_keys_are_refused(key):
    with pytest.raises(ProtocolError):
        masks.pair_mask_key(X25519PrivateKey.generate(), key, context=CONTEXT, pair=("a", "b"))


def test_commitment_is_plain_sha256():
    plan, device, seed = "ab" * 32, "0" * 32, bytes(range(32))
    promised = masks.commitment(seed, plan_digest=plan, device=device)
    assert promised == hashlib.sha256(b"hometone/self-mask/v1" + bytes.fromhex(plan) + b"0" * 32 + seed).digest()
    assert masks.commitment_holds(promised, seed, plan_digest=plan, device=device)
    assert not masks.commitment_holds(promised, bytes(32), plan_digest=plan, device=device)
    assert not masks.commitment_holds(promised, seed, plan_digest=plan, device="1" * 32)
