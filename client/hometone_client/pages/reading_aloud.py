"""Texts of Hometone's own that a page reads to somebody: in parts, so that the first sound comes soon, in a stock voice of their language.

What was read is kept for the next reader, a few megabytes of it: these texts are the same for everybody. What it may see: texts of
Hometone's own. What it must never do: keep speech in somebody's own voice.
"""

import threading
from collections import OrderedDict
from typing import Final

from hometone_client.pages.house import House
from hometone_client.pages.speech import Wish, sound_file, whole
from hometone_client.text.sentences import sentences
from hometone_client.voices import VoiceRegistry

READERS: Final = {
    "zh": "stock:zf_xiaoxiao",
    "en": "stock:bf_emma",
    "es": "stock:ef_dora",
    "fr": "stock:ff_siwis",
    "it": "stock:if_sara",
    "pt": "stock:pf_dora",
}
_MOST_BYTES: Final = 24 << 20


class ReadBefore:
    """What stock voices have read, the oldest forgotten first."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._sounds: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, language: str, text: str) -> bytes | None:
        """A sound, if it is still there."""
        with self._lock:
            found = self._sounds.get((language, text))
            if found is not None:
                self._sounds.move_to_end((language, text))
            return found

    def put(self, language: str, text: str, sound: bytes) -> None:
        """Keep one."""
        with self._lock:
            self._sounds[language, text] = sound
            while sum(map(len, self._sounds.values())) > _MOST_BYTES:
                self._sounds.popitem(last=False)

    def close(self) -> None:
        """Forget them."""
        with self._lock:
            self._sounds.clear()


def paragraphs(text: str) -> tuple[str, ...]:
    """The paragraphs of a text whose lines were broken at some width."""
    return tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())


def parts(text: str) -> tuple[str, ...]:
    """A text in parts that are read one after the other: its sentences."""
    return tuple(sentence.text for paragraph in paragraphs(text) for sentence in sentences(paragraph))


async def read_by_stock(house: House, text: str, *, language: str) -> bytes:
    """A text in a stock voice of its language, as WAV.

    Raises:
        HometoneError: It cannot be read, or this computer is busy.
    """
    before = house.kept(ReadBefore, ReadBefore)
    found = before.get(language, text)
    if found is None:
        registry = await house.desk.compute(lambda: VoiceRegistry(base_sha256=house.loaded.base_sha256))  # loading takes a while
        voice = registry.get(READERS.get(language, READERS["en"]))
        found, _ = sound_file(await whole(house, voice, Wish(text=text, language=language)))
        before.put(language, text, found)
    return found
