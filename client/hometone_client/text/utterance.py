"""What the base voice is given: one sentence as phoneme symbols and token ids.

The vocabulary is that of Kokoro-82M v1.0 (`data/vocab.json`, attribution inside): 114 symbols, ids below 178, id 0 pads both ends.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from hometone_shared.errors import TextError

# The base has 512 positions, two of them taken by the padding (Kokoro-82M config.json, plbert.max_position_embeddings).
MAX_TOKENS = 510
PAD_ID = 0
_SILENT = frozenset(' ;:,.!?—…"()“”')


@cache
def vocabulary() -> dict[str, int]:
    """The base's phoneme symbols (one character each) and their token ids."""
    table = json.loads(resources.files("hometone_client.text").joinpath("data", "vocab.json").read_text(encoding="utf-8"))
    return {str(symbol): int(token) for symbol, token in table["vocab"].items()}


@cache
def silent_tokens() -> frozenset[int]:
    """Tokens during which nothing is articulated: padding, the space between words and punctuation."""
    return frozenset({PAD_ID, *(token for symbol, token in vocabulary().items() if symbol in _SILENT)})


@dataclass(frozen=True, slots=True)
class WordSpan:
    """Where a word lies among the tokens of its utterance.

    Attributes:
        text: The word in spoken form ("eight", "八点"), or a mark.
        start: Its first token, counted without padding.
        stop: One behind its last token.
    """

    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """One sentence, or a part of a long one, ready for the base voice.

    Attributes:
        text: The written text this came from; for a part of a sentence without commas, its words in spoken form.
        language: "zh" when it holds Chinese characters, else the language its Latin words are read in ("en", "en-gb", "es", ...).
        phonemes: String over the base's symbols; words are separated by one space.
        tokens: Token ids, 1 to 510, without padding; the row of a style table is `len(tokens) - 1`.
        pause_after_s: Silence to leave after it, seconds.
        words: Its words and marks in order; the spaces between them belong to none.
        start: Where its text begins in what was to be read, as `characters.readable` leaves it. Parts of a clause without commas all begin
            and end with the clause.
        stop: One behind its last character there.
    """

    text: str
    language: str
    phonemes: str
    tokens: tuple[int, ...]
    pause_after_s: float
    words: tuple[WordSpan, ...] = ()
    start: int = 0
    stop: int = 0

    @property
    def input_ids(self) -> tuple[int, ...]:
        """Token ids with the padding the base expects at both ends, 3 to 512 of them."""
        return (PAD_ID, *self.tokens, PAD_ID)


def encode(phonemes: str) -> tuple[int, ...]:
    """Token ids of a phoneme string.

    Raises:
        TextError: A symbol is not one of the base's.
    """
    table = vocabulary()
    try:
        return tuple(table[symbol] for symbol in phonemes)
    except KeyError as missing:
        raise TextError(
            f"the base voice has no sound for the phoneme {missing.args[0]!r}",
            hint="write the word in another way",
        ) from None
