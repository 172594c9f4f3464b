"""What people are asked to listen to: signed by the coordinator, within limits, and nothing else gets through."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.records.panel import MIXED, Panel, Scale
from hometone_shared.records.signing import Envelope

FIELDS: dict[str, Any] = {
    "number": "0123456789abcdef",
    "title": "Spring 2027",
    "sentences": {"en": ("The bus leaves at nine.",), "zh-sichuan": ("今天赶场。", "天气好得很。"), "mixed": ("去 shop 吧。",)},
    "scales": frozenset(Scale),
    "trials": 24,
    "traps": 2,
    "baseline": "zf_xiaobei",
    "made": 1_800_000_000,
}
KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def test_a_panel_comes_back_from_its_envelope() -> None:
    panel = Panel(**FIELDS)
    envelope = Envelope.from_bytes(panel.signed(KEY).to_bytes())
    read = Panel.from_envelope(envelope, key=raw(KEY))
    assert (read.number, read.title, read.scales, read.trials, read.traps, read.baseline, read.made) == tuple(
        FIELDS[name] for name in ("number", "title", "scales", "trials", "traps", "baseline", "made")
    )
    assert read.sentences == FIELDS["sentences"]
    assert set(read.languages) == {"en", "zh-sichuan"}
    with pytest.raises(ProtocolError, match="another key"):
        Panel.from_envelope(envelope, key=raw(OTHER))


def test_a_panel_without_mixed_sentences_asks_for_no_preference() -> None:
    panel = Panel(**{**FIELDS, "sentences": {"yue": ("食咗飯未呀？",)}, "scales": frozenset({Scale.NATURALNESS, Scale.DIALECT})})
    assert panel.languages == ("yue",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"number": "xyz"}, "number"),
        ({"title": " "}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"title": "a" * 101}, "title"),
        ({"sentences": {}}, "no language"),
        ({"sentences": {MIXED: ["去 shop 吧。"]}}, "no language"),
        ({"sentences": {"English": ["Yes."]}}, "language that is none"),
        ({"sentences": {"en": []}}, "1 to 20"),
        ({"sentences": {"en": "Yes."}}, "1 to 20"),
        ({"sentences": {"en": [f"{n}." for n in range(21)]}}, "1 to 20"),
        ({"sentences": {"en": [7]}}, "at most 200"),
        ({"sentences": {"en": ["a" * 201]}}, "at most 200"),
        ({"sentences": {"en": ["Yes.", "Yes."]}}, "twice"),
        ({"sentences": {"en": ["\u202eYes."]}}, "cannot be shown"),
        ({"scales": ["naturalness", "loudness"]}, "sorted list"),
        ({"scales": ["similarity", "naturalness"]}, "sorted list"),
        ({"scales": [7]}, "sorted list"),
        ({"scales": ["preference", "similarity"]}, "at least for naturalness"),
        ({"scales": ["naturalness"]}, "exactly where"),
        ({"trials": 7}, "trials"),
        ({"trials": 121}, "trials"),
        ({"traps": 1}, "traps"),
        ({"baseline": "../etc"}, "stock voice"),
        ({"made": -1}, "made"),
        ({"extra": 1}, "do not belong"),
    ],
)
def test_what_is_outside_the_limits_is_refused(changes: dict[str, Any], words: str) -> None:
    document = {**Panel(**FIELDS).to_document(), **changes}
    with pytest.raises(ProtocolError, match=words):
        Panel.from_document(document)


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "extra"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
        ),
    )
)
def test_hostile_documents_are_refused_and_nothing_else_happens(changes: dict[str, Any]) -> None:
    document = {**Panel(**FIELDS).to_document(), **changes}
    try:
        Panel.from_document(document)
    except ProtocolError:
        return


def test_scales() -> None:
    assert [(scale.lowest, scale.highest, scale.width) for scale in Scale] == [(1, 5, 4), (1, 5, 4), (-3, 3, 6), (1, 5, 4)]
