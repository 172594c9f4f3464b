"""What passes for understood: sounds are compared, not letters."""

import pytest

from hometone_client.prooflistening.listener import BOUNDS, Heard, Hearing, checked_language, judged
from hometone_client.prooflistening.sounds import sound_errors, sounds
from hometone_client.text import LANGUAGES, Frontend, Utterance

FRONTEND = Frontend()


def utterance(text: str, language: str | None = None) -> Utterance:
    (found,) = FRONTEND.utterances(text, language=language)
    return found


def hearing(text: str, *heard: str, language: str | None = None, doubtful: bool = False) -> Hearing:
    said = utterance(text, language)
    checked = checked_language(said)
    assert checked is not None
    return judged(said, [Heard(each, doubtful) for each in heard], language=checked, frontend=FRONTEND)


@pytest.mark.parametrize(
    ("text", "heard", "language"),
    [
        ("The nurse comes at eight in the morning.", "the nurse comes at 8 in the morning", "en"),
        ("Their house is over there.", "there house is over their", "en"),
        ("你得去医院看病。", "你得去以冤刊病", None),
        ("她說請你還錢。", "他说请你还钱", None),
        ("请在早上8点服用2片阿司匹林。", "请在早上八点服用两片阿司匹林", None),
        ("Buvez 250 ml d'eau.", "buvez deux cent cinquante millilitres d'eau", "fr"),
        ("我想喝一杯coffee。", "我想喝一杯 coffee", None),
    ],
)
def test_what_sounds_the_same_is_the_same(text: str, heard: str, language: str | None) -> None:
    found = hearing(text, heard, language=language)
    assert (found.understood, found.errors.errors) == (True, 0)


@pytest.mark.parametrize(
    ("text", "heard", "language"),
    [
        ("Please take two tablets after breakfast.", "Please take two after breakfast.", "en"),
        ("Please take two tablets after breakfast.", "Please take two tablets tablets after breakfast.", "en"),
        ("Please take two tablets after breakfast.", "Please take two.", "en"),
        ("Please take two tablets after breakfast.", "", "en"),
        ("Please take two tablets after breakfast.", "Thanks for watching!", "en"),
        ("今天天气很好，我想去公园散步。", "今天天气很好，我想去散步", None),
        ("今天天气很好，我想去公园散步。", "今天今天天气很好，我想去公园散步", None),
        ("La luna piena si specchiava nell'acqua del lago.", "La luna piena si snellacqua del lago.", "it"),
    ],
)
def test_what_is_missing_or_too_much_is_noticed(text: str, heard: str, language: str | None) -> None:
    assert not hearing(text, heard, language=language).understood


def test_one_sound_that_was_misheard_is_forgiven() -> None:
    found = hearing("La reunión de mañana empieza a las cinco.", "La reunión de Mallana empieza a las 5.", language="es")
    assert found.understood
    assert 0 < found.error_rate < 0.1


def test_two_hearings_of_a_mixed_sentence_complete_each_other() -> None:
    text = "这个project的deadline是Friday。"
    alone = hearing(text, "这个的是")
    both = hearing(text, "这个的是", "This project deadline is Friday.")
    assert not alone.understood
    assert both.errors.rate < alone.errors.rate
    assert hearing(text, "这个破的是", "这个project的deadline是Friday").errors.errors == 0


def test_a_recogniser_that_doubts_itself_has_understood_nothing() -> None:
    assert not hearing("Good morning.", "Good morning.", language="en", doubtful=True).understood


def test_letters_that_nobody_can_read_do_not_stop_the_listening() -> None:
    assert hearing("Good morning.", "Good morning ♪ こ", language="en").errors.length > 0
    assert not hearing("Good morning.", "こんにちは", language="en").understood


def test_every_language_of_the_base_is_checked_and_no_other() -> None:
    texts = {"zh": "早上好。"}
    for language in LANGUAGES:
        assert checked_language(utterance(texts.get(language, "Roma"), language)) in BOUNDS
    strange = Utterance(text="早晨", language="yue", phonemes="a", tokens=(1,), pause_after_s=0.0)
    assert checked_language(strange) is None


def test_figures_of_an_alignment() -> None:
    assert sounds("ˈaː→ bə!") == ("a", "b", "ə")
    swallowed = sound_errors(tuple("abcdefgh"), tuple("abgh"))
    assert (swallowed.errors, swallowed.missing, swallowed.extra, swallowed.rate) == (4, 4, 0, 0.5)
    twice = sound_errors(tuple("abcd"), tuple("ababcd"))
    assert (twice.errors, twice.missing, twice.extra) == (2, 0, 2)
    assert sound_errors((), ()).rate == 0.0
    assert sound_errors((), ("a",)).rate == 1.0
    assert sound_errors(("a", "b"), ()).missing == 2


def test_what_was_heard_is_not_in_a_repr() -> None:
    found = hearing("Good morning.", "secret words", language="en")
    assert "secret" not in repr(found)
    assert "secret" not in repr(Heard("secret"))
