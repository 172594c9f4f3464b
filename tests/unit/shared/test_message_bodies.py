"""Bodies of messages, as they are made and as they come from a stranger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.messages import LONGEST_VECTOR, Body


def test_a_body_is_read_as_it_was_written():
    body = Body("mask", {"shares": {"a": "b"}}, bytes(8))
    assert body.document_bytes() == b'{"shares":{"a":"b"}}'
    assert Body.read("mask", body.document_bytes(), body.vector) == body
    assert body.refused is None


def test_a_body_is_one_record_of_three_entries():
    body = Body("mask", {"shares": {}}, bytes(4))
    assert body.entries() == {"document": b'{"shares":{}}', "kind": "mask", "vector": bytes(4)}
    assert Body.from_entries(body.entries()) == body


@pytest.mark.parametrize("entries", [{}, {"kind": "mask", "vector": b""}, {"kind": "mask", "document": b"{}", "vector": b"", "x": 1}])
def test_a_record_with_other_entries_is_no_body(entries):
    with pytest.raises(ProtocolError):
        Body.from_entries(entries)


def test_a_refusal_says_code_and_message():
    refusal = Body.refusal("budget", "the budget is used up")
    assert (refusal.kind, refusal.document, refusal.vector) == ("refusal", {"code": "budget", "message": "the budget is used up"}, b"")
    assert refusal.refused == ("budget", "the budget is used up")


@pytest.mark.parametrize("document", [{}, {"code": "x"}, {"code": 1, "message": "x"}, {"code": "x", "message": "y", "more": 1}])
def test_a_refusal_that_does_not_read_like_one_is_refused(document):
    with pytest.raises(ProtocolError):
        _ = Body("refusal", document).refused


@pytest.mark.parametrize("kind", ["", "Offer", "offer.x", "1offer", "_offer", "o" * 41, "offér", "offer\n", None, 3])
def test_kinds_that_cannot_be(kind):
    with pytest.raises(ProtocolError):
        Body(kind, {})


@pytest.mark.parametrize("vector", [b"123", "1234", None, bytes(LONGEST_VECTOR + 4)])
def test_vectors_that_cannot_be(vector):
    with pytest.raises(ProtocolError):
        Body("mask", {}, vector)


def test_a_document_that_cannot_be_written_is_refused():
    with pytest.raises(ProtocolError):
        Body("offer", {"x": float("nan")}).document_bytes()


@given(
    st.one_of(st.text(), st.none(), st.integers()),
    st.one_of(st.binary(), st.none(), st.text(), st.lists(st.binary())),
    st.one_of(st.binary(), st.none(), st.floats()),
)
def test_whatever_comes_is_a_body_or_a_protocol_error(kind, document, vector):
    try:
        body = Body.read(kind, document, vector)
    except ProtocolError:
        return
    assert body.document_bytes() == document
