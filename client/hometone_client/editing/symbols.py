"""Phonemes that somebody wrote, in the base's own symbols: for SSML's <phoneme>.

"ipa" is the International Phonetic Alphabet; the base joins diphthongs and affricates to one symbol each (misaki's alphabet). "x-hometone"
is the base's symbols themselves, as a plan shows them. A sound that the base does not have is refused, never replaced in silence.
"""

from typing import Final

from hometone_client.text.utterance import vocabulary
from hometone_client.text.words import MARKS
from hometone_shared.errors import UsageError

LONGEST: Final = 200
# Longest first. IPA -> misaki (misaki 0.9.4, EN_PHONES.md).
_FROM_IPA: Final = (
    ("d͡ʒ", "ʤ"), ("t͡ʃ", "ʧ"), ("t͡s", "ʦ"), ("d͡z", "ʣ"), ("t͡ɕ", "ʨ"), ("d͡ʑ", "ʥ"), ("dʒ", "ʤ"), ("tʃ", "ʧ"), ("tɕ", "ʨ"), ("ts", "ʦ"),
    ("aɪ", "I"), ("aʊ", "W"), ("eɪ", "A"), ("oʊ", "O"), ("əʊ", "Q"), ("ɔɪ", "Y"), ("ɝ", "ɜɹ"), ("g", "ɡ"), (".", ""), ("‿", ""), ("'", "ˈ"),
)  # fmt: skip


def base_symbols(written: str, *, alphabet: str) -> str:
    """Return the base's symbols of one word or phrase.

    Args:
        written: Phonemes.
        alphabet: "ipa" or "x-hometone".

    Raises:
        UsageError: Another alphabet, nothing at all, too much, or a sound that the base does not have.
    """
    if alphabet not in {"ipa", "x-hometone"}:
        raise UsageError(f"the alphabet {alphabet[:40]!r} is not understood", hint="write ipa or x-hometone")
    found = " ".join(written.split())
    if alphabet == "ipa":
        for old, new in _FROM_IPA:
            found = found.replace(old, new)
    missing = sorted({symbol for symbol in found if symbol not in vocabulary() or symbol in MARKS})
    if missing:
        raise UsageError(
            f"the base voice has no sound for {missing[0]!r} (U+{ord(missing[0]):04X})", hint="write it with a sound near to it"
        )
    if not any(symbol.isalpha() for symbol in found) or len(found) > LONGEST:
        raise UsageError(f"there must be 1 to {LONGEST} phonemes", hint="write the word's sounds")
    return found
