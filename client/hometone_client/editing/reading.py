"""A text as it was given - plain or SSML, with controls or without - to utterances with what is to be edited in each.

Plain utterances come one at a time, as from `text.Frontend`. Marked-up ones are read to the end first, so that a mark that cannot be
placed is told before anything sounds.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from hometone_client.editing import ssml
from hometone_client.editing.controls import Controls
from hometone_client.editing.expression import Change, Edits, Pause
from hometone_client.editing.markup import Script
from hometone_client.editing.placing import Places
from hometone_client.text.frontend import PAUSE_AFTER_SENTENCE_S, Frontend
from hometone_client.text.utterance import Utterance, silent_tokens

SSML: Final = "ssml"
TEXT: Final = "text"
INPUT_TYPES: Final = (TEXT, SSML)
_LONGEST_PAUSE_S: Final = 10.0
_LEAD_S: Final = 0.05  # what `speaking.finishing` leaves before the first sound
_Edited = tuple[Utterance, Edits]


def edited(
    text: str, *, frontend: Frontend, language: str | None = None, input_type: str = TEXT, controls: Controls | None = None
) -> Iterator[_Edited]:
    """Yield the utterances of a text, each with its edits.

    Args:
        text: Plain text, or an SSML document.
        frontend: Reads the words.
        language: How Latin words are read where the text does not say.
        input_type: "text" or "ssml".
        controls: What is wanted of single sentences, words and phonemes, counted as in a plan of the same text.

    Raises:
        UsageError: SSML or controls that are not understood, or that name what the text does not have.
        TextError: The text, or a part of it, cannot be read aloud.
    """
    if input_type == SSML:
        script = ssml.parsed(text, language=language)
        utterances = frontend.utterances(script.text, language=script.language, stretches=script.stretches)
        pairs: Iterable[_Edited] = _marked_up(script, utterances)
    else:
        pairs = ((utterance, Edits()) for utterance in frontend.utterances(text, language=language))
    if controls is not None:
        pairs = [(utterance, edits + controls.edits(number, utterance)) for number, (utterance, edits) in enumerate(pairs)]
        controls.check_all_said(len(pairs))
    return iter(_shared_out(pairs) if isinstance(pairs, list) else pairs)


def _shared_out(pairs: list[_Edited]) -> list[_Edited]:
    """A pause between two sentences as silence behind the one and before the other, whose first sound thereby comes at a known time."""
    shared = list(pairs)
    for number, (utterance, edits) in enumerate(pairs[:-1]):
        if edits.after_s is not None:
            lead_s = min(_LEAD_S, edits.after_s)
            shared[number] = (utterance, shared[number][1] + Edits(after_s=edits.after_s - lead_s))
            following, asked = shared[number + 1]
            shared[number + 1] = (following, asked + Edits(before_s=lead_s))
    return shared


def _marked_up(script: Script, utterances: Iterable[Utterance]) -> list[_Edited]:
    latin = "en" if script.language in {None, "zh"} else str(script.language)
    found: list[_Edited] = []
    end = -1
    for (start, stop), group in groupby(utterances, key=lambda utterance: (utterance.start, utterance.stop)):
        here = list(group)
        places = Places(script.text, here, latin=latin, stretches=script.stretches)
        edits, leading = _edits(script, here, places)
        _pause_before(found, edits, [*_between(script, end, start), *leading])
        found += [(utterance, asked + _soft_end(script, utterance)) for utterance, asked in zip(here, edits, strict=True)]
        end = stop
    _pause_before(found, [], _between(script, end, len(script.text)))
    return found


def _between(script: Script, end: int, start: int) -> list[float]:
    return [mark.seconds for mark in script.breaks if end <= mark.at <= start]


def _pause_before(found: list[_Edited], edits: list[Edits], pauses: Sequence[float]) -> None:
    """Put pauses between what was read and what comes next: behind the former, or before the latter where it is the first."""
    if not pauses:
        return
    if found:
        utterance, asked = found[-1]
        found[-1] = (utterance, asked + Edits(after_s=min(_LONGEST_PAUSE_S, sum(pauses) + (asked.after_s or 0.0))))
    elif edits:
        edits[0] += Edits(before_s=min(_LONGEST_PAUSE_S, sum(pauses)))


def _soft_end(script: Script, utterance: Utterance) -> Edits:
    """The pause of a sentence where an element ended it and no paragraph."""
    line_end = script.text.find("\n", utterance.stop)
    ends = line_end >= 0 and not script.text[utterance.stop : line_end].strip() and line_end + 1 in script.soft_ends
    return Edits(pause_after_s=PAUSE_AFTER_SENTENCE_S) if ends else Edits()


def _edits(script: Script, group: Sequence[Utterance], places: Places) -> tuple[list[Edits], list[float]]:
    """Edits of each utterance of a piece of text, and the pauses that turned out to stand before its first word."""
    edits = [Edits() for _ in group]
    leading: list[float] = []
    for span in script.spans:
        start, stop = max(span.start, places.start), min(span.stop, places.stop)
        if start >= stop:
            continue
        (first, begins), (last, ends) = places.begin(start, span.where), places.end(stop, span.where)
        for number in range(first, last + 1):
            begin = begins if number == first else 0
            end = ends if number == last else len(group[number].tokens)
            if end > begin:
                edits[number] += Edits(changes=(Change(start=begin, stop=end, expression=span.expression),))
    for mark in script.breaks:
        if not places.start < mark.at < places.stop:
            continue
        number, at = places.end(mark.at, mark.where)
        earlier = sum(pause.seconds for pause in edits[number].pauses if pause.at == at)
        if number == at == 0:
            leading.append(mark.seconds)
        elif all(token in silent_tokens() for token in group[number].tokens[at:]):
            edits[number] += Edits(after_s=min(_LONGEST_PAUSE_S, mark.seconds + (edits[number].after_s or 0.0)))
        else:
            edits[number] += Edits(pauses=(Pause(at=at, seconds=min(_LONGEST_PAUSE_S, mark.seconds + earlier)),))
    return edits, leading
