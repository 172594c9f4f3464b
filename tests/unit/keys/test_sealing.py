"""Headers, derivation, small sealed files, canonical JSON."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_keys.sealing import (
    FileKind,
    canonical_json,
    context,
    derive,
    expect_kind,
    header,
    kind_of,
    parse_json,
    seal,
    unseal,
    unwrap,
    version_of,
    wipe,
    wrap,
)
from hometone_shared.errors import DamagedVaultError, HometoneError

KEY = os.urandom(32)
PREFIX = header(FileKind.INDEX)


def opened(data: bytes, *, info: bytes = b"info", key: bytes = KEY) -> bytes:
    return unseal(key, data, prefix_bytes=len(PREFIX), info=info, what="a test")


def test_round_trip_and_every_bit_counts():
    data = seal(KEY, b"content", prefix=PREFIX, info=b"info")
    assert opened(data) == b"content"
    for at in range(len(data)):
        with pytest.raises(DamagedVaultError):
            opened(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(DamagedVaultError):
            opened(data[:at])


def test_two_seals_differ():
    assert seal(KEY, b"x", prefix=PREFIX, info=b"") != seal(KEY, b"x", prefix=PREFIX, info=b"")


def test_info_and_key_are_bound():
    data = seal(KEY, b"content", prefix=PREFIX, info=b"info")
    with pytest.raises(DamagedVaultError):
        opened(data, info=b"other")
    with pytest.raises(DamagedVaultError):
        opened(data, key=bytes(32))


@pytest.mark.parametrize("kind", FileKind)
def test_header_round_trip(kind):
    assert kind_of(header(kind) + b"rest", what="a test") is kind
    version = b"\x03" if kind is FileKind.KEY_SLOTS else b"\x01"
    assert header(kind) == b"HTON" + kind.value + version + b"\x00\x00"
    assert version_of(header(kind)) == version[0]
    assert kind_of(b"HTON" + kind.value + b"\x01\x00\x00", what="a test") is kind


@pytest.mark.parametrize("kind", FileKind)
def test_a_version_above_the_kinds_own_says_so(kind):
    for version in range(header(kind)[5] + 1, 256):
        with pytest.raises(DamagedVaultError, match="newer"):
            kind_of(b"HTON" + kind.value + bytes([version, 0, 0]), what="a test")


@pytest.mark.parametrize(
    "data", [b"", b"HTONA\x01\x00", b"HTOXA\x01\x00\x00", b"HTONZ\x01\x00\x00", b"HTONA\x01\x00\x01", b"HTONA\x00\x00\x00"]
)
def test_foreign_headers_are_refused(data):
    with pytest.raises(DamagedVaultError, match="a test is damaged"):
        kind_of(data, what="a test")


def test_a_newer_version_says_so():
    with pytest.raises(DamagedVaultError, match="newer"):
        kind_of(b"HTONA\x02\x00\x00", what="a test")


def test_another_kind_is_refused():
    expect_kind(header(FileKind.INDEX), FileKind.INDEX, what="a test")
    with pytest.raises(DamagedVaultError):
        expect_kind(header(FileKind.ARTEFACT), FileKind.INDEX, what="a test")


@given(st.binary(max_size=300))
def test_hostile_bytes_raise_damaged_and_nothing_else(data):
    for attempt in (lambda: kind_of(data, what="a test"), lambda: opened(data)):
        with pytest.raises(HometoneError) as caught:
            attempt()
        assert caught.type is DamagedVaultError


def test_context_is_unambiguous():
    assert context("ab", b"c") == b"\x00\x02ab\x00\x01c"
    assert context("a", b"bc") != context("ab", b"c")


def test_wrap_and_unwrap():
    assert unwrap(KEY, wrap(KEY, b"secret", associated_data=b"x"), associated_data=b"x") == b"secret"
    assert unwrap(KEY, wrap(KEY, b"secret", associated_data=b"x"), associated_data=b"y") is None
    assert unwrap(KEY, b"short", associated_data=b"") is None


def test_wipe_leaves_zeros():
    key = derive(KEY, salt=b"", info=b"")
    assert len(key) == 32
    assert any(key)
    wipe(key)
    assert key == bytes(32)


def test_canonical_json():
    assert canonical_json({"b": 1, "a": ["你", 1.5, None]}) == '{"a":["你",1.5,null],"b":1}'.encode()
    assert parse_json(b'{"a":1}') == {"a": 1}
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))
    for data in (b"\xff", b"{"):
        with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the contract
            parse_json(data)
