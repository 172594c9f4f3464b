"""The phrase of a spoken consent: drawn by chance, good for a day and one consent, and only in her own voice."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.client.speakers.test_room import noise_take

from hometone_client.audio import Origin, RawTake
from hometone_client.embedding.ge2e import SpeakerEncoder, centroid
from hometone_client.models import ensure, model_folder
from hometone_client.speakers.consent import SpokenCheck
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.spoken_phrase import (
    LEAST_LIKENESS,
    Floats,
    Phrase,
    check_spoken,
    keep_own_embedding,
    own_embedding,
    phrase_to_speak,
    phrase_words,
    use_up_phrase,
    waiting_phrase,
    word_errors,
)
from hometone_client.speaking import Sessions, SpeakingSettings, Synthesizer
from hometone_client.takes.transcription import Transcriber
from hometone_client.voices import stock_parameters
from hometone_shared.errors import AudioError, ConsentError, DamagedVaultError, UsageError

NOW = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@dataclass
class Heard:
    """A recogniser that heard these words; the real one is asked below, where its weights are."""

    text: str

    def transcribe(self, samples: Floats, sample_rate_hz: int, *, language: str | None = None) -> "Heard":
        assert language in {"en", "zh"}
        assert samples.size >= sample_rate_hz
        return self


class ByLevel:
    """An encoder that turns loudness into a direction, so that likeness can be chosen."""

    def embed_many(self, utterances: Sequence[tuple[Floats, int]]) -> list[Floats]:
        angles = [float(np.abs(samples).max()) for samples, _ in utterances]
        return [np.array([np.cos(angle), np.sin(angle)], dtype=np.float32) for angle in angles]


def take_at(level: float, *, seconds: float = 3.0) -> RawTake:
    return RawTake(np.full(round(16_000 * seconds), level, np.float32), 16_000, Origin.FILE)


PHRASE = Phrase(text="garden violin river sunday yellow spoon", locale="en", made=NOW)
OWN = np.array([1.0, 0.0], dtype=np.float32)


@pytest.mark.parametrize(("locale", "count", "length"), [("en", 6, None), ("zh", 4, 8)])
def test_a_phrase_is_drawn_from_the_list_and_says_no_word_twice(locale: str, count: int, length: int | None) -> None:
    words = phrase_words(locale)  # type: ignore[arg-type]
    assert len(set(words)) == len(words) >= 190
    drawn = {Phrase.draw(locale, now=NOW).text for _ in range(50)}  # type: ignore[arg-type]
    assert len(drawn) == 50
    for text in drawn:
        parts = text.split() if locale == "en" else [text[at : at + 2] for at in range(0, len(text), 2)]
        assert len(set(parts)) == count
        assert set(parts) <= set(words)
        assert length is None or len(text) == length


def test_the_draw_can_be_repeated_with_the_same_choices() -> None:
    first = Phrase.draw("en", now=NOW, choose=lambda words: words[0])
    assert first.text.split() == list(phrase_words("en")[:6])


def test_it_waits_sealed_for_a_day_and_no_longer(room: SpeakerRoom) -> None:
    assert waiting_phrase(room, now=NOW) is None
    phrase = phrase_to_speak(room, locale="en", now=NOW)
    assert phrase_to_speak(room, locale="en", now=NOW + DAY / 2) == phrase
    assert waiting_phrase(room, now=NOW + DAY - dt.timedelta(seconds=1)) == phrase
    assert waiting_phrase(room, now=NOW - DAY) is None, "one from the future is worth nothing"
    phrase = phrase_to_speak(room, locale="en", now=NOW)
    assert waiting_phrase(room, now=NOW + DAY) is None
    assert not room.vault.has("phrase", "spoken")


def test_another_language_gives_another_phrase(room: SpeakerRoom) -> None:
    phrase_to_speak(room, locale="en", now=NOW)
    chinese = phrase_to_speak(room, locale="zh", now=NOW)
    assert waiting_phrase(room, now=NOW) == chinese


def test_a_phrase_counts_once(room: SpeakerRoom) -> None:
    first = phrase_to_speak(room, locale="en", now=NOW)
    use_up_phrase(room)
    use_up_phrase(room)
    assert waiting_phrase(room, now=NOW) is None
    assert phrase_to_speak(room, locale="en", now=NOW) != first


def test_a_damaged_phrase_is_replaced(room: SpeakerRoom) -> None:
    room.vault.put_json("spoken", {"text": "x"}, kind="phrase")
    assert waiting_phrase(room, now=NOW) is None


@given(
    st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.sampled_from(["text", "locale", "made"]), inner))
)
def test_foreign_records_are_damage_and_nothing_else(record: object) -> None:
    with pytest.raises(DamagedVaultError):
        Phrase.from_record(record)


def test_a_time_without_a_zone_is_damage() -> None:
    with pytest.raises(DamagedVaultError):
        Phrase.from_record({"text": "x", "locale": "en", "made": "2026-03-01T09:30:00"})
    assert Phrase.from_record(PHRASE.to_record()) == PHRASE


def test_the_right_words_in_her_voice_pass_and_figures_are_kept() -> None:
    heard = Heard("Garden, violin, river, Sunday, yellow, spool.")
    check = check_spoken(take_at(0.3), phrase=PHRASE, own=OWN, transcriber=heard, encoder=ByLevel(), now=NOW)
    assert (check.phrase_sha256, check.word_errors, check.at) == (PHRASE.sha256, 0.167, NOW)
    assert check.likeness == pytest.approx(np.cos(0.3), abs=1e-3)


@pytest.mark.parametrize("words", ["garden violin river sunday", "", "four other words that are not it"])
def test_other_words_are_refused_with_the_figure(words: str) -> None:
    with pytest.raises(ConsentError, match="at most 30%"):
        check_spoken(take_at(0.3), phrase=PHRASE, own=OWN, transcriber=Heard(words), encoder=ByLevel(), now=NOW)


CHINESE = Phrase(text="苹果老师火车月亮", locale="zh", made=NOW)


@pytest.mark.parametrize(
    ("heard", "rate"),
    [
        ("苹果老师火车月亮", 0.0),
        ("平果，老师，活车，月量。", 0.0),
        ("苹果老师火车", 0.25),
        ("大小多少火车月亮", 0.5),
        ("", 1.0),
        ("apple", 1.0),
    ],
)
def test_chinese_is_compared_by_how_it_sounds(heard: str, rate: float) -> None:
    assert word_errors(CHINESE, heard) == pytest.approx(rate)


def test_eight_syllables_may_have_two_wrong() -> None:
    check_spoken(take_at(0.3), phrase=CHINESE, own=OWN, transcriber=Heard("苹果老师大山月亮"), encoder=ByLevel(), now=NOW)
    with pytest.raises(ConsentError):
        check_spoken(take_at(0.3), phrase=CHINESE, own=OWN, transcriber=Heard("苹果老师大山月饼"), encoder=ByLevel(), now=NOW)


def test_another_voice_is_refused_with_the_figure() -> None:
    with pytest.raises(ConsentError, match=f"at least {LEAST_LIKENESS}"):
        check_spoken(take_at(0.8), phrase=PHRASE, own=OWN, transcriber=Heard(PHRASE.text), encoder=ByLevel(), now=NOW)
    nobody = np.array([np.nan, np.nan], dtype=np.float32)
    with pytest.raises(ConsentError):
        check_spoken(take_at(0.3), phrase=PHRASE, own=nobody, transcriber=Heard(PHRASE.text), encoder=ByLevel(), now=NOW)


def test_hardly_any_sound_is_refused() -> None:
    with pytest.raises(AudioError, match="too short"):
        check_spoken(take_at(0.3, seconds=0.5), phrase=PHRASE, own=OWN, transcriber=Heard(PHRASE.text), encoder=ByLevel(), now=NOW)


def test_without_recordings_there_is_nothing_to_compare_with(room: SpeakerRoom) -> None:
    with pytest.raises(UsageError, match="no recording"):
        own_embedding(room, ByLevel())
    room.vault.put("embedding", "own", b"")
    with pytest.raises(UsageError, match="no recording"):
        own_embedding(room, ByLevel())


def test_the_centroid_survives_the_takes(room: SpeakerRoom) -> None:
    for seed in (1, 2):
        room.add_take(noise_take(seed), text="", language="en", speech_s=1.0, quality={})
    own = own_embedding(room, ByLevel())
    keep_own_embedding(room, ByLevel())
    for name in room.take_names():
        room.remove_take(name)
    np.testing.assert_allclose(own_embedding(room, ByLevel()), own, atol=1e-6)


@pytest.fixture(scope="module")
def stock() -> Callable[[str, str], RawTake]:
    """Speaks a text in a stock voice of the base."""
    sessions = Sessions(model_folder())

    def speak(voice: str, text: str) -> RawTake:
        synthesizer = Synthesizer(model_folder(), stock_parameters(voice, base_sha256=sessions.base_sha256), sessions=sessions)
        samples = np.concatenate([piece.samples for piece in synthesizer.speak(text, language="en", settings=SpeakingSettings(seed=1))])
        return RawTake(samples.astype(np.float32), 24_000, Origin.FILE)

    return speak


@pytest.mark.slow
@pytest.mark.models
def test_real_recogniser_and_encoder_let_the_owner_pass_and_nobody_else(stock: Callable[[str, str], RawTake]) -> None:
    transcriber, encoder = Transcriber(ensure("whisper-base")), SpeakerEncoder(ensure("ge2e"))
    takes = [
        stock("af_heart", text) for text in ("The weather is lovely today, let us walk to the lake.", "My sister lives in the old town.")
    ]
    own = centroid(encoder.embed_many([(take.samples, take.sample_rate_hz) for take in takes]))

    def check(voice: str, text: str) -> SpokenCheck:
        return check_spoken(stock(voice, text), phrase=PHRASE, own=own, transcriber=transcriber, encoder=encoder, now=NOW)

    passed = check("af_heart", PHRASE.text.replace(" ", ", "))
    assert passed.likeness > LEAST_LIKENESS
    with pytest.raises(ConsentError, match="the voice is not like"):
        check("am_michael", PHRASE.text.replace(" ", ", "))
    with pytest.raises(ConsentError, match="understood wrongly"):
        check("af_heart", "Somebody says something else altogether, and says it well.")
