"""Canonical JSON and the fields of documents: round trips, and refusal of everything else."""

import base64
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.records import canonical as module
from hometone_shared.records.canonical import Fields, b64, canonical, checked_b64, checked_hexadecimal, parse

SAFE = 2**53 - 1
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.text(max_size=10), VALUES, max_size=5)


@given(DOCUMENTS)
def test_round_trip(document):
    data = canonical(document)
    assert parse(data) == document
    assert canonical(parse(data)) == data


# RFC 8785, appendix B (numbers) and sections 3.2.2 and 3.2.3 (literals, sorting by UTF-16 code units).
@pytest.mark.parametrize(
    ("document", "data"),
    [
        ({"n": 333333333.33333329}, b'{"n":333333333.3333333}'),
        ({"n": 1e30}, b'{"n":1e+30}'),
        ({"n": 4.50}, b'{"n":4.5}'),
        ({"n": 2e-3}, b'{"n":0.002}'),
        ({"n": 1e-27}, b'{"n":1e-27}'),
        ({"n": 9007199254740992.0}, b'{"n":9007199254740992}'),
        ({"n": 295147905179352830000.0}, b'{"n":295147905179352830000}'),
        ({"n": -0.0}, b'{"n":0}'),
        ({"s": '€$\x0f\nA\'B"\\\\"/'}, '{"s":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()),
        ({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}, None),
    ],
)
def test_rfc_8785(document, data):
    written = canonical(document)
    if data is None:
        assert list(json.loads(written)) == ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    else:
        assert written == data
    assert parse(written) == document


def test_lists_of_documents_have_a_canonical_form():
    assert canonical([{"b": 1, "a": 2}, {}]) == b'[{"a":2,"b":1},{}]'


def nested(depth):
    document: dict = {}
    for _ in range(depth):
        document = {"a": document}
    return document


@pytest.mark.parametrize(
    "document",
    [
        {"a": 2**53},
        {"a": -(2**53)},
        {"a": math.nan},
        {"a": math.inf},
        {"a": b"bytes"},
        {1: 2},
        {"a": "\ud800"},
        {"\ud800": 1},
        {"a": object()},
        nested(100_000),
    ],
)
def test_what_cannot_be_written(document):
    with pytest.raises(ProtocolError):
        canonical(document)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'{"a":1} ',
        b' {"a":1}',
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e400}',
        b'{"a":9007199254740993}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\u0061"}',
        b'{"a":"\\ud800"}',
        b'{"\\ud800":1}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
)
def test_what_is_not_canonical(data):
    with pytest.raises(ProtocolError):
        parse(data)


@given(st.binary(max_size=200))
def test_hostile_bytes(data):
    try:
        document = parse(data)
    except ProtocolError:
        return
    assert canonical(document) == data


@given(DOCUMENTS, st.data())
def test_damaged_documents(document, data):
    written = bytearray(canonical(document))
    at = data.draw(st.integers(0, len(written) - 1))
    written[at] = data.draw(st.integers(0, 255))
    try:
        assert canonical(parse(bytes(written))) == written
    except ProtocolError:
        return


def test_too_long(monkeypatch):
    monkeypatch.setattr(module, "LONGEST_DOCUMENT", 10)
    assert parse(b'{"a":"12"}') == {"a": "12"}
    with pytest.raises(ProtocolError, match="too long"):
        parse(b'{"a":"123"}')


GOOD = {
    "text": "words",
    "hexadecimal": "0a" * 32,
    "integer": 5,
    "number": 2.5,
    "blob": b64(bytes(4)),
    "sized_blob": b64(bytes(3)),
    "items": [1, 2],
    "mapping": {"a": 1},
}
LIMITS = {
    "text": {"longest": 5},
    "hexadecimal": {},
    "integer": {"low": 1, "high": 5},
    "number": {"above": 0.0, "high": 2.5},
    "blob": {"size": 4},
    "sized_blob": {"longest": 3},
    "items": {"most": 2},
    "mapping": {"most": 1},
}
BAD = {
    "text": [None, 1, b"words", "longer", "\ud800", "a\udfffb", ["a"]],
    "hexadecimal": [None, "0A" * 32, "0a" * 31, "0a" * 33, "zz" * 32, "０" * 64, b"0a" * 32, 10],
    "integer": [None, True, False, 0, 6, 3.0, "3", math.nan, 10**400],
    "number": [None, True, 0, -1, 0.0, 2.6, math.nan, math.inf, -math.inf, "1", 10**400, -(10**400)],
    "blob": [None, 1, "", "AAAA", "AAAAAAA=", "AAAAAA", "AAAAAB==", "AAAAAA==\n", "AAA AAA==", "ÄAAAAA==", "-_AAAA==", b"AAAAAA=="],
    "sized_blob": [None, 1, "AAAAAA==", "AAAAA", "A", "====", "\ud800"],
    "items": [None, {}, (1, 2), [1, 2, 3], "ab"],
    "mapping": [None, [], {"a": 1, "b": 2}, "ab"],
}
READ = GOOD | {"blob": bytes(4), "sized_blob": bytes(3)}


@pytest.mark.parametrize("kind", GOOD)
def test_fields_of_every_kind(kind):
    fields = Fields(GOOD)
    assert getattr(fields, kind)(kind, **LIMITS[kind]) == READ[kind]
    with pytest.raises(ProtocolError, match=f"lacks {kind}"):
        getattr(fields, kind)(kind, **LIMITS[kind])
    with pytest.raises(ProtocolError, match="7 fields"):
        fields.done()
    for value in BAD[kind]:
        with pytest.raises(ProtocolError):
            getattr(Fields({kind: value}), kind)(kind, **LIMITS[kind])


def test_whole_numbers_are_numbers_too():
    read = Fields({"number": 2}).number("number", above=1, high=2)
    assert read == 2.0
    assert isinstance(read, float)


def test_the_document_itself_stays_whole():
    document = dict(GOOD)
    fields = Fields(document)
    for kind in GOOD:
        fields.take(kind)
    fields.done()
    assert document == GOOD


@pytest.mark.parametrize("document", [None, [], "a", 1, b"{}"])
def test_what_has_no_fields(document):
    with pytest.raises(ProtocolError):
        Fields(document)


@given(st.binary(max_size=50))
def test_base64_round_trip(data):
    assert checked_b64(b64(data), name="it") == data == checked_b64(b64(data), name="it", size=len(data), longest=len(data))
    assert b64(data) == base64.b64encode(data).decode()


@given(st.none() | st.text(max_size=20) | st.integers() | st.binary())
def test_base64_and_hexadecimal_of_anything(value):
    try:
        assert b64(checked_b64(value, name="it")) == value
    except ProtocolError:
        assert value != ""
    with pytest.raises(ProtocolError):
        checked_hexadecimal(value, name="it", characters=30)
