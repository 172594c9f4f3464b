"""Cosignatures of witnesses: they come back with their time, heads stay readable, and nothing else passes."""

import base64
import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.log.checkpoint import Checkpoint, log_origin, sign_note
from hometone_shared.log.cosignature import LATEST_S, WitnessKey, cosign, cosigned_at, with_lines_of

KEY, FIRST, SECOND = (Ed25519PrivateKey.from_private_bytes(bytes([value]) * 32) for value in (1, 2, 3))
RAW = KEY.public_key().public_bytes_raw()
ORIGIN = log_origin(RAW)
NOTE = Checkpoint(origin=ORIGIN, size=7, root=bytes(range(32))).signed(KEY)
LATER = Checkpoint(origin=ORIGIN, size=8, root=bytes(32)).signed(KEY)
ONE, TWO = (WitnessKey(name, key.public_key().public_bytes_raw()) for name, key in (("w.example/1", FIRST), ("w.example/2", SECOND)))
NOW = 1_790_000_000


def first(note, time_s=NOW):
    return cosign(note, key=FIRST, name=ONE.name, time_s=time_s)


def second(note, time_s=NOW):
    return cosign(note, key=SECOND, name=TWO.name, time_s=time_s)


def with_line(note, name, blob):
    return note + f"— {name} {base64.b64encode(blob).decode()}\n".encode()


def test_a_cosigned_head_is_still_a_head():
    both = second(first(NOTE), NOW + 5)
    assert both.startswith(NOTE)
    assert Checkpoint.from_note(both, origin=ORIGIN, key=RAW) == Checkpoint.from_note(NOTE, origin=ORIGIN, key=RAW)
    assert (cosigned_at(both, ONE), cosigned_at(both, TWO)) == (NOW, NOW + 5)


def test_a_witness_has_one_line():
    again = first(second(first(NOTE)), NOW + 60)
    assert again.count(b"w.example/1") == 1
    assert (cosigned_at(again, ONE), cosigned_at(again, TWO)) == (NOW + 60, NOW)


def test_the_newest_of_several_lines_counts():
    newer = first(NOTE, NOW + 9).splitlines(keepends=True)[-1]
    assert cosigned_at(first(NOTE) + newer, ONE) == cosigned_at(NOTE + newer + first(NOTE).splitlines(keepends=True)[-1], ONE) == NOW + 9


def test_who_has_not_signed_has_not():
    stranger = WitnessKey(ONE.name, TWO.key)
    for note, witness in ((NOTE, ONE), (first(NOTE), TWO), (first(NOTE), stranger)):
        with pytest.raises(ProtocolError, match="no trusted witness"):
            cosigned_at(note, witness)
    plain = sign_note(NOTE.decode().rpartition("\n\n")[0] + "\n", name=ONE.name, key=FIRST).splitlines(keepends=True)[-1]
    with pytest.raises(ProtocolError, match="no trusted witness"):
        cosigned_at(NOTE + plain, ONE)  # a signature of key type 01 is no cosignature


def test_a_cosignature_does_not_move_to_another_head():
    line = first(NOTE).splitlines(keepends=True)[-1]
    with pytest.raises(ProtocolError, match="does not hold"):
        cosigned_at(LATER + line, ONE)
    with pytest.raises(ProtocolError, match="another head"):
        with_lines_of(LATER, first(NOTE))


@pytest.mark.parametrize("length", [4, 12, 75, 77])
def test_other_lengths_are_no_cosignatures(length):
    blob = base64.b64decode(first(NOTE).decode().rstrip("\n").rpartition(" ")[2])
    cut = (blob + bytes(9))[: max(length, 5)]
    with pytest.raises(ProtocolError, match="cannot be read"):
        cosigned_at(with_line(NOTE, ONE.name, cut), ONE)


@pytest.mark.parametrize("time_s", [0, LATEST_S + 1, (1 << 64) - 1])
def test_times_that_cannot_be(time_s):
    text = NOTE.decode().rpartition("\n\n")[0] + "\n"
    signature = FIRST.sign(f"cosignature/v1\ntime {time_s}\n{text}".encode())
    with pytest.raises(ProtocolError, match="cannot be read"):
        cosigned_at(with_line(NOTE, ONE.name, ONE.key_id + time_s.to_bytes(8, "big") + signature), ONE)
    with pytest.raises(ProtocolError, match="needs a time"):
        first(NOTE, time_s)


@given(st.integers(0, 4000), st.integers(0, 7))
def test_no_bit_can_be_changed(place, bit):
    note = bytearray(second(first(NOTE)))
    note[place % len(note)] ^= 1 << bit
    with contextlib.suppress(ProtocolError):
        head = Checkpoint.from_note(bytes(note), origin=ORIGIN, key=RAW)
        assert (head.size, head.root) == (7, bytes(range(32)))
        assert cosigned_at(bytes(note), ONE) == NOW
        assert cosigned_at(bytes(note), TWO) == NOW


def test_lines_of_several_witnesses_come_together():
    merged = with_lines_of(first(NOTE), second(NOTE))
    assert (cosigned_at(merged, ONE), cosigned_at(merged, TWO)) == (NOW, NOW)
    renewed = with_lines_of(merged, first(NOTE, NOW + 60))
    assert (renewed.count(b"w.example/1"), cosigned_at(renewed, ONE), cosigned_at(renewed, TWO)) == (1, NOW + 60, NOW)
    assert with_lines_of(NOTE, first(NOTE) + first(NOTE).splitlines(keepends=True)[-1]) == first(NOTE)


def test_the_logs_own_line_is_never_exchanged():
    lines = NOTE.decode().split("\n")
    blob = bytearray(base64.b64decode(lines[-2].rpartition(" ")[2]))
    blob[-1] ^= 1
    broken = "\n".join([*lines[:-2], f"— {ORIGIN} {base64.b64encode(blob).decode()}", ""]).encode()
    assert with_lines_of(NOTE, broken) == NOTE


def test_there_is_an_end_to_lines():
    full = NOTE
    for number in range(99):
        full = cosign(full, key=FIRST, name=f"w{number}", time_s=NOW)
    assert Checkpoint.from_note(full, origin=ORIGIN, key=RAW).size == 7
    for add in (lambda: first(full), lambda: with_lines_of(full, first(NOTE))):
        with pytest.raises(ProtocolError, match="no room"):
            add()


@given(st.binary(max_size=200))
def test_bytes_that_are_no_note(data):
    for take in (lambda: first(data), lambda: with_lines_of(data, data), lambda: cosigned_at(data, ONE)):
        with pytest.raises(ProtocolError):
            take()


def test_a_key_comes_back_as_text():
    assert WitnessKey.parse(ONE.text()) == ONE
    assert ONE.text().split("+")[:2] == ["w.example/1", ONE.key_id.hex()]


@given(st.text(max_size=120))
def test_any_text_is_a_key_or_refused(text):
    with contextlib.suppress(ProtocolError):
        assert WitnessKey.parse(text).text() == text


@given(st.integers(0, 200), st.characters())
def test_a_wrong_character_in_a_key_is_found(place, character):
    text = ONE.text()
    place %= len(text)
    if character != text[place]:
        with pytest.raises(ProtocolError):
            WitnessKey.parse(text[:place] + character + text[place + 1 :])


@pytest.mark.parametrize("values", [("", bytes(32)), ("a b", bytes(32)), ("a+b", bytes(32)), ("a\x00", bytes(32)), ("a", bytes(31))])
def test_values_that_are_no_key(values):
    with pytest.raises(ProtocolError):
        WitnessKey(*values)


def test_a_key_of_another_type_is_refused():
    text = f"{ONE.name}+{ONE.key_id.hex()}+{base64.b64encode(bytes([1]) + ONE.key).decode()}"
    with pytest.raises(ProtocolError, match="has a mistake"):
        WitnessKey.parse(text)
