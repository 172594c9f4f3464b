"""Puts pauses into the tokens of an utterance, where the base makes them: its marks.

A pause that was asked for between two words becomes a comma there, so that the base itself slows down before it, lets the voice rest and
begins anew, as it learnt from readers; its length is made exact in the finished sound (`sounding`). A pause of no length takes the marks
away. Nothing else changes: words were pronounced before, so sandhi, liaison and stress are those of the text without the pause.
"""

from dataclasses import dataclass, replace
from typing import Final

from hometone_client.editing.expression import Edits, Pause
from hometone_client.text.utterance import MAX_TOKENS, Utterance, vocabulary
from hometone_client.text.words import MARKS

_MARK: Final = ","
_PAUSING: Final = frozenset(";:,.!?—…")
_BESIDE: Final = MARKS | {" "}


@dataclass(frozen=True, slots=True)
class Rest:
    """A pause of a given length, and the tokens during which it is made.

    Attributes:
        start: First token, counted without padding.
        stop: One behind its last.
        seconds: Above 0.
    """

    start: int
    stop: int
    seconds: float


def marked(utterance: Utterance, edits: Edits) -> tuple[Utterance, Edits, tuple[Rest, ...]]:
    """Return the utterance with a mark at each pause, the edits with their tokens counted in it, and where its pauses are made.

    Pauses before the first and behind the last word are left to `Edits.before_s` and `after_s`, and not touched here.
    """
    rests: list[Rest] = []
    for pause in sorted(edits.pauses, key=lambda pause: -pause.at):  # from the end, so that places before stay valid
        first, last = _silence_around(utterance.phonemes, pause.at)
        if not first or last == len(utterance.phonemes):
            continue
        pausing = [at for at in range(first, last) if utterance.phonemes[at] in _PAUSING]
        if pause.seconds == 0.0:
            for at in reversed(pausing):
                utterance, edits, rests = _respelled(utterance, edits, rests, at=at, symbol="")
        elif pausing:
            rests.append(Rest(first, last, pause.seconds))
        elif len(utterance.tokens) < MAX_TOKENS:
            utterance, edits, rests = _respelled(utterance, edits, rests, at=first, symbol=_MARK)
            rests.append(Rest(first, last + 1, pause.seconds))
    return utterance, edits, tuple(sorted(rests, key=lambda rest: rest.start))


def _silence_around(phonemes: str, at: int) -> tuple[int, int]:
    """The marks and spaces around a place."""
    first = last = at
    while first > 0 and phonemes[first - 1] in _BESIDE:
        first -= 1
    while last < len(phonemes) and phonemes[last] in _BESIDE:
        last += 1
    return first, last


def _respelled(utterance: Utterance, edits: Edits, rests: list[Rest], *, at: int, symbol: str) -> tuple[Utterance, Edits, list[Rest]]:
    """A symbol put in at a place or, if it is empty, the one that stands there taken out; everything behind it moves."""
    step = 1 if symbol else -1
    phonemes = utterance.phonemes[:at] + symbol + utterance.phonemes[at + (0 if symbol else 1) :]
    tokens = tuple(vocabulary()[sound] for sound in phonemes)

    def start(place: int) -> int:
        return place + step if place >= at + (0 if symbol else 1) else place

    def stop(place: int) -> int:
        return place + step if place > at else place

    words = tuple(
        replace(word, start=start(word.start), stop=stop(word.stop))
        for word in utterance.words
        if symbol or not word.start <= at < word.stop or word.stop - word.start > 1
    )
    changes = tuple(
        replace(change, start=start(change.start), stop=max(start(change.start), stop(change.stop))) for change in edits.changes
    )
    pauses = tuple(Pause(at=start(pause.at), seconds=pause.seconds) for pause in edits.pauses)
    moved = [Rest(start(rest.start), stop(rest.stop), rest.seconds) for rest in rests]
    return replace(utterance, phonemes=phonemes, tokens=tokens, words=words), replace(edits, changes=changes, pauses=pauses), moved
