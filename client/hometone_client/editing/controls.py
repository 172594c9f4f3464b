"""Controls: what somebody wants changed about sentences, words and phonemes of a text, as types and as JSON (docs/editing.md).

    {"version": 1,
     "sentences": [{"sentence": 0, "rate": 0.9, "gain_db": -3}],
     "words": [{"sentence": 0, "word": 3, "emphasis": "strong", "pause_after_s": 0.4}],
     "phonemes": [{"sentence": 0, "phoneme": 5, "duration": 1.5, "contour": [[0, 0], [1, -3]]}]}

Numbers are those of a plan (`hometone say --plan`), whose own JSON may be edited and given back: what it says about words and sounds stands
under "said", and is compared, so that controls made for another text are refused and never fall on other words. Unknown fields are refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hometone_client.editing.expression import EMPHASES, PLAIN, Change, ContourPoint, Edits, Emphasis, Expression, Pause, checked
from hometone_client.text.utterance import Utterance, silent_tokens
from hometone_shared.errors import UsageError

VERSION: Final = 1
MOST_CONTROLS: Final = 20_000
LONGEST_JSON: Final = 4_000_000
_LISTS: Final = ("sentences", "words", "phonemes")
_COMMON: Final = frozenset({"sentence", "said", "pitch_semitones", "contour"})
_FIELDS: Final[dict[str, frozenset[str]]] = {
    "sentences": _COMMON | {"range", "rate", "gain_db", "pause_after_s"},
    "words": _COMMON | {"word", "range", "rate", "gain_db", "emphasis", "pause_after_s"},
    "phonemes": _COMMON | {"phoneme", "duration"},
}
_WHAT: Final = {"sentences": "sentence", "words": "word", "phonemes": "phoneme"}
_HINT: Final = "compare it with docs/editing.md, or with what --plan writes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What is wanted of one sentence, word or phoneme.

    Attributes:
        sentence: Number of the utterance, from 0.
        word: Number among `Utterance.words`, marks counted; None for the whole sentence or a phoneme.
        phoneme: Number of the token; None for a sentence or a word.
        expression: What changes.
        emphasis: Emphasis of a word.
        pause_after_s: The pause behind it; None leaves the text's own.
        said: The text or the symbol that this was made for; None is not compared.
    """

    sentence: int
    word: int | None = None
    phoneme: int | None = None
    expression: Expression = PLAIN
    emphasis: Emphasis = Emphasis.NONE
    pause_after_s: float | None = None
    said: str | None = None

    def __post_init__(self) -> None:
        if self.pause_after_s is not None:
            checked(self.pause_after_s, (0.0, 10.0), what="pause in seconds")


@dataclass(frozen=True, slots=True)
class Controls:
    """All that is wanted of one text.

    Attributes:
        wanted: Sentences first, then words, then phonemes: what stands later lies inside what stands before.
    """

    wanted: tuple[Control, ...] = ()

    @classmethod
    def from_json(cls, document: str | bytes) -> "Controls":
        """Read controls.

        Raises:
            UsageError: It is not such a document, or a value lies outside its bounds.
        """
        if len(document) > LONGEST_JSON:
            raise UsageError("the controls are too large", hint="leave out what changes nothing")
        try:
            found = json.loads(document)
        except (ValueError, RecursionError) as error:
            raise UsageError("the controls are not JSON", hint=_HINT) from error
        return cls.from_object(found)

    @classmethod
    def from_object(cls, found: object) -> "Controls":
        """Read controls from the objects that JSON was parsed to.

        Raises:
            UsageError: They are not such controls, or a value lies outside its bounds.
        """
        if not isinstance(found, Mapping):
            raise UsageError("the controls are not a JSON object", hint=_HINT)
        if found.get("version") is True or found.get("version") != VERSION:
            raise UsageError(f"the controls are not of version {VERSION}", hint=_HINT)
        if unknown := sorted(set(map(str, found)) - {"version", *_LISTS}):
            raise UsageError(f"the controls have an unknown field {unknown[0][:40]!r}", hint=_HINT)
        wanted: list[Control] = []
        for kind in _LISTS:
            entries = found.get(kind, [])
            if not isinstance(entries, list) or len(wanted) + len(entries) > MOST_CONTROLS:
                raise UsageError(f"{kind} is not a list of at most {MOST_CONTROLS} controls", hint=_HINT)
            wanted += [_control(kind, entry, number) for number, entry in enumerate(entries)]
        return cls(tuple(control for control in wanted if control.said is not None or _changes(control)))

    def edits(self, number: int, utterance: Utterance) -> Edits:
        """Return what is wanted of one utterance.

        Args:
            number: Which one it is, from 0.
            utterance: It.

        Raises:
            UsageError: A word or a phoneme is not there, or is another one than the controls were made for.
        """
        edits = Edits()
        for control in self.wanted:
            if control.sentence == number:
                edits += _edits(control, utterance)
        return edits

    def check_all_said(self, sentences: int) -> None:
        """Refuse controls for sentences that the text does not have.

        Raises:
            UsageError: There are such.
        """
        beyond = [control.sentence for control in self.wanted if control.sentence >= sentences]
        if beyond:
            raise UsageError(f"the controls name sentence {beyond[0]}, and the text has {sentences}", hint="sentences are counted from 0")


def _changes(control: Control) -> bool:
    return not control.expression.is_plain or control.emphasis is not Emphasis.NONE or control.pause_after_s is not None


def _control(kind: str, entry: object, number: int) -> Control:
    if not isinstance(entry, Mapping):
        raise UsageError(f"entry {number} of {kind} is not a JSON object", hint=_HINT)
    if unknown := sorted(set(map(str, entry)) - _FIELDS[kind]):
        raise UsageError(f"entry {number} of {kind} has an unknown field {unknown[0][:40]!r}", hint=_HINT)
    try:
        return _read(_WHAT[kind], dict(entry))
    except UsageError as error:
        raise UsageError(f"entry {number} of {kind}: {error.message}", hint=error.hint) from error


def _read(what: str, entry: dict[str, Any]) -> Control:
    indices = {name: _index(entry, name) for name in dict.fromkeys(("sentence", what))}
    said = entry.get("said")
    if said is not None:
        said = said.get("text", said.get("symbol")) if isinstance(said, Mapping) else None
        if not isinstance(said, str):
            raise UsageError('"said" holds neither a text nor a symbol', hint="leave it as the plan wrote it, or leave it out")
    try:
        emphasis = Emphasis(entry.get("emphasis", Emphasis.NONE))
    except ValueError as error:
        raise UsageError("the emphasis is none of strong, moderate, none and reduced", hint=_HINT) from error
    values: dict[str, Any] = {}
    for field, name in (("pitch_semitones", "pitch_semitones"), ("range", "pitch_range"), ("rate", "rate"), ("gain_db", "gain_db")):
        if field in entry:
            values[name] = entry[field]
    if "duration" in entry:
        values["rate"] = 1.0 / checked(entry["duration"], (0.3, 3.0), what="duration")
    if "contour" in entry:
        values["contour"] = _contour(entry["contour"])
    return Control(**indices, expression=Expression(**values), emphasis=emphasis, pause_after_s=entry.get("pause_after_s"), said=said)


def _index(entry: dict[str, Any], name: str) -> int:
    value = entry.get(name)
    if type(value) is not int or not 0 <= value < MOST_CONTROLS:
        raise UsageError(f"the number of the {name} is missing or not a whole number from 0", hint=_HINT)
    return value


def _contour(points: object) -> tuple[ContourPoint, ...]:
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise UsageError("the contour is not a list of pairs", hint="write [[0, 0], [0.5, 2], [1, -1]]: place from 0 to 1, semitones")
    return tuple(ContourPoint(at=at, semitones=semitones) for at, semitones in points)


def _edits(control: Control, utterance: Utterance) -> Edits:
    """One control as edits: the emphasis inside its other wishes."""
    start, stop, said = _where(control, utterance)
    if control.said is not None and control.said != said:
        raise UsageError(f"the controls were made for another text: sentence {control.sentence} has changed", hint="make the plan anew")
    asked = [expression for expression in (control.expression, EMPHASES[control.emphasis]) if not expression.is_plain]
    changes = tuple(Change(start=start, stop=stop, expression=expression) for expression in asked)
    if control.pause_after_s is None:
        return Edits(changes=changes)
    if _last(utterance, stop):
        return Edits(changes=changes, after_s=control.pause_after_s)
    return Edits(changes=changes, pauses=(Pause(at=stop, seconds=control.pause_after_s),))


def _last(utterance: Utterance, stop: int) -> bool:
    return all(token in silent_tokens() for token in utterance.tokens[stop:])


def _where(control: Control, utterance: Utterance) -> tuple[int, int, str]:
    if control.word is not None:
        if control.word >= len(utterance.words):
            raise UsageError(f"sentence {control.sentence} has no word {control.word}", hint="see the plan of the text")
        word = utterance.words[control.word]
        return word.start, word.stop, word.text
    if control.phoneme is not None:
        if control.phoneme >= len(utterance.tokens):
            raise UsageError(f"sentence {control.sentence} has no phoneme {control.phoneme}", hint="see the plan of the text")
        return control.phoneme, control.phoneme + 1, utterance.phonemes[control.phoneme]
    return 0, len(utterance.tokens), utterance.text
