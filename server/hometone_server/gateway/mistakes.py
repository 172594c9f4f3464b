"""Says what is wrong with a recovery code in words of the page, as exactly as the code allows (docs/withdrawal.md, section 1).

What it may see: what was typed, for the answer to whoever typed it. What it must never do: say it to anybody else.
"""

from collections.abc import Sequence
from typing import Final

from hometone_server.gateway.sheets import Sheet
from hometone_shared.withdrawal.recovery import CODE_SYMBOLS
from hometone_shared.withdrawal.recovery_mistakes import Flaw, Mistake

_MOST_SUSPECTS: Final = 3
"""Whoever is told to look at more groups may as well look at all."""


def alert_about(sheet: Sheet, mistake: Mistake) -> None:
    """Write the alert."""
    if mistake.flaw in {Flaw.SYMBOL, Flaw.LENGTH, Flaw.CHECK}:
        more, bullets = _of_code(sheet, mistake)
    elif mistake.flaw in {Flaw.COUNT, Flaw.WORD}:
        more, bullets = _of_words(sheet, mistake)
    else:
        more, bullets = [sheet.words(f"mistake-{mistake.flaw.value}")], []
    sheet.alert("wrong-code", more=more, bullets=bullets)


def _of_code(sheet: Sheet, mistake: Mistake) -> tuple[Sequence[str], Sequence[str]]:
    bullets = [
        sheet.words("mistake-group", number=number, typed=typed) for number, typed in zip(mistake.places, mistake.typed, strict=True)
    ]
    if mistake.flaw is not Flaw.CHECK:
        return [sheet.words(f"mistake-{mistake.flaw.value}", wanted=CODE_SYMBOLS, found=mistake.found)], bullets
    if 0 < len(bullets) <= _MOST_SUSPECTS:
        return [sheet.words("mistake-check-here")], bullets
    return [sheet.words("mistake-check")], []


def _of_words(sheet: Sheet, mistake: Mistake) -> tuple[Sequence[str], Sequence[str]]:
    more = [sheet.words("mistake-count", found=mistake.found)] if mistake.flaw is Flaw.COUNT else []
    if mistake.places:
        more.append(sheet.words("mistake-word"))
    told = zip(mistake.places, mistake.typed, mistake.near, strict=True)
    comma = "、" if sheet.language == "zh" else ", "
    bullets = [
        sheet.words("mistake-near-word", number=number, typed=typed, near=comma.join(near))
        if near
        else sheet.words("mistake-that-word", number=number, typed=typed)
        for number, typed, near in told
    ]
    return more, bullets
