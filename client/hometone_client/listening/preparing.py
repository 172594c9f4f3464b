"""Making the clips of a panel for one speaker, once, while she is unlocked.

1. Her consents to her own voice and to listening tests are looked at, and what she is going to say was shown to her (`texts_for`).
2. Her voice speaks the panel's sentences in the languages that she was recorded in, and the mixed ones; a stock voice the mixed ones.
3. Some of her own takes become references: one known, up to three hidden; each hidden one has an anchor (`anchors`).
4. Traps: a stock voice says in plain words which answer to choose (ITU-T P.808, 6.3.4).
5. Everything is brought to one level, measured, and sealed in her place; what was there of earlier panels goes.

What it may see: one speaker's unlocked things. What it must never do: write sound outside her place, or speak a sentence that the panel
does not hold.
"""

import datetime as dt
import json
import random
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from hometone_client.audio import RawTake
from hometone_client.listening.anchors import anchored
from hometone_client.listening.clips import Clip, Role, clip_seconds, keep_clips
from hometone_client.listening.levels import RATE_HZ, Samples, levelled
from hometone_client.listening.rendering import Measure, Speak
from hometone_client.speakers.choosing import own_voice
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.entries import TakeRecord
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.takes.segmentation import MAX_PIECE_S, detect, pieces
from hometone_client.voices import VoiceParameters
from hometone_shared.errors import AudioError, UsageError
from hometone_shared.records.panel import MIXED, Panel

MOST_HIDDEN: Final = 3
TRAPS_IN_EACH_LANGUAGE: Final = 3
LEAST_SPEECH_S: Final = 1.5
"""A reference shorter than this tells little about a voice."""
_MEASURED: Final = frozenset({Role.SYNTHETIC, Role.REFERENCE, Role.BASELINE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Voices:
    """Who speaks.

    Attributes:
        own: Makes her voice speak; asked once her consent was looked at.
        stock: Makes a stock voice speak, by its name.
    """

    own: Callable[[VoiceParameters], Speak]
    stock: Callable[[str], Speak]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was made.

    Attributes:
        panel: Number of the panel.
        clips: How many clips.
        seconds: Length of all of them.
        languages: What her voice spoke, `mixed` among it.
    """

    panel: str
    clips: int
    seconds: float
    languages: tuple[str, ...]


@cache
def traps() -> Mapping[str, Mapping[str, Any]]:
    """Language -> stock voice and the five sentences that ask for the answers 1 to 5."""
    read: dict[str, Any] = json.loads(resources.files("hometone_client.listening").joinpath("data/traps.json").read_text(encoding="utf-8"))
    return read


def texts_for(room: SpeakerRoom, panel: Panel) -> dict[str, tuple[str, ...]]:
    """What her voice would say for a panel: the sentences in languages that she was recorded in, and the mixed ones.

    Args:
        room: Her things, unlocked.
        panel: The panel.

    Raises:
        UsageError: The panel has none of her languages.
    """
    tags = {record.language for record in room.takes()} | set(room.voice_languages)
    spoken = tags | {tag.partition("-")[0] for tag in tags}
    chosen = [language for language in panel.languages if language in spoken]
    if not chosen:
        raise UsageError(
            f"this panel has no sentences in a language of {room.name}",
            hint=f"it has: {', '.join(panel.languages)}; hers: {', '.join(sorted(tags))}",
        )
    if MIXED in panel.sentences:
        chosen.append(MIXED)
    return {language: panel.sentences[language] for language in chosen}


def prepare(
    room: SpeakerRoom,
    panel: Panel,
    *,
    voices: Voices,
    measure: Measure | None = None,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    progress: Callable[[float], None] = lambda _fraction: None,
    chance: random.Random | None = None,
) -> Prepared:
    """Make and store her clips.

    Args:
        room: Her things, unlocked with her PIN.
        panel: The panel; its sentences were shown to her.
        voices: Who speaks.
        measure: What is measured on each clip; nothing by default.
        now: Gives the time.
        progress: Told the part that is done.
        chance: Source of choices among her takes; the operating system's by default.

    Raises:
        ConsentError: She has not agreed to her own voice or to listening tests.
        UsageError: The panel has none of her languages, she has no voice, or fewer than two recordings that can be a reference.
        ModelError: Weights are missing.
        StorageError: The disk refuses.
    """
    room.require(Purpose.LISTENING, now=now())  # (1)
    texts = texts_for(room, panel)
    drawn = chance or secrets.SystemRandom()
    references = _references(room, drawn)
    own = voices.own(own_voice(room, way=Way.LISTENING, clock=now).load())
    steps = sum(map(len, texts.values())) + len(texts.get(MIXED, ())) + len(references) + TRAPS_IN_EACH_LANGUAGE * len(traps())
    made: list[tuple[Clip, Samples]] = []
    maker = _Maker(panel, measure=measure)
    for group in (
        _spoken(maker, own, role=Role.SYNTHETIC, texts=texts),  # (2)
        _spoken(maker, voices.stock(panel.baseline), role=Role.BASELINE, texts={key: texts[key] for key in texts if key == MIXED}),
        _recorded(maker, references),  # (3)
        _traps(maker, voices, drawn),  # (4)
    ):
        for clips in group:
            made += clips
            progress(sum(clip.role is not Role.ANCHOR for clip, _ in made) / steps)
    keep_clips(room.vault, made)  # (5)
    room.note("prepared-listening", panel=panel.number, clips=len(made))
    return Prepared(panel=panel.number, clips=len(made), seconds=sum(clip.seconds for clip, _ in made), languages=tuple(texts))


class _Maker:
    """Levels, measures and names clips of one panel."""

    def __init__(self, panel: Panel, *, measure: Measure | None) -> None:
        self._panel = panel
        self._measure = measure

    def clip(self, samples: Samples, rate_hz: int, *, role: Role, language: str, text: str = "", **about: Any) -> tuple[Clip, Samples]:
        sound = levelled(samples, rate_hz)
        figures = {} if self._measure is None or role not in _MEASURED else self._measure(sound, text, language)
        clip = Clip(panel=self._panel.number, role=role, language=language, seconds=clip_seconds(sound), figures=figures, **about)
        return clip, sound


def _spoken(maker: _Maker, speak: Speak, *, role: Role, texts: Mapping[str, Iterable[str]]) -> Iterator[list[tuple[Clip, Samples]]]:
    for language, sentences in texts.items():
        for number, text in enumerate(sentences):
            yield [maker.clip(speak(text, language), RATE_HZ, role=role, language=language, text=text, sentence=number)]


def _references(room: SpeakerRoom, chance: random.Random) -> list[tuple[TakeRecord, RawTake]]:
    """Takes that can be references, those that nothing was learnt from first: the first is the known one."""
    suited = [(record, take) for record, take in room.recordings() if record.speech_s >= LEAST_SPEECH_S]
    if len(suited) < 2:
        raise UsageError(
            f"two recordings of {LEAST_SPEECH_S:g} seconds and more are needed to compare with", hint=f"hometone take add {room.name} FILE"
        )
    chance.shuffle(suited)
    suited.sort(key=lambda pair: not pair[0].held_out)
    return suited[: 1 + MOST_HIDDEN]


def _recorded(maker: _Maker, references: list[tuple[TakeRecord, RawTake]]) -> Iterator[list[tuple[Clip, Samples]]]:
    for number, (record, take) in enumerate(references):
        samples, is_whole = _stretch(take)
        about = {"language": record.language, "take": record.name, "text": record.text if is_whole else ""}
        role = Role.REFERENCE if number else Role.KNOWN
        clips = [maker.clip(samples, take.sample_rate_hz, role=role, **about)]
        if role is Role.REFERENCE:
            clips.append(maker.clip(anchored(clips[0][1]), RATE_HZ, role=Role.ANCHOR, **about))
        yield clips


def _stretch(take: RawTake) -> tuple[Samples, bool]:
    """A take, or of a long one its longest piece; and whether it is all of it."""
    heard = detect(take.samples, take.sample_rate_hz)
    if not heard.speech:
        raise AudioError("there is no speech in one of the recordings", hint="remove it: hometone take remove NAME")
    if heard.speech[-1].end_s - heard.speech[0].start_s <= MAX_PIECE_S:
        return take.samples, True
    longest = max(pieces(heard), key=lambda piece: piece.duration_s)
    return longest.cut(take.samples, take.sample_rate_hz), False


def _traps(maker: _Maker, voices: Voices, chance: random.Random) -> Iterator[list[tuple[Clip, Samples]]]:
    for language, trap in traps().items():
        speak = voices.stock(str(trap["voice"]))
        for answer in chance.sample(range(1, 1 + len(trap["sentences"])), TRAPS_IN_EACH_LANGUAGE):
            samples = speak(str(trap["sentences"][answer - 1]), language)
            yield [maker.clip(samples, RATE_HZ, role=Role.TRAP, language=language, answer=answer)]
