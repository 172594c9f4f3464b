"""Controls: strict JSON, bounds in words, and a plan that fits only the text it was made for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.editing.controls import Controls
from hometone_client.editing.reading import edited
from hometone_client.text import Frontend
from hometone_shared.errors import HometoneError, UsageError

TEXT = "Good morning, dear. Tea is ready."


def document(**lists: object) -> str:
    return json.dumps({"version": 1, **lists})


def edits(controls: Controls, text: str = TEXT) -> list:
    return list(edited(text, frontend=Frontend(), controls=controls))


def test_sentences_words_and_phonemes_become_edits_from_outside_to_inside() -> None:
    controls = Controls.from_json(
        document(
            phonemes=[{"sentence": 0, "phoneme": 2, "duration": 2.0, "contour": [[0, 0], [1, -2]]}],
            words=[{"sentence": 0, "word": 0, "emphasis": "strong", "pause_after_s": 0.3}],
            sentences=[{"sentence": 0, "rate": 0.9, "pause_after_s": 1.0}, {"sentence": 1, "gain_db": -3}],
        )
    )
    (first, one), (second, two) = edits(controls)
    assert [(change.start, change.stop) for change in one.changes] == [(0, len(first.tokens)), (0, first.words[0].stop), (2, 3)]
    assert one.changes[2].expression.rate == 0.5
    assert [(pause.at, pause.seconds) for pause in one.pauses] == [(first.words[0].stop, 0.3)]
    assert (one.after_s, two.before_s) == (0.95, 0.05)
    assert two.changes[0].expression.gain_db == -3
    assert two.changes[0].stop == len(second.tokens)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[" * 5000, "not JSON"),
        ("[]", "not a JSON object"),
        ('{"version": 2}', "version 1"),
        ('{"version": true}', "version 1"),
        (document(paragraphs=[]), "'paragraphs'"),
        (document(words={}), "words is not a list"),
        (document(words=[3]), "entry 0 of words"),
        (document(words=[{"sentence": 0, "word": 0, "pitch": 2}]), "'pitch'"),
        (document(words=[{"sentence": 0}]), "number of the word"),
        (document(words=[{"sentence": 0, "word": -1}]), "number of the word"),
        (document(words=[{"sentence": True, "word": 0}]), "number of the sentence"),
        (document(words=[{"sentence": 0, "word": 0, "pitch_semitones": 13}]), "entry 0 of words: the pitch must lie between -12 and 12"),
        (document(words=[{"sentence": 0, "word": 0, "pitch_semitones": "2"}]), "pitch"),
        (document(words=[{"sentence": 0, "word": 0, "rate": 0}]), "rate"),
        (document(words=[{"sentence": 0, "word": 0, "emphasis": "loud"}]), "emphasis"),
        (document(words=[{"sentence": 0, "word": 0, "pause_after_s": 11}]), "pause"),
        (document(words=[{"sentence": 0, "word": 0, "contour": [[0, 1], [1]]}]), "pairs"),
        (document(words=[{"sentence": 0, "word": 0, "contour": [[1, 1], [0, 1]]}]), "order"),
        (document(words=[{"sentence": 0, "word": 0, "said": 5}]), "said"),
        (document(phonemes=[{"sentence": 0, "phoneme": 0, "duration": 4}]), "duration"),
        ('{"version": 1, "sentences": [{"sentence": 0, "rate": NaN}]}', "rate"),
    ],
)
def test_refusals_in_words(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Controls.from_json(text)
    assert said in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"words": [{"sentence": 0, "word": 40, "rate": 0.9}]}, "no word 40"),
        ({"phonemes": [{"sentence": 1, "phoneme": 400, "duration": 0.9}]}, "no phoneme 400"),
        ({"sentences": [{"sentence": 2, "rate": 0.9}]}, "sentence 2, and the text has 2"),
        ({"words": [{"sentence": 0, "word": 0, "said": {"text": "Bad"}}]}, "another text"),
    ],
)
def test_controls_for_another_text_never_fall_on_this_one(lists: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        edits(Controls.from_json(document(**lists)))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_whatever_comes_only_deliberate_errors_leave(junk: object) -> None:
    for entry in ({"version": 1, "words": junk}, {"version": 1, "words": [{"sentence": 0, "word": 0, "contour": junk}]}, junk):
        try:
            Controls.from_object(entry)
        except HometoneError:
            continue
