"""The one way in which pages speak: sentence by sentence, each in its turn at the desk, so that nobody waits for another's last word.

What it may see: the text of one request and the voice that it asked for. What it must never do: keep either, or speak without the label.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from hometone_client.audio.encoding import SpeechFormat, encode
from hometone_client.audio.labels import SyntheticLabel
from hometone_client.pages.house import House
from hometone_client.speaking import SpeakingSettings
from hometone_client.speaking.synthesizer import SpokenSentence
from hometone_client.voices import Voice
from hometone_client.web.job import nothing_said
from hometone_shared.errors import TextError


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be said, and how.

    Attributes:
        text: What.
        language: How Latin words are read; None lets the frontend decide.
        settings: Pace, pitch, variation.
        audible_label: Say first that the voice is synthetic.
    """

    text: str
    language: str | None = None
    settings: SpeakingSettings | None = None
    audible_label: bool = False


async def sentences(house: House, voice: Voice, wish: Wish) -> AsyncIterator[SpokenSentence]:
    """Speak; the voice is opened, and its owner's consent looked at, before the first sentence.

    Raises:
        TextError: The text is empty, too long, or cannot be read.
        HometoneError: The voice may not speak, or this computer speaks for too many others.
    """
    longest = house.limits.text_characters
    if len(wish.text) > longest:
        raise TextError(f"the text is longer than {longest} characters", hint="send it in parts")
    if not wish.text.strip():
        raise TextError("the text is empty", hint="give at least one word")
    desk = house.desk
    desk.enter()
    try:
        async with desk.turn():
            spoken = await desk.compute(
                lambda: iter(
                    house.synthesizer(voice.load()).speak(
                        wish.text, language=wish.language, settings=wish.settings, audible_label=wish.audible_label
                    )
                )
            )
        while True:
            async with desk.turn():
                sentence = await desk.compute(lambda: next(spoken, None))
            if sentence is None:
                return
            yield sentence
    finally:
        desk.leave()


async def whole(house: House, voice: Voice, wish: Wish) -> list[SpokenSentence]:
    """Speak everything before anything is heard.

    Raises:
        TextError: There is nothing in it that can be read, or too much.
        HometoneError: As `sentences`.
    """
    longest = house.limits.timed_characters  # it is kept in memory meanwhile
    if len(wish.text) > longest:
        raise TextError(f"the text is longer than {longest} characters", hint="send it in parts")
    found = [sentence async for sentence in sentences(house, voice, wish)]
    if not found:
        raise nothing_said()
    return found


def sound_file(spoken: list[SpokenSentence], *, fmt: SpeechFormat = "wav", sample_rate_hz: int = 24_000) -> tuple[bytes, SyntheticLabel]:
    """Sentences as one labelled sound file, and its label."""
    label = SyntheticLabel.fresh()
    return encode([sentence.samples for sentence in spoken], fmt=fmt, sample_rate_hz=sample_rate_hz, label=label), label
