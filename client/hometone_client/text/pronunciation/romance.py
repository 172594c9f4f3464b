"""Spanish, French, Italian and Brazilian Portuguese to phonemes, by espeak-ng as Kokoro-82M v1.0 was trained (`misaki.espeak.EspeakG2P`).

Whole phrases go to espeak-ng, because French links words across spaces; punctuation is kept apart from it.
"""

import re

from hometone_client.text.pronunciation import espeak
from hometone_client.text.utterance import vocabulary
from hometone_client.text.words import MARKS, Word
from hometone_shared.errors import TextError

_VOICES = {"es": "es", "fr": "fr-fr", "it": "it", "pt": "pt-br"}
_PIECE = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*'?(?: +[^\W\d_]+(?:['-][^\W\d_]+)*'?)*|[;:,.!?—…()“”]")

# misaki.espeak.EspeakG2P.e2m (misaki 0.9.4, Apache-2.0).
_FROM_ESPEAK = (
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^z", "ʣ"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("o^ʊ", "O"), ("ə^ʊ", "Q"), ("s^s", "S"), ("t^s", "ʦ"),
    ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"),
)  # fmt: skip
# Sounds of espeak-ng's loan words that are not symbols of the base, and their nearest neighbours.
_NEAREST = str.maketrans("ʏɫɬʉɵʟħʍ", "ylluølhw", "^-'ˑ\u0329\u032a\u0361")


def _symbols(ipa: str) -> str:
    for old, new in _FROM_ESPEAK:
        ipa = ipa.replace(old, new)
    return ipa.translate(_NEAREST)


def pronounce(text: str, *, language: str) -> list[Word]:
    """Words and punctuation of a text in spoken form, one `Word` for each word as espeak-ng joins them.

    Args:
        text: Letters and punctuation, no digits.
        language: "es", "fr", "it" or "pt".

    Raises:
        TextError: A phrase that cannot be pronounced.
    """
    words: list[Word] = []
    known = vocabulary()
    for piece in _PIECE.findall(text):
        if piece in MARKS:
            words.append(Word(text=piece, phonemes=piece))
            continue
        written = piece.split()
        spoken = _symbols(espeak.phonemes(piece, voice=_VOICES[language])).split()
        if not spoken or not all(any(symbol in known for symbol in part) for part in spoken):
            raise TextError(f"no pronunciation is known for a word with {piece[:1]}", hint="write it in another way")
        if len(spoken) == len(written):
            words.extend(Word(text=word, phonemes=sound) for word, sound in zip(written, spoken, strict=True))
        else:
            # espeak-ng joined or split words: the text stays with the first of them.
            words.extend(Word(text=piece if i == 0 else "", phonemes=sound) for i, sound in enumerate(spoken))
    return words
