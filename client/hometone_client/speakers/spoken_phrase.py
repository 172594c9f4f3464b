"""A consent that is spoken: words that nobody could have recorded before, in the voice of the takes (section 5 of the design).

1. A phrase of common words is drawn by the operating system's randomness, kept sealed in her vault, and good for one day and one consent.
2. She says it. The local recogniser writes it down; at most three words in ten, or Chinese syllables, may be wrong.
3. The embedding of each stretch of 2.5 s is set beside the centroid of her own takes; stretches have one length, because longer ones are
   more alike whoever speaks. The bound on their mean is where as many strangers pass as owners are refused
   (`benchmarks/consent_phrase.py`: 0.4 % each for a single stretch, recorded in one session; on another day an owner sounds less like her
   takes, and whoever imitates or synthesises her voice is not found out by this).
4. Figures are kept, the recording is not.

What it may see: one speaker's takes, a recording in memory. What it must never do: keep the recording, compare it with anybody else, or let
a phrase count twice.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Protocol, Self

import numpy as np
import numpy.typing as npt

from hometone_client.audio import RawTake
from hometone_client.speakers.consent import Locale, SpokenCheck
from hometone_client.speakers.room import OWN, SpeakerRoom
from hometone_shared.errors import AudioError, ConsentError, DamagedVaultError, ProtocolError, UsageError
from hometone_shared.records.canonical import Fields

LEAST_LIKENESS: Final = 0.75
MOST_WORD_ERRORS: Final = 0.3
GOOD_FOR: Final = dt.timedelta(days=1)
_CLOCK_PATIENCE: Final = dt.timedelta(minutes=5)
_WORDS: Final = {"en": 6, "zh": 4}
"""A Chinese word here has two characters."""
_KIND: Final = "phrase"
_NAME: Final = "spoken"
_EMBEDDING: Final = ("embedding", OWN)
STRETCH_S: Final = 2.5
_SHORTEST_S: Final = 1.0
_LONGEST_TEXT: Final = 200

Floats = npt.NDArray[np.float32]


class Embeds(Protocol):
    """What is needed of `embedding.ge2e.SpeakerEncoder`."""

    def embed_many(self, utterances: Sequence[tuple[Floats, int]]) -> list[Floats]:
        """Embeddings of utterances, each (samples, rate in Hz)."""
        ...


class WritesDown(Protocol):
    """What is needed of `takes.Transcriber`."""

    def transcribe(self, samples: Floats, sample_rate_hz: int, *, language: str | None = None) -> Any:
        """What is said, as something with a `text`."""
        ...


@cache
def phrase_words(locale: Locale) -> tuple[str, ...]:
    """The words that phrases are made of."""
    text = resources.files("hometone_client.speakers").joinpath(f"data/phrase-words.{locale}.txt").read_text(encoding="utf-8")
    return tuple(text.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A phrase that waits to be spoken.

    Attributes:
        text: Six English words, or eight Chinese characters.
        locale: Its language.
        made: When it was drawn.
    """

    text: str
    locale: Locale
    made: dt.datetime

    @classmethod
    def draw(cls, locale: Locale, *, now: dt.datetime, choose: Callable[[Sequence[str]], str] = secrets.choice) -> Self:
        """A new phrase of different words (1).

        Args:
            locale: Its language.
            now: The time, with a time zone.
            choose: Picks one word; the operating system's randomness unless a test hands in another.
        """
        left, words = list(phrase_words(locale)), []
        for _ in range(_WORDS[locale]):
            words.append(choose(left))
            left.remove(words[-1])
        return cls(text=("" if locale == "zh" else " ").join(words), locale=locale, made=now.astimezone(dt.UTC).replace(microsecond=0))

    @property
    def sha256(self) -> str:
        """Hash of its text, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def holds(self, now: dt.datetime) -> bool:
        """Whether it may still be spoken."""
        return self.made - _CLOCK_PATIENCE <= now < self.made + GOOD_FOR

    def to_record(self) -> dict[str, str]:
        """Plain JSON."""
        return {"text": self.text, "locale": self.locale, "made": self.made.isoformat()}

    @classmethod
    def from_record(cls, record: object) -> Self:
        """Read plain JSON.

        Raises:
            DamagedVaultError: It is something else.
        """
        try:
            fields = Fields(record)
            text, locale, made = (fields.text(name, longest=_LONGEST_TEXT) for name in ("text", "locale", "made"))
            phrase = cls(text=text, locale="zh" if locale == "zh" else "en", made=dt.datetime.fromisoformat(made))
            phrase.holds(dt.datetime.now(dt.UTC))  # a time without a zone cannot be compared
        except (ProtocolError, TypeError, ValueError, OverflowError) as error:
            raise DamagedVaultError("the phrase to be spoken is damaged", hint="ask for another: hometone consent NAME --phrase") from error
        return phrase


def phrase_to_speak(room: SpeakerRoom, *, locale: Locale, now: dt.datetime) -> Phrase:
    """The phrase that waits in her vault, or a new one; the same until it has been spoken or a day is over."""
    waiting = waiting_phrase(room, now=now)
    if waiting is not None and waiting.locale == locale:
        return waiting
    phrase = Phrase.draw(locale, now=now)
    room.vault.put_json(_NAME, phrase.to_record(), kind=_KIND)
    return phrase


def waiting_phrase(room: SpeakerRoom, *, now: dt.datetime) -> Phrase | None:
    """The phrase that waits in her vault; one that is a day old, or damaged, is removed."""
    if not room.vault.has(_KIND, _NAME):
        return None
    try:
        phrase = Phrase.from_record(room.vault.read_json(_NAME, kind=_KIND))
    except DamagedVaultError:
        phrase = None
    if phrase is not None and phrase.holds(now):
        return phrase
    use_up_phrase(room)
    return None


def use_up_phrase(room: SpeakerRoom) -> None:
    """Remove the phrase: it was spoken, or its time is over."""
    if room.vault.has(_KIND, _NAME):
        room.vault.delete(_KIND, _NAME)


def own_embedding(room: SpeakerRoom, encoder: Embeds) -> Floats:
    """What her voice is compared with: the centroid of her takes, or the one kept when her takes were dropped.

    Raises:
        UsageError: She has no recordings yet.
    """
    from hometone_client.embedding.ge2e import centroid

    takes = [(take.samples, take.sample_rate_hz) for _, take in room.recordings()]
    if takes:
        return centroid(encoder.embed_many(takes))
    if room.vault.has(*_EMBEDDING):
        kept = np.frombuffer(room.vault.read(*_EMBEDDING), dtype="<f4").astype(np.float32)
        if kept.size and np.isfinite(kept).all():
            return kept
    raise UsageError(
        "there is no recording of hers to compare the spoken phrase with", hint=f"add one first: hometone take add {room.name}"
    )


def keep_own_embedding(room: SpeakerRoom, encoder: Embeds) -> None:
    """Keep the centroid of her takes, sealed, before they are dropped: without it she could not consent aloud any more."""
    room.vault.put(*_EMBEDDING, own_embedding(room, encoder).astype("<f4").tobytes())


def word_errors(phrase: Phrase, heard: str) -> float:
    """Errors per word, or per Chinese character (2).

    A Chinese character that sounds like the right one, apart from its tone, is right: which of them a recogniser writes for words without a
    sentence around them is its guess, and so are the tones of a dialect.
    """
    from hometone_client.evaluation.error_rates import count_errors

    rate = count_errors(phrase.text, heard, phrase.locale).rate
    if phrase.locale == "zh":
        rate = min(rate, count_errors(_syllables(phrase.text), _syllables(heard), "en").rate)
    return rate


def _syllables(text: str) -> str:
    from pypinyin import lazy_pinyin

    return " ".join(lazy_pinyin(text))


def spoken_part(take: RawTake) -> Floats:
    """From the first to the last speech in a recording; all of it where none is found."""
    from hometone_client.takes.segmentation import detect

    speech = detect(take.samples, take.sample_rate_hz).speech
    if not speech:
        return take.samples
    return take.samples[round(speech[0].start_s * take.sample_rate_hz) : round(speech[-1].end_s * take.sample_rate_hz)]


def phrase_likeness(own: Floats, samples: Floats, rate: int, *, encoder: Embeds) -> float:
    """How alike a phrase and somebody's takes are: mean over whole stretches (3).

    Args:
        own: As `own_embedding` gives it.
        samples: float32 [n], mono.
        rate: Their rate, Hz.
        encoder: The speaker encoder.

    Returns:
        0 (nothing in common) to 1 (the same).
    """
    from hometone_client.embedding.ge2e import similarity

    size = round(STRETCH_S * rate)
    starts = range(0, max(1, samples.size - size + 1), size)
    stretches = encoder.embed_many([(samples[start : start + size], rate) for start in starts])
    return float(np.mean([similarity(own, stretch) for stretch in stretches]))


def check_spoken(take: RawTake, *, phrase: Phrase, own: Floats, transcriber: WritesDown, encoder: Embeds, now: dt.datetime) -> SpokenCheck:
    """Check that this is the phrase, in her voice (2, 3).

    Args:
        take: The recording.
        phrase: What was to be said.
        own: As `own_embedding` gives it.
        transcriber: The local recogniser.
        encoder: The speaker encoder.
        now: The time, with a time zone.

    Raises:
        ConsentError: Other words, or another voice; with figure and aim.
        AudioError: There is hardly any sound.
    """
    if take.duration_s < _SHORTEST_S:
        raise AudioError("the recording of the phrase is too short", hint="say the whole phrase, slowly and clearly")
    heard = transcriber.transcribe(take.samples, take.sample_rate_hz, language=phrase.locale)
    errors = word_errors(phrase, heard.text)
    if errors > MOST_WORD_ERRORS:
        raise ConsentError(
            f"{min(errors, 1.0):.0%} of the phrase was understood wrongly, at most {MOST_WORD_ERRORS:.0%} may be",
            hint="say the phrase slowly and clearly, in a quiet room; hometone consent NAME --phrase shows it again",
        )
    likeness = phrase_likeness(own, spoken_part(take), take.sample_rate_hz, encoder=encoder)
    if not likeness >= LEAST_LIKENESS:
        raise ConsentError(
            f"the voice is not like that of the recordings: {likeness:.2f}, at least {LEAST_LIKENESS} is needed",
            hint="the owner of the voice has to say it herself, as near to the microphone as in her recordings",
        )
    return SpokenCheck(
        phrase_sha256=phrase.sha256,
        word_errors=round(errors, 3),
        likeness=round(likeness, 3),
        at=now.astimezone(dt.UTC).replace(microsecond=0),
    )
