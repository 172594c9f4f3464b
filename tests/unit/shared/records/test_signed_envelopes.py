"""Envelopes and detached signatures: nothing comes out that the named key did not sign."""

import hashlib
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.records import signing
from hometone_shared.records.canonical import b64, canonical
from hometone_shared.records.signing import Envelope

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
KIND = "hometone/test/v1"
DOCUMENT = {"b": 1, "a": "é"}


def test_pre_authentication_encoding_of_dsse():
    # The example of the DSSE 1.0 specification (protocol.md).
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert signing.pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == expected
    assert signing.pre_authentication_encoding("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "
    assert signing.digest_of("http://example.com/HelloWorld", b"hello world") == hashlib.sha256(expected).hexdigest()


def test_round_trip():
    envelope = Envelope.sign(KIND, DOCUMENT, KEY)
    payload = '{"a":"é","b":1}'.encode()
    message = b"DSSEv1 16 hometone/test/v1 16 " + payload
    Ed25519PublicKey.from_public_bytes(PUBLIC).verify(envelope.signature, message)
    assert envelope.digest == hashlib.sha256(message).hexdigest()
    assert envelope.verified(KIND, key=PUBLIC) == DOCUMENT
    assert Envelope.from_bytes(envelope.to_bytes()) == envelope
    assert json.loads(envelope.to_bytes()) == {
        "key": b64(PUBLIC),
        "payload": b64(payload),
        "signature": b64(envelope.signature),
        "type": KIND,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "hometone/other/v1"},
        {"payload": b'{"a":"e","b":1}'},
        {"payload": b""},
        {"key": OTHER.public_key().public_bytes_raw()},
        {"signature": bytes(64)},
        {"signature": b""},
    ],
)
def test_any_change_is_noticed(change):
    envelope = replace(Envelope.sign(KIND, DOCUMENT, KEY), **change)
    with pytest.raises(ProtocolError):
        envelope.verified(KIND, key=PUBLIC)


def test_the_caller_names_key_and_type():
    envelope = Envelope.sign(KIND, DOCUMENT, KEY)
    with pytest.raises(ProtocolError, match="another key"):
        envelope.verified(KIND, key=OTHER.public_key().public_bytes_raw())
    with pytest.raises(ProtocolError, match="type"):
        envelope.verified("hometone/other/v1", key=PUBLIC)


def test_a_signed_payload_still_has_to_be_canonical():
    for payload in (b'{"b":1,"a":2}', b"[]", b"\xff"):
        envelope = Envelope(KIND, payload, PUBLIC, KEY.sign(signing.pre_authentication_encoding(KIND, payload)))
        with pytest.raises(ProtocolError):
            envelope.verified(KIND, key=PUBLIC)


def test_detached_signatures():
    signature = signing.sign_detached(KIND, DOCUMENT, KEY)
    assert signature == Envelope.sign(KIND, DOCUMENT, KEY).signature == signing.sign_payload(KIND, canonical(DOCUMENT), KEY)
    signing.verify_detached(KIND, DOCUMENT, signature, key=PUBLIC)
    signing.verify_payload(KIND, canonical(DOCUMENT), signature, key=PUBLIC)
    for kind, document, given_, key in (
        ("hometone/other/v1", DOCUMENT, signature, PUBLIC),
        (KIND, DOCUMENT | {"b": 2}, signature, PUBLIC),
        (KIND, DOCUMENT, signature[:-1], PUBLIC),
        (KIND, DOCUMENT, signature, OTHER.public_key().public_bytes_raw()),
        (KIND, DOCUMENT, signature, bytes(31)),
        (KIND, DOCUMENT, signature, b"\xff" * 32),
    ):
        with pytest.raises(ProtocolError):
            signing.verify_detached(kind, document, given_, key=key)


@pytest.mark.parametrize("name", ["key", "payload", "signature", "type", "more"])
@given(value=st.none() | st.integers() | st.text(max_size=10) | st.binary(max_size=3) | st.lists(st.integers(), max_size=2))
def test_hostile_fields(name, value):
    document = Envelope.sign(KIND, DOCUMENT, KEY).to_document() | {name: value}
    with pytest.raises(ProtocolError):
        Envelope.from_document(document).verified(KIND, key=PUBLIC)


def test_a_type_that_utf8_cannot_write():
    document = Envelope.sign(KIND, DOCUMENT, KEY).to_document()
    with pytest.raises(ProtocolError):
        Envelope.from_document(document | {"type": "\ud800"})


@given(st.binary(max_size=100))
def test_hostile_bytes(data):
    with pytest.raises(ProtocolError):
        Envelope.from_bytes(data)


def test_a_payload_that_is_too_long(monkeypatch):
    document = Envelope.sign(KIND, DOCUMENT, KEY).to_document()
    monkeypatch.setattr(signing, "LONGEST_PAYLOAD", 15)
    with pytest.raises(ProtocolError):
        Envelope.from_document(document)
