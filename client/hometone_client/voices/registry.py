"""The voices that this laptop can speak with right now: the stock ones of the base, and those of unlocked speakers.

What it does: finds a voice by its name and loads it when it is needed. Both kinds are a `Voice`, so that what speaks need not care.
What it may see: names of voices and the loaders of own voices, which whoever unlocked the speaker hands over. What it must never do:
keep the parameters of somebody's voice, ask for a PIN, or search voices by how they sound (requirement 51).

An own voice is loaded anew, through its vault, for each piece of work: a voice that was revoked or locked in the meantime is refused
by its loader from that moment on (requirement 48).
"""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from hometone_client.base.styles import stock_language, stock_names, stock_style
from hometone_client.voices.parameters import VoiceParameters
from hometone_shared.errors import UsageError

STOCK_PREFIX: Final = "stock:"
STOCK_RECIPE: Final = "stock-1"
#: When the base's public voice packs were published; stock voices have no other date.
_STOCK_CREATED: Final = dt.datetime(2025, 1, 27, tzinfo=dt.UTC)
#: The packs hold one style per length of text; they hardly differ (standard deviation .04), and a sentence has about 80 tokens.
_STOCK_TOKENS: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A voice that can be asked for.

    Attributes:
        id: "stock:" and the pack's name, or a speaker's id.
        kind: Whether it belongs to the base, to a person of this laptop, or to somebody who has lent it.
        languages: BCP 47 tags of the languages it was recorded in.
        load: Gives the parameters; for an own voice it opens the vault and may raise VaultError or ConsentError.
    """

    id: str
    kind: Literal["stock", "own", "lent"]
    languages: tuple[str, ...]
    load: Callable[[], VoiceParameters]


def stock_parameters(name: str, *, base_sha256: str) -> VoiceParameters:
    """Return a stock voice of the base.

    Args:
        name: Name of the pack, such as "af_heart", without the prefix.
        base_sha256: Hash of the base that is installed.

    Raises:
        UsageError: There is no such pack.
    """
    if name not in stock_names():
        raise UsageError("there is no voice of that name", hint="hometone voices lists them all")
    return VoiceParameters(
        style=stock_style(name, _STOCK_TOKENS),
        base_sha256=base_sha256,
        recipe=STOCK_RECIPE,
        created=_STOCK_CREATED,
        languages=(stock_language(name),),
    )


class VoiceRegistry:
    """Stock voices and the voices of speakers who are unlocked at the moment."""

    def __init__(self, *, base_sha256: str, own: Callable[[], Iterable[Voice]] = tuple) -> None:
        """Make the list.

        Args:
            base_sha256: Hash of the installed base; stock voices name it.
            own: Gives the own voices that are unlocked now; asked each time, so that a revoked voice is gone at once.
        """
        self._base_sha256 = base_sha256
        self._own = own

    def voices(self) -> tuple[Voice, ...]:
        """List own voices first, then the stock ones in the order of their names."""
        own = tuple(self._own())
        stock = tuple(self._stock(name) for name in sorted(stock_names()))
        return own + stock

    def get(self, voice_id: str) -> Voice:
        """Find a voice; "af_heart" is understood as "stock:af_heart" unless a speaker has that id.

        Raises:
            UsageError: No unlocked voice has that id.
        """
        for voice in self._own():
            if voice.id == voice_id:
                return voice
        name = voice_id.removeprefix(STOCK_PREFIX)
        if name in stock_names():
            return self._stock(name)
        raise UsageError("there is no voice of that name, or it is locked", hint="hometone voices lists those that can be used now")

    def _stock(self, name: str) -> Voice:
        return Voice(
            id=f"{STOCK_PREFIX}{name}",
            kind="stock",
            languages=(stock_language(name),),
            load=lambda: stock_parameters(name, base_sha256=self._base_sha256),
        )
