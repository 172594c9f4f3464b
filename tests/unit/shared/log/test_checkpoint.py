"""Signed heads of the log: notes of other implementations verify, ours are the same bytes, and nothing else passes."""

import base64
import contextlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.log.checkpoint import Checkpoint, key_id, log_origin, sign_note, verified_note

NOTES = json.loads((Path(__file__).parents[3] / "vectors" / "log" / "merkle.json").read_text(encoding="utf-8"))["notes"]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RAW = KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
ORIGIN = log_origin(RAW)
HEAD = Checkpoint(origin=ORIGIN, size=7, root=bytes(range(32)))
READ = {"origin": ORIGIN, "key": RAW}


def raw_of(case):
    blob = base64.b64decode(case["verifier"].split("+", 2)[2])
    assert blob[0] == 1
    return blob[1:]


@pytest.mark.parametrize("case", NOTES, ids=lambda case: case["name"])
def test_notes_of_other_implementations_verify(case):
    raw = raw_of(case)
    assert key_id(case["name"], raw).hex() == case["verifier"].split("+")[1]
    assert verified_note(case["note"].encode(), name=case["name"], key=raw) == case["text"]
    with pytest.raises(ProtocolError):
        verified_note(case["note"].replace("problem", "Problem").replace("63096908", "63096909").encode(), name=case["name"], key=raw)


def test_our_signature_is_the_published_one():
    (case,) = [each for each in NOTES if "signer" in each]
    seed = base64.b64decode(case["signer"].split("+", 4)[4])[1:]
    note = sign_note(case["text"], name=case["name"], key=Ed25519PrivateKey.from_private_bytes(seed))
    assert note == case["note"].encode()


def test_a_head_comes_back():
    note = HEAD.signed(KEY)
    assert note.decode().split("\n")[:3] == [ORIGIN, "7", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
    assert Checkpoint.from_note(note, **READ) == HEAD
    empty = Checkpoint(origin=ORIGIN, size=0, root=bytes(32))
    assert Checkpoint.from_note(empty.signed(KEY), **READ) == empty


def test_lines_of_witnesses_are_passed_over():
    witness = sign_note(HEAD.text(), name="witness.example/w1", key=OTHER).decode().rpartition("\n\n")[2]
    same_name = sign_note(HEAD.text(), name=ORIGIN, key=OTHER).decode().rpartition("\n\n")[2]
    own = HEAD.signed(KEY).decode().rpartition("\n\n")[2]
    for signatures in (own + witness, witness + own, same_name + own, own + witness * 16):
        assert Checkpoint.from_note(f"{HEAD.text()}\n{signatures}".encode(), **READ) == HEAD
    with pytest.raises(ProtocolError, match="lacks"):
        Checkpoint.from_note(f"{HEAD.text()}\n{witness}{same_name}".encode(), **READ)


def test_a_wrong_signature_beside_a_right_one_is_refused():
    other_text = HEAD.text().replace("7", "8", 1)
    wrong = sign_note(other_text, name=ORIGIN, key=KEY).decode().rpartition("\n\n")[2]
    with pytest.raises(ProtocolError, match="does not hold"):
        Checkpoint.from_note(HEAD.signed(KEY) + wrong.encode(), **READ)


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n7\n",
        f"{ORIGIN}\n07\n{'A' * 43}=\n",
        f"{ORIGIN}\n+7\n{'A' * 43}=\n",
        f"{ORIGIN}\n\u0667\n{'A' * 43}=\n",
        f"{ORIGIN}\n7\n{'A' * 42}B=\n",
        f"{ORIGIN}\n7\nAAAA\n",
        f"{ORIGIN}\n99999999999999\n{'A' * 43}=\n",
        f"{ORIGIN}\n7\n{'A' * 43}=\nan extension\n",
        f"hometone/log/other\n7\n{'A' * 43}=\n",
        "\n",
    ],
)
def test_signed_notes_that_are_no_head_of_this_log(text):
    with pytest.raises(ProtocolError):
        Checkpoint.from_note(sign_note(text, name=ORIGIN, key=KEY), **READ)


@pytest.mark.parametrize("text", ["no line end", "a\x00b\n", "tab\there\n"])
def test_what_cannot_be_a_note_is_not_signed(text):
    with pytest.raises(ProtocolError):
        sign_note(text, name=ORIGIN, key=KEY)


def test_names_of_keys_without_spaces():
    with pytest.raises(ProtocolError):
        sign_note("text\n", name="two words", key=KEY)


@pytest.mark.parametrize("values", [{"origin": ""}, {"origin": "a b"}, {"size": -1}, {"size": 1 << 41}, {"root": bytes(31)}])
def test_values_that_are_no_head(values):
    with pytest.raises(ProtocolError):
        Checkpoint(**{"origin": ORIGIN, "size": 7, "root": bytes(32), **values})


def mutations():
    note = HEAD.signed(KEY).decode()
    text, _, signatures = note.rpartition("\n\n")
    yield note[:-1]
    yield note.replace("\n\n", "\n")
    yield note.replace("\u2014", "-")
    yield note.replace("\u2014 ", "\u2014")
    yield note + "\n"
    yield f"{text}\n\n{signatures}" * 2
    yield f"{text}\n\n\u2014 {ORIGIN}\n"
    yield f"{text}\n\n\u2014 {ORIGIN} AAAA\n"
    yield f"{text}\n\n\u2014 {ORIGIN} !!!!\n"
    yield f"{text}\n\n\u2014 a+b {signatures.split()[2]}\n"
    yield f"{text}\r\n\n{signatures}"
    yield f"{text}\n\n{signatures * 101}"
    yield note + "x" * 140_000
    yield ""


@pytest.mark.parametrize("note", list(mutations()))
def test_notes_that_cannot_be_read(note):
    with pytest.raises(ProtocolError):
        Checkpoint.from_note(note.encode(), **READ)


def test_another_key_or_log():
    with pytest.raises(ProtocolError):
        Checkpoint.from_note(HEAD.signed(KEY), origin=ORIGIN, key=OTHER.public_key().public_bytes_raw())
    with pytest.raises(ProtocolError):
        Checkpoint.from_note(HEAD.signed(KEY), origin=log_origin(bytes(32)), key=RAW)
    with pytest.raises(ProtocolError):
        verified_note(HEAD.signed(KEY), name=ORIGIN, key=b"short")


@given(st.binary(max_size=300))
def test_hostile_bytes(data):
    with pytest.raises(ProtocolError):
        Checkpoint.from_note(data, **READ)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_changed_byte_never_gives_another_head(at, value):
    note = bytearray(HEAD.signed(KEY))
    note[at % len(note)] = value
    with contextlib.suppress(ProtocolError):
        assert Checkpoint.from_note(bytes(note), **READ) == HEAD


def test_a_text_that_would_be_cut_elsewhere_is_not_signed():
    with pytest.raises(ProtocolError):
        sign_note("", name=ORIGIN, key=KEY)
