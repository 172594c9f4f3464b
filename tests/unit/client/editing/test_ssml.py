"""SSML: what the recommendation's values mean here, that marks fall on the right sounds, and that nothing is passed over or let in."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.editing.expression import EMPHASES, Edits, Emphasis
from hometone_client.editing.reading import edited
from hometone_client.editing.ssml import parsed
from hometone_client.editing.values import prosody
from hometone_client.text import Frontend, Utterance
from hometone_shared.errors import HometoneError, TextError, UsageError

SPEAK = '<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">'


def read(document: str) -> list[tuple[Utterance, Edits]]:
    return list(edited(document, frontend=Frontend(), input_type="ssml"))


def changed(document: str) -> list[str]:
    """The sounds that each change covers."""
    return [utterance.phonemes[c.start : c.stop] for utterance, edits in read(document) for c in edits.changes]


@pytest.mark.parametrize(
    ("attribute", "value", "expected"),
    [
        ("pitch", "+2st", ("pitch_semitones", 2.0)),
        ("pitch", "-10%", ("pitch_semitones", -1.8241)),
        ("pitch", "120Hz", ("pitch_hz", 120.0)),
        ("pitch", "x-high", ("pitch_semitones", 6.0)),
        ("rate", "80%", ("rate", 0.8)),
        ("rate", "+20%", ("rate", 1.2)),
        ("rate", "slow", ("rate", 0.75)),
        ("range", "+50%", ("pitch_range", 1.5)),
        ("volume", "+6dB", ("gain_db", 6.0)),
        ("volume", "silent", ("gain_db", -60.0)),
        ("duration", "1500ms", ("duration_s", 1.5)),
    ],
)
def test_values_of_prosody(attribute: str, value: str, expected: tuple[str, float]) -> None:
    assert getattr(prosody({attribute: value}), expected[0]) == pytest.approx(expected[1], abs=1e-3)


def test_labels_count_from_the_voice_and_signs_from_what_encloses() -> None:
    assert prosody({"pitch": "high", "rate": "fast", "volume": "soft"}).anew == {"pitch", "rate", "gain"}
    assert not prosody({"pitch": "+3st", "rate": "+10%", "volume": "+1dB"}).anew


def test_a_contour_has_points_in_order_of_time() -> None:
    points = prosody({"contour": "(100%,-2st) (0%,+20%) (50%, 150Hz)"}).contour
    assert [point.at for point in points] == [0.0, 0.5, 1.0]
    assert points[0].semitones == pytest.approx(3.157, abs=1e-3)
    assert points[1].hz == 150.0


def test_marks_fall_on_their_words_and_nothing_else_is_read_otherwise() -> None:
    text = "The {}red{} book, at 3:30 pm {}please{}."
    (plain,) = Frontend().utterances(text.format("", "", "", ""), language="en")
    document = SPEAK + text.format("<emphasis>", "</emphasis>", '<prosody pitch="+1st">', "</prosody>") + "</speak>"
    ((utterance, _),) = read(document)
    assert utterance.phonemes == plain.phonemes
    assert changed(document) == ["ɹˈɛd", "plˈiz."]


def test_chinese_words_may_be_marked_character_by_character_without_losing_their_tones() -> None:
    plain = "我想买两把雨伞，看不懂先生们的公园。"
    (expected,) = Frontend().utterances(plain)
    for cut in range(1, len(plain) - 1):
        document = f"<speak>{plain[:cut]}<emphasis>{plain[cut]}</emphasis>{plain[cut + 1 :]}</speak>"
        ((utterance, edits),) = read(document)
        assert utterance.phonemes == expected.phonemes
        if plain[cut] != "，":
            (change,) = edits.changes
            assert utterance.phonemes[change.start : change.stop].strip(" ,.")
    assert changed("<speak>我们去公<emphasis>园</emphasis>吧。</speak>") == ["ɥɛ↗n"]


def test_numbers_are_found_in_what_they_became() -> None:
    assert changed("<speak>房间<emphasis>302</emphasis>号。</speak>") == ["sa→nli↗ŋ ɚ↘"]
    assert changed(SPEAK + "It costs <emphasis>$5.50</emphasis> today.</speak>") == ["fˈIv dˈɑləɹz ænd fˈɪfti sˈɛnts"]


def test_liaison_stays_across_a_mark() -> None:
    (plain,) = Frontend().utterances("Les enfants arrivent.", language="fr")
    ((utterance, _),) = read('<speak xml:lang="fr">Les <emphasis>enfants</emphasis> arrivent.</speak>')
    assert utterance.phonemes == plain.phonemes


def test_pauses_inside_and_between_sentences() -> None:
    (first, one), (_, two), (_, three) = read(
        SPEAK + 'Wait <break time="500ms"/> here.<break strength="strong"/> Now. <break time="1s"/><break time="1s"/>Go.</speak>'
    )
    assert [(first.phonemes[: pause.at], pause.seconds) for pause in one.pauses] == [("wˈAt", 0.5)]
    assert one.after_s == pytest.approx(0.65)
    assert (two.before_s, two.after_s) == (0.05, 1.95)
    assert three.before_s == 0.05


def test_a_pause_before_the_first_word() -> None:
    ((_, edits),) = read(SPEAK + '<break time="0.7s"/>Hello.</speak>')
    assert edits.before_s == 0.7


def test_sentences_and_paragraphs_end_where_their_elements_do() -> None:
    found = read(SPEAK + "<p><s>First part</s><s>second part</s></p><p>third part</p></speak>")
    assert [utterance.text for utterance, _ in found] == ["First part", "second part", "third part"]
    assert [utterance.pause_after_s if edits.pause_after_s is None else edits.pause_after_s for utterance, edits in found] == [
        0.2,
        0.5,
        0.5,
    ]


def test_another_language_is_its_latin_words_only() -> None:
    ((mixed, _),) = read('<speak>我爱<lang xml:lang="fr">Paris</lang>的春天。</speak>')
    (plain,) = Frontend().utterances("我爱Paris的春天。")
    (french,) = Frontend().utterances("Paris", language="fr")
    assert french.phonemes.strip(".") in mixed.phonemes
    assert mixed.phonemes.replace(french.phonemes.strip("."), "") == plain.phonemes.replace("pˈɛɹəs", "")
    ((spanish, _), (english, _)) = read(SPEAK + '<s xml:lang="es">Buenos días.</s><s>Good morning.</s></speak>')
    assert (spanish.language, english.language) == ("es", "en")


@pytest.mark.parametrize(
    ("element", "spoken"),
    [
        ('<say-as interpret-as="characters">BAd1</say-as>', "B. Eh. D. One"),
        ('<say-as interpret-as="cardinal">1999</say-as>', "one thousand nine hundred ninety nine"),
        ('<say-as interpret-as="ordinal">21</say-as>', "twenty first"),
        ('<say-as interpret-as="digits">1999</say-as>', "one nine nine nine"),
        ('<say-as interpret-as="telephone">555-0123</say-as>', "five five five, zero one two three"),
        ('<say-as interpret-as="date" format="dmy">1.2.2026</say-as>', "February first, twenty twenty six"),
        ('<say-as interpret-as="date" format="md">2/1</say-as>', "February first"),
        ('<say-as interpret-as="time">3:05</say-as>', "three oh five"),
        ('<say-as interpret-as="fraction">1/2</say-as>', "one half"),
        ('<say-as interpret-as="unit">5 mg</say-as>', "five milligrams"),
        ('<sub alias="World Wide Web">WWW</sub>', "World Wide Web"),
    ],
)
def test_saying_as(element: str, spoken: str) -> None:
    ((utterance, _),) = read(f"{SPEAK}Now {element}.</speak>")
    if "characters" in element:
        assert utterance.phonemes == "nˈW bˈi ˈA dˈi wˈʌn."
        return
    (expected,) = Frontend().utterances(f"Now {spoken}.", language="en")
    assert utterance.phonemes == expected.phonemes


def test_saying_as_in_chinese() -> None:
    for kind, text, spoken in (("telephone", "119", "幺幺九"), ("ordinal", "3", "第三"), ("date", "2026-11-23", "2026年11月23日")):
        ((utterance, _),) = read(f'<speak>这是<say-as interpret-as="{kind}">{text}</say-as>。</speak>')
        (expected,) = Frontend().utterances(f"这是{spoken}。")
        assert utterance.phonemes == expected.phonemes


def test_phonemes_are_said_as_written() -> None:
    ((utterance, _),) = read(SPEAK + 'A <phoneme alphabet="ipa" ph="təˈmɑːtəʊ">tomato</phoneme> please.</speak>')
    assert "təmˈɑːtQ" in utterance.phonemes.replace("ˈm", "mˈ")


def test_nested_marks_and_emphasis_are_kept_from_outside_to_inside() -> None:
    ((_, edits),) = read(SPEAK + '<prosody rate="90%">All of <emphasis level="strong">this</emphasis> is slow.</prosody></speak>')
    outer, inner = edits.changes
    assert outer.expression.rate == 0.9
    assert inner.expression == EMPHASES[Emphasis.STRONG]
    assert outer.start < inner.start < inner.stop < outer.stop


BOMB = '<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><speak>&b;</speak>'
OUTSIDE = '<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]><speak>&a;</speak>'


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (BOMB, "document type"),
        (OUTSIDE, "document type"),
        ("<speak>\n<voice>x</voice></speak>", "<voice> in line 2"),
        ("<speak>\n\n<prosody pitch='loud'>x</prosody></speak>", "<prosody> in line 3: 'loud' is no pitch"),
        ("<speak><prosody speed='2'>x</prosody></speak>", "'speed'"),
        ("<speak><break time='5'/>x</speak>", "'5' is no time"),
        ("<speak><break time='11s'/>x</speak>", "pause in seconds"),
        ("<speak><prosody volume='+40dB'>x</prosody></speak>", "gain in dB"),
        ("<speak><lang>x</lang></speak>", "'lang'"),
        ("<speak><lang xml:lang='ja'>x</lang></speak>", "'ja'"),
        ("<speak><say-as interpret-as='date'>soon</say-as></speak>", "no date"),
        ("<speak><say-as interpret-as='address'>x</say-as></speak>", "'address'"),
        ("<speak><phoneme ph='ʘ'>x</phoneme></speak>", "no sound"),
        ("<speak>hel<emphasis>lo</emphasis></speak>", "inside a word"),
        ("<speak>at 1<emphasis>2</emphasis> pm</speak>", "inside a word"),
        ("<speak><s><p>x</p></s></speak>", "wrong place"),
        ("<speak>" + "<prosody rate='90%'>" * 60 + "x" + "</prosody>" * 60 + "</speak>", "too many elements"),
        ("<speak>" + "<break time='10s'/>" * 61 + "x</speak>", "pauses are longer"),
        ("<p>x</p>", "wrong place"),
        ("<speak>x", "line 1"),
        ("", "line 1"),
        ("<speak xmlns='urn:other'>x</speak>", "not understood"),
    ],
)
def test_refusals_say_what_and_where(document: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(document)
    assert said in refused.value.message
    assert refused.value.hint


def test_nothing_to_say() -> None:
    with pytest.raises(TextError):
        read(SPEAK + "</speak>")


@given(st.text(alphabet=st.sampled_from("<>/&;sp\"'=ab -!\n%"), max_size=60))
def test_whatever_comes_only_deliberate_errors_leave(junk: str) -> None:
    for document in (junk, f"<speak>{junk}</speak>", f"<speak><prosody {junk}>x</prosody></speak>"):
        with contextlib.suppress(HometoneError):
            parsed(document)
