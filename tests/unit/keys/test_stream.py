"""STREAM: round trips of every length, seeking, and refusal of every change."""

import io
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_keys.stream import CHUNK_BYTES, TAG_BYTES, StreamReader, StreamSealer, chunk_nonce
from hometone_shared.errors import DamagedVaultError, UsageError, VaultError

KEY = bytes(range(32))
START = b"prefix and salt"


def sealed(plaintext: bytes, *, pieces: int = 1) -> bytes:
    sealer = StreamSealer(KEY, associated_data=START)
    step = max(1, -(-len(plaintext) // pieces))
    body = b"".join(sealer.update(plaintext[at : at + step]) for at in range(0, len(plaintext), step))
    return START + body + sealer.finish()


def reader(data: bytes, **how) -> StreamReader:
    return StreamReader(io.BytesIO(data), KEY, associated_data=START, what="a test", **how)


@pytest.mark.parametrize("length", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 17])
def test_round_trip(length):
    plaintext = os.urandom(length)
    data = sealed(plaintext)
    chunks = max(1, -(-length // CHUNK_BYTES))
    assert len(data) == len(START) + length + chunks * TAG_BYTES
    opened = reader(data)
    assert opened.length == length
    assert opened.readall() == plaintext
    assert opened.read(10) == b""


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 3 * CHUNK_BYTES), st.integers(1, 50))
def test_how_it_was_cut_does_not_matter(length, pieces):
    plaintext = bytes(length)
    assert sealed(plaintext, pieces=pieces) == sealed(plaintext)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2 * CHUNK_BYTES + 100), st.integers(0, CHUNK_BYTES + 50))
def test_seeking_reads_the_same_bytes(position, length):
    plaintext = bytes(index % 251 for index in range(2 * CHUNK_BYTES + 100))
    opened = io.BufferedReader(reader(sealed(plaintext)))
    opened.seek(position)
    assert opened.read(length) == plaintext[position : position + length]


def test_seek_and_tell():
    opened = reader(sealed(b"0123456789"))
    assert opened.readable()
    assert opened.seekable()
    assert opened.seek(-3, os.SEEK_END) == 7
    assert opened.seek(1, os.SEEK_CUR) == opened.tell() == 8
    assert opened.read() == b"89"
    assert opened.seek(99) == 99
    assert opened.read() == b""
    for offset, whence in ((-1, os.SEEK_SET), (0, 7)):
        with pytest.raises(UsageError):
            opened.seek(offset, whence)


def test_closing_closes_the_source():
    source = io.BytesIO(sealed(b"x"))
    opened = StreamReader(source, KEY, associated_data=START, what="a test")
    opened.close()
    opened.close()
    assert source.closed


LONG = os.urandom(2 * CHUNK_BYTES + 100)


def swap_chunks(data: bytes) -> bytes:
    first, second = len(START), len(START) + CHUNK_BYTES + TAG_BYTES
    third = second + CHUNK_BYTES + TAG_BYTES
    return data[:first] + data[second:third] + data[first:second] + data[third:]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data[: len(START) + CHUNK_BYTES + TAG_BYTES],
        lambda data: data[: len(START) + 2 * (CHUNK_BYTES + TAG_BYTES)],
        lambda data: data[: len(START) + 2 * (CHUNK_BYTES + TAG_BYTES) + 16],
        lambda data: data[: len(START) + 5],
        lambda data: data[: len(START)],
        lambda data: data + b"\x00",
        lambda data: data + data[-116:],
        lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
        swap_chunks,
    ],
)
def test_every_change_is_refused(change):
    with pytest.raises(DamagedVaultError, match="a test is damaged"):
        reader(change(sealed(LONG))).readall()


def test_truncation_is_refused_before_a_byte_is_used():
    with pytest.raises(DamagedVaultError):
        reader(sealed(LONG)[: len(START) + 2 * (CHUNK_BYTES + TAG_BYTES)])


def test_other_associated_data_or_key_is_refused():
    data = sealed(b"x")
    with pytest.raises(DamagedVaultError):
        StreamReader(io.BytesIO(data), KEY, associated_data=START[:-1] + b"?", what="a test")
    with pytest.raises(DamagedVaultError):
        StreamReader(io.BytesIO(data), bytes(32), associated_data=START, what="a test")


def test_an_empty_last_chunk_after_others_is_refused():
    sealer = StreamSealer(KEY, associated_data=START)
    body = sealer._close_chunk(bytes(CHUNK_BYTES), last=False) + sealer._close_chunk(b"", last=True)
    with pytest.raises(DamagedVaultError):
        reader(START + body)


def test_explain_may_give_the_better_reason():
    def gone() -> None:
        raise VaultError("it was removed")

    with pytest.raises(VaultError, match="it was removed"):
        reader(sealed(LONG)[:-1], explain=gone)
    with pytest.raises(DamagedVaultError):
        reader(sealed(LONG)[:-1], explain=lambda: None)


def test_nonces_count_and_mark_the_last():
    assert chunk_nonce(258, last=False) == bytes(9) + b"\x01\x02\x00"
    assert chunk_nonce(0, last=True) == bytes(11) + b"\x01"


def test_memory_stays_at_one_chunk():
    sealer = StreamSealer(KEY, associated_data=START)
    for _ in range(100):
        sealer.update(bytes(CHUNK_BYTES))
        assert len(sealer._pending) <= CHUNK_BYTES
