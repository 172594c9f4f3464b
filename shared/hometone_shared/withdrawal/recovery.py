"""The recovery secret of a speaker: 16 bytes whose one power is to withdraw her, on paper as a code or twelve words (docs/withdrawal.md).

What it may see: the secret. What it must never do: put it, or a word of it, into a message or a `repr`.
"""

import functools
import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from typing import Final, Literal, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from mnemonic import Mnemonic

from hometone_shared.errors import ProtocolError
from hometone_shared.spoken_code import SYMBOLS, SpokenCode
from hometone_shared.withdrawal.recovery_mistakes import Flaw, Mistake, RecoveryMistakeError, near_words

PREFIX: Final = "HR1"
SECRET_BYTES: Final = 16
PSEUDONYM_CHARACTERS: Final = 32
WORDS: Final = 12
CODE_SYMBOLS: Final = 28
"""After the prefix: 26 that hold the number, two that check it."""
_GROUP_LENGTHS: Final = (5, 5, 5, 5, 5, 3)
_KEY_LABEL: Final = b"hometone/withdrawal-key/v1"
_CODE: Final = SpokenCode(PREFIX, "recovery code")
_INVITATION: Final = SpokenCode("HT1", "invitation code")
_LANGUAGES: Final = {"en": "english", "zh": "chinese_simplified"}
_TOKEN: Final = re.compile(r"[\u4e00-\u9fff]|[^\W\d_\u4e00-\u9fff]+")
_BETWEEN: Final = re.compile(r"[\s\d.,;:()\u3001\u3002_-]*")
_SHORTEST_BEGINNING: Final = 4
"""Letters: no two English words of BIP-39 begin with the same four."""
_LONGEST_TEXT: Final = 800
_BITS_PER_WORD: Final = 11
_MOST_CHECK_WORDS: Final = 23
_BOTH_FORMS: Final = f"type the code that begins with {PREFIX}, or the twelve words"

Locale = Literal["en", "zh"]


def pseudonym_of(public_key: bytes) -> str:
    """The pseudonym of a raw public withdrawal key: the first 16 bytes of its SHA-256, hexadecimal."""
    return hashlib.sha256(public_key).digest()[:16].hex()


def check_words(data: bytes, count: int = 4) -> str:
    """What two people compare to know that they hold the same bytes: the first BIP-39 words, in English, of their SHA-256.

    Args:
        data: Anything.
        count: How many words, 1 to 23; each says 11 bits.
    """
    number = int.from_bytes(hashlib.sha256(data).digest(), "big")
    places = (number >> (256 - _BITS_PER_WORD * (place + 1)) & 2047 for place in range(min(count, _MOST_CHECK_WORDS)))
    return " ".join(_mnemonic("en").wordlist[place] for place in places)


@functools.cache
def _mnemonic(locale: Locale) -> Mnemonic:
    return Mnemonic(_LANGUAGES[locale])


@functools.cache
def _places(locale: Locale) -> dict[str, int]:
    return {word: place for place, word in enumerate(_mnemonic(locale).wordlist)}


@dataclass(frozen=True, slots=True)
class RecoverySecret:
    """A secret.

    Attributes:
        secret: 16 bytes; `repr` does not show them.

    Raises:
        ProtocolError: It has another length.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Check the length."""
        if len(self.secret) != SECRET_BYTES:
            raise ProtocolError("a recovery secret has another length")

    @classmethod
    def generate(cls) -> Self:
        """A new one, from the operating system."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the code or the twelve words, in English or in simplified Chinese, as people type them.

        A code forgives what `SpokenCode.read` forgives. Words may have numbers, commas and line ends between them and capital letters;
        of English ones the first four letters do, and Chinese ones need no spaces.

        Raises:
            RecoveryMistakeError: It is neither, or holds a mistake that shows; says which.
        """
        if len(text) > _LONGEST_TEXT:
            raise RecoveryMistakeError("this is too long for a recovery code", hint=_BOTH_FORMS, mistake=Mistake(flaw=Flaw.LONG))
        if _CODE.begins(text):
            try:
                return cls._from_number(_CODE.read(text))
            except ProtocolError as error:
                raise RecoveryMistakeError(error.message, hint=error.hint, mistake=_mistake_of_code(text)) from error
        if _INVITATION.begins(text):
            hint = f"a recovery code begins with {PREFIX}"
            mistake = Mistake(flaw=Flaw.INVITATION)
            raise RecoveryMistakeError("this is an invitation code, not a recovery code", hint=hint, mistake=mistake)
        return cls(_entropy(_words(text)))

    @classmethod
    def _from_number(cls, number: int) -> Self:
        leading, value = divmod(number, 1 << 8 * SECRET_BYTES)
        if leading != 1:
            raise ProtocolError("the recovery code is not complete", hint="compare it with the original, group by group")
        return cls(value.to_bytes(SECRET_BYTES, "big"))

    def code(self) -> str:
        """The code, such as `HR1-...`: six groups."""
        return _CODE.write(1 << 8 * SECRET_BYTES | int.from_bytes(self.secret, "big"))

    def words(self, locale: Locale) -> str:
        """The twelve words of BIP-39, with spaces between them."""
        return _mnemonic(locale).to_mnemonic(self.secret)

    def withdrawal_key(self) -> Ed25519PrivateKey:
        """The key that signs this person's tombstones."""
        seed = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_KEY_LABEL).derive(self.secret)
        return Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def pseudonym(self) -> str:
        """What others know her by, 32 hexadecimal digits."""
        return pseudonym_of(self.withdrawal_key().public_key().public_bytes_raw())


def _mistake_of_code(text: str) -> Mistake:
    groups = _CODE.groups(text, symbols=CODE_SYMBOLS)
    found = sum(map(len, groups))
    flaw, places = Flaw.LENGTH, [number for number, group in enumerate(groups, start=1) if set(group) - set(SYMBOLS)]
    if places:
        flaw = Flaw.SYMBOL
    elif found == CODE_SYMBOLS:
        flaw, places = Flaw.CHECK, list(_CODE.suspects(text))
    elif len(groups) == len(_GROUP_LENGTHS):
        lengths = zip(groups, _GROUP_LENGTHS, strict=True)
        places = [number for number, (group, length) in enumerate(lengths, start=1) if len(group) != length]
    told = places[:WORDS]
    return Mistake(flaw=flaw, places=tuple(told), found=found, typed=tuple(groups[number - 1] for number in told))


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).lower()
    words = _TOKEN.findall(plain)
    if not all(_BETWEEN.fullmatch(gap) for gap in _TOKEN.split(plain)):
        raise RecoveryMistakeError(
            "a recovery code holds letters and digits only",
            hint="compare it with the original, word by word",
            mistake=Mistake(flaw=Flaw.SIGN, found=len(words)),
        )
    if len(words) != WORDS:
        mistake = _unknown_words(words, flaw=Flaw.COUNT) if words else Mistake(flaw=Flaw.NOTHING)
        raise RecoveryMistakeError(
            f"a recovery code has twelve words, these are {len(words)}",
            hint=f"type all words, or the code that begins with {PREFIX}",
            mistake=mistake,
        )
    return words


def _locale_of(words: list[str]) -> Locale:
    return "zh" if "\u4e00" <= words[0] <= "\u9fff" else "en"


def _whole_word(word: str, locale: Locale) -> str | None:
    known = _places(locale)
    if word in known:
        return word
    if locale == "en" and len(word) >= _SHORTEST_BEGINNING:
        return next((each for each in known if each.startswith(word)), None)
    return None


def _unknown_words(words: list[str], *, flaw: Flaw) -> Mistake:
    locale = _locale_of(words)
    unknown = [(number, word) for number, word in enumerate(words, start=1) if _whole_word(word, locale) is None][:WORDS]
    places, typed = tuple(number for number, _ in unknown), tuple(word for _, word in unknown)
    near = tuple(near_words(word, tuple(_places(locale))) for word in typed)
    return Mistake(flaw=flaw, places=places, found=len(words), typed=typed, near=near)


def _entropy(words: list[str]) -> bytes:
    locale = _locale_of(words)
    whole = [each for each in (_whole_word(word, locale) for word in words) if each is not None]
    if len(whole) != len(words):
        mistake = _unknown_words(words, flaw=Flaw.WORD)
        raise RecoveryMistakeError(
            f"word {mistake.places[0]} of the recovery code is not one that can be there",
            hint="compare it with the original",
            mistake=mistake,
        )
    try:
        return bytes(_mnemonic(locale).to_entropy(whole))
    except ValueError as error:
        raise RecoveryMistakeError(
            "the words of the recovery code do not belong together",
            hint="compare them with the original",
            mistake=Mistake(flaw=Flaw.TOGETHER, found=len(words)),
        ) from error
