"""Sealed shares open for one holder, of one giver, in one round, or not at all."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.secagg.sealing import SEALED_BYTES, SharePair, seal, unseal

HOLDER = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC = HOLDER.public_key().public_bytes_raw()
CONTEXT = bytes(range(64))
PAIR = SharePair(b"\x00" + bytes(range(32)), b"\x01" + bytes(32))
GIVER, TO = "a" * 32, "b" * 32


def sealed():
    return seal(PAIR, key=PUBLIC, context=CONTEXT, giver=GIVER, holder=TO)


def test_round_trip():
    data = sealed()
    assert len(data) == SEALED_BYTES == 114
    assert unseal(data, HOLDER, context=CONTEXT, giver=GIVER, holder=TO) == PAIR
    assert data != sealed()


@pytest.mark.parametrize(
    "change",
    [{"context": bytes(64)}, {"giver": TO}, {"holder": GIVER}, {"giver": TO, "holder": GIVER}, {"private": X25519PrivateKey.generate()}],
)
def test_opens_nowhere_else(change):
    how = {"private": HOLDER, "context": CONTEXT, "giver": GIVER, "holder": TO} | change
    private = how.pop("private")
    with pytest.raises(ProtocolError):
        unseal(sealed(), private, **how)


@given(st.binary(max_size=200))
def test_hostile_bytes(data):
    with pytest.raises(ProtocolError):
        unseal(data, HOLDER, context=CONTEXT, giver=GIVER, holder=TO)


@given(st.integers(0, SEALED_BYTES - 1), st.integers(1, 255))
def test_every_changed_byte_is_noticed(place, change):
    data = bytearray(sealed())
    data[place] ^= change
    with pytest.raises(ProtocolError):
        unseal(bytes(data), HOLDER, context=CONTEXT, giver=GIVER, holder=TO)


@pytest.mark.parametrize("opened", [b"", bytes(65), bytes(67), b"\xff" * 66, bytes(33) + b"\x02" + bytes(32)])
def test_well_sealed_nonsense(opened):
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    info = b"hometone/share/v1" + CONTEXT + GIVER.encode() + TO.encode()
    with pytest.raises(ProtocolError):
        unseal(suite.encrypt(opened, HOLDER.public_key(), info=info), HOLDER, context=CONTEXT, giver=GIVER, holder=TO)


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), bytes(31), b""])
def test_worthless_keys(key):
    with pytest.raises(ProtocolError):
        seal(PAIR, key=key, context=CONTEXT, giver=GIVER, holder=TO)


def test_shares_are_never_shown():
    assert repr(PAIR) == object.__repr__(PAIR)
