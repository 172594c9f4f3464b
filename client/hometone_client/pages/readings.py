"""Texts that are being spoken for a page: sentence by sentence at the house's desk, heard while the rest is still computed.

1. A place at the desk, or the person is told to come back; the voice is loaded in the first turn, where its consent is looked at.
2. Each sentence waits for its turn, so that others are served in between. A page that is locked or left ends it.
3. The sound stays in memory as 16 bits, the newest few only, and is gone when its person is locked. The text goes when it was spoken.

What it may see: a text while it is spoken, sound. What it must never do: write either down, or give sound out without its label.
"""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import anyio
import numpy as np
import numpy.typing as npt

from hometone_client.audio.encoding import SpeechFormat, StreamEncoder, encode
from hometone_client.audio.labels import SyntheticLabel
from hometone_client.pages.house import House
from hometone_client.speaking.settings import SpeakingSettings
from hometone_client.speaking.synthesizer import SAMPLE_RATE_HZ, SpokenSentence
from hometone_client.voices import VoiceParameters
from hometone_shared.errors import HometoneError, TextError, UsageError

MOST_KEPT_S: Final = 1200.0
"""Of all readings that a session keeps; the newest stays however long it is."""
_MOST: Final = 3
_LOOK_S: Final = 0.05
_FULL: Final = 32767.0
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be spoken, and how.

    Attributes:
        text: The text.
        language: How Latin words are read; None: guessed.
        settings: Pace, pitch, liveliness, variation.
        audible_label: Say first that the voice is synthetic.
    """

    text: str = field(repr=False)
    language: str | None = None
    settings: SpeakingSettings = field(default_factory=SpeakingSettings)
    audible_label: bool = False


class Reading:
    """One text on its way to sound."""

    def __init__(self, number: int, wish: Wish) -> None:
        """Nothing was spoken yet."""
        self.number = number
        self.label = SyntheticLabel.fresh()
        self._wish: Wish | None = wish
        self._characters = max(1, len(wish.text.strip()))
        self._spoken = 0
        self._last = ""
        self._pieces: list[npt.NDArray[np.int16]] = []
        self._dropped = False
        self.running = True
        self.error: HometoneError | None = None

    @property
    def fraction(self) -> float:
        """How much of the text was spoken, 0 to 1."""
        return 1.0 if not self.running and self.error is None else min(0.99, self._spoken / self._characters)

    @property
    def seconds(self) -> float:
        """Of sound so far."""
        return sum(piece.size for piece in self._pieces) / SAMPLE_RATE_HZ

    @property
    def is_whole(self) -> bool:
        """Whether all of it was spoken."""
        return not self.running and self.error is None and bool(self._pieces)

    def drop(self) -> None:
        """Stop, and forget everything."""
        self._dropped = True
        self._wish = None
        self._pieces = []

    async def speak(self, house: House, load: Callable[[], VoiceParameters]) -> None:
        """Speak all of it; the caller has taken a place at the desk, which is given back (1, 2).

        Args:
            house: The laptop.
            load: Gives the voice; refuses if it may not speak.
        """
        sentences: Iterator[SpokenSentence] | None = None

        def step() -> SpokenSentence | None:
            nonlocal sentences
            wish = self._wish
            if self._dropped or wish is None:
                return None
            if sentences is None:
                speaker = house.synthesizer(load())
                sentences = speaker.speak(wish.text, language=wish.language, settings=wish.settings, audible_label=wish.audible_label)
            return next(sentences, None)

        try:
            while not self._dropped:
                async with house.desk.turn():
                    sentence = await house.desk.compute(step)
                if sentence is None:
                    break
                self._take(sentence)
            if not self._pieces and not self._dropped:
                self.error = TextError("there is nothing in this text that can be read aloud", hint="give at least one word")
        except HometoneError as error:
            self.error = error.alone()
        except Exception as error:
            _LOG.error("speaking failed: %s", type(error).__name__)  # never what was said
            self.error = HometoneError(
                "something went wrong that should not have", hint="nothing that was stored is lost; go back and try again"
            )
        finally:
            house.desk.leave()
            self._wish = None
            self.running = False

    def _take(self, sentence: SpokenSentence) -> None:
        if self._dropped:
            return
        if sentence.utterance.text != self._last:  # parts of a long sentence all carry its whole text
            self._last = sentence.utterance.text
            self._spoken += len(self._last)
        self._pieces.append(np.clip(np.rint(sentence.samples * _FULL), -_FULL, _FULL).astype(np.int16))

    def _sound(self, start: int = 0) -> Iterator[npt.NDArray[np.float32]]:
        for piece in self._pieces[start:]:
            yield piece.astype(np.float32) / np.float32(_FULL)

    async def stream(self) -> AsyncIterator[bytes]:
        """A WAV that is sent while it is spoken; cut off where speaking failed."""
        with StreamEncoder(fmt="wav", label=self.label) as encoder:
            sent = 0
            while True:
                running = self.running
                for samples in self._sound(sent):
                    sent += 1
                    yield encoder.write(samples)
                if not running or self._dropped:
                    break
                await anyio.sleep(_LOOK_S)
            yield encoder.close()

    def file(self, fmt: SpeechFormat) -> bytes:
        """The whole of it as a file with the label in it.

        Raises:
            UsageError: It is not whole, or there is no such format.
        """
        if not self.is_whole:
            raise UsageError("this text is not spoken to its end yet", hint="wait a moment")
        return encode(self._sound(), fmt=fmt, label=self.label)


class Readings:
    """What one session keeps in memory: its newest readings, and what was typed last (3)."""

    def __init__(self) -> None:
        """None."""
        self._readings: dict[int, Reading] = {}
        self._next = 1
        self.typed: dict[str, str] = {}

    @property
    def newest(self) -> Reading | None:
        """The one that was asked for last."""
        return next(reversed(self._readings.values()), None)

    def begin(self, house: House, wish: Wish) -> Reading:
        """Take a place at the desk for a text; `Reading.speak` gives it back.

        Raises:
            TextError: The text is empty.
            UsageError: It is too long.
            BusyError: All places are taken.
        """
        if not wish.text.strip():
            raise TextError("the text is empty", hint="give at least one word")
        longest = house.limits.text_characters
        if len(wish.text) > longest:
            raise UsageError(f"the text is longer than {longest} characters", hint="send it in parts")
        for reading in self._readings.values():
            if reading.running:
                reading.drop()
        house.desk.enter()
        reading = Reading(self._next, wish)
        self._readings[self._next] = reading
        self._next += 1
        self._make_room()
        return reading

    def _make_room(self) -> None:
        while len(self._readings) > 1 and (
            len(self._readings) > _MOST or sum(reading.seconds for reading in self._readings.values()) > MOST_KEPT_S
        ):
            self._readings.pop(next(iter(self._readings))).drop()

    def find(self, number: int) -> Reading:
        """One by its number.

        Raises:
            UsageError: It is gone.
        """
        found = self._readings.get(number)
        if found is None:
            raise UsageError("this sound is not here any more", hint="let the text be spoken again")
        return found

    def close(self) -> None:
        """Forget everything; the person is locked."""
        for reading in self._readings.values():
            reading.drop()
        self._readings.clear()
        self.typed.clear()


_TASKS: Final[set[object]] = set()
"""The loop holds tasks by a weak hand only."""


def in_background(reading: Reading, house: House, load: Callable[[], VoiceParameters]) -> None:
    """Let a reading go on after the request that asked for it has been answered."""
    import asyncio

    task = asyncio.get_running_loop().create_task(reading.speak(house, load))
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
