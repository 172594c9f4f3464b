"""Reads SSML 1.1 (W3C Recommendation, 7 September 2010): <speak> with p, s, prosody, break, emphasis, say-as, sub, lang and phoneme.

What it may see: a document from anybody. Whatever bytes come, it raises `UsageError` or `TextError` and nothing else: no document type, no
entities, nothing external (defusedxml), bounded size, depth and pauses. An element or attribute that is not understood is refused with its
line and never passed over: what was written would sound otherwise than was meant.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler, feature_namespaces

from hometone_client.editing import say_as, values
from hometone_client.editing.expression import EMPHASES, PLAIN, Emphasis, Expression
from hometone_client.editing.markup import Break, Script, Span
from hometone_client.editing.symbols import base_symbols
from hometone_client.text.characters import is_han, readable
from hometone_client.text.frontend import LANGUAGES
from hometone_client.text.words import Stretch
from hometone_shared.errors import HometoneError, UsageError

NAMESPACE: Final = "http://www.w3.org/2001/10/synthesis"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_SCHEMA: Final = "http://www.w3.org/2001/XMLSchema-instance"
LONGEST: Final = 1_000_000
MOST_ELEMENTS: Final = 20_000
DEEPEST: Final = 50
LONGEST_PAUSES_S: Final = 600.0
_ATTRIBUTES: Final[dict[str, frozenset[str]]] = {
    "speak": frozenset({"version", "lang", "schemaLocation"}),
    "p": frozenset({"lang"}),
    "s": frozenset({"lang"}),
    "prosody": frozenset({"pitch", "contour", "range", "rate", "duration", "volume"}),
    "break": frozenset({"strength", "time"}),
    "emphasis": frozenset({"level"}),
    "say-as": frozenset({"interpret-as", "format", "detail"}),
    "sub": frozenset({"alias"}),
    "lang": frozenset({"lang"}),
    "phoneme": frozenset({"ph", "alphabet"}),
}
_NEEDED: Final = {"say-as": "interpret-as", "sub": "alias", "lang": "lang", "phoneme": "ph"}
_T = TypeVar("_T")
_WITHOUT_ELEMENTS: Final = frozenset({"break", "say-as", "sub", "phoneme"})


def parsed(document: str, *, language: str | None = None) -> Script:
    """Read a document.

    Args:
        document: SSML.
        language: How Latin words are read where the document does not say.

    Raises:
        UsageError: It is not SSML that is understood here; the message names element, attribute and line.
        TextError: A word of it cannot be read aloud.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.sax import make_parser

    if len(document) > LONGEST:
        raise UsageError(f"the SSML has more than {LONGEST} characters", hint="split it")
    parser: Any = make_parser()
    reader = _Reader(document, language, parser)
    parser.forbid_dtd = True
    parser.setFeature(feature_namespaces, True)
    parser.setContentHandler(reader)
    try:
        parser.feed(document)
        parser.close()
    except DefusedXmlException as error:
        raise UsageError("the SSML declares a document type or entities, which are not read", hint="write the words themselves") from error
    except SAXParseException as error:
        line = error.getLineNumber()
        raise UsageError(
            f"the SSML is not well-formed XML: line {line}", hint="close each element, and write &amp; and &lt; for & and <"
        ) from error
    except (ValueError, UnicodeError) as error:
        raise UsageError("the SSML cannot be read", hint="save it as UTF-8") from error
    return reader.script()


class _Reader(ContentHandler):
    """Gathers text and marks while the parser goes through the document."""

    def __init__(self, document: str, language: str | None, parser: Any) -> None:
        super().__init__()
        self._parser = parser
        self._usual = language
        self._has_han = any(map(is_han, document))
        self._text: list[str] = []
        self._size = 0
        self._stack: list[tuple[str, dict[str, str], int, str]] = []
        self._languages: list[str | None] = [None]
        self._spans: list[Span | None] = []
        self._breaks: list[Break] = []
        self._stretches: list[Stretch] = []
        self._soft_ends: set[int] = set()
        self._inner: list[str] = []
        self._elements = 0
        self._root: str | None = None

    def script(self) -> Script:
        return Script(
            text="".join(self._text),
            language=self._root,
            stretches=tuple(self._stretches),
            spans=tuple(span for span in self._spans if span is not None and not span.expression.is_plain),
            breaks=tuple(self._breaks),
            soft_ends=frozenset(self._soft_ends),
        )

    def _where(self, name: str) -> str:
        return f"<{name}> in line {self._parser.getLineNumber()}"

    def startElementNS(self, name: tuple[str | None, str], qname: str | None, attrs: Any) -> None:  # noqa: ARG002, N802 - xml.sax
        space, tag = name
        where = self._where(tag[:40])
        self._elements += 1
        if space not in {None, NAMESPACE} or tag not in _ATTRIBUTES:
            raise UsageError(f"{where} is not understood", hint=f"known elements: {', '.join(_ATTRIBUTES)}")
        if (tag == "speak") != (not self._stack):
            raise UsageError(f"{where} stands in the wrong place", hint="everything stands in one <speak>")
        if self._stack and self._stack[-1][0] in _WITHOUT_ELEMENTS:
            raise UsageError(f"{where} stands in <{self._stack[-1][0]}>, which holds text alone", hint="take it out")
        if tag in {"p", "s"} and any(outer in {"s", tag} for outer, *_ in self._stack):
            raise UsageError(f"{where} stands in the wrong place", hint="paragraphs <p> hold sentences <s>, and sentences neither")
        if self._elements > MOST_ELEMENTS or len(self._stack) >= DEEPEST:
            raise UsageError("the SSML has too many elements", hint=f"at most {MOST_ELEMENTS}, {DEEPEST} inside each other")
        given = _attributes(tag, attrs, where)
        if tag in {"p", "s"}:
            self._end_line()
        language = _language(given["lang"], where) if "lang" in given else self._languages[-1]
        if tag == "speak":
            self._root = language or self._usual
        self._languages.append(language)
        self._stack.append((tag, given, self._size, where))
        self._inner = []
        expression = _told(where, lambda: _expression(tag, given))
        self._spans.append(None if expression is PLAIN else Span(self._size, self._size, expression, where))
        self._stack[-1] = (tag, {**given, "#": str(len(self._spans) - 1)}, self._size, where)
        if tag == "break":
            seconds = _told(where, lambda: values.pause_s(strength=given.get("strength"), time=given.get("time")))
            self._breaks.append(Break(self._size, seconds, where))
            if sum(found.seconds for found in self._breaks) > LONGEST_PAUSES_S:
                raise UsageError(f"the pauses are longer than {LONGEST_PAUSES_S:g} s together", hint="split the text")

    def endElementNS(self, name: tuple[str | None, str], qname: str | None) -> None:  # noqa: ARG002, N802 - xml.sax
        tag, given, start, where = self._stack.pop()
        inner, self._inner = "".join(self._inner), []
        language = self._languages.pop()
        if tag == "say-as":
            spoken_in = language or ("zh" if self._has_han else self._root or "en")
            kind, form = given["interpret-as"], given.get("format")
            for word, sounds in _told(where, lambda: say_as.written(inner, kind=kind, form=form, language=spoken_in)):
                self._say(word, language, phonemes=sounds)
        elif tag == "sub":
            self._say(given["alias"], language)
        elif tag == "phoneme":
            symbols = _told(where, lambda: base_symbols(given["ph"], alphabet=given.get("alphabet", "ipa")))
            self._say(inner.strip() or "x", language, phonemes=symbols)
        span = self._spans[int(given["#"])]
        if span is not None:
            self._spans[int(given["#"])] = Span(start, self._size, span.expression, span.where)
        if tag in {"p", "s"}:
            self._end_line()
            if tag == "s":
                self._soft_ends.add(self._size)
            else:
                self._soft_ends.discard(self._size)

    def characters(self, content: str) -> None:
        if self._stack and self._stack[-1][0] in _WITHOUT_ELEMENTS:
            self._inner.append(content)
            if self._stack[-1][0] == "break" and content.strip():
                raise UsageError(f"{self._stack[-1][3]} holds text", hint="close it: <break/>")
            return
        self._say(content, self._languages[-1])

    def _say(self, text: str, language: str | None, *, phonemes: str | None = None) -> None:
        """Add words in a language."""
        spoken = re.sub(r"\s+", " ", text)
        if not self._text or self._text[-1][-1:] in {" ", "\n"}:
            spoken = spoken.lstrip()
        if not spoken:
            return
        spoken = readable("x" + spoken)[1:].replace("\n", " ")  # the x: a piece without words is allowed where others follow
        if not spoken:
            return
        start, self._size = self._size, self._size + len(spoken)
        self._text.append(spoken)
        if phonemes is not None:
            self._stretches.append(Stretch(start=start, stop=self._size, phonemes=phonemes))
        elif language is not None and language not in {self._root, "zh"}:
            last = self._stretches[-1] if self._stretches else None
            if last is not None and last.stop == start and last.language == language:
                start = self._stretches.pop().start
            self._stretches.append(Stretch(start=start, stop=self._size, language=language))

    def _end_line(self) -> None:
        if self._size and self._text[-1] != "\n":
            self._text.append("\n")
            self._size += 1


def _attributes(tag: str, attrs: Any, where: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for (space, name), value in attrs.items():
        known = name in _ATTRIBUTES[tag] and space == {"lang": _XML, "schemaLocation": _SCHEMA}.get(name)
        if not known and (space, name) != (_XML, "id"):
            hint = (
                "write xml:lang" if name == "lang" and tag != "speak" and space is None else f"known: {', '.join(sorted(_ATTRIBUTES[tag]))}"
            )
            raise UsageError(f"the attribute {name[:40]!r} of {where} is not understood", hint=hint)
        given[name] = value
    needed = _NEEDED.get(tag)
    if needed is not None and needed not in given:
        raise UsageError(f"the attribute {needed!r} of {where} is missing", hint="see docs/editing.md")
    if given.get("version", "1.1") not in {"1.0", "1.1"}:
        raise UsageError(f"the SSML of {where} is of another version", hint="write version 1.1 or 1.0")
    return given


def _language(tag: str, where: str) -> str:
    wanted = tag.strip().lower().replace("_", "-")
    chosen = "en-gb" if wanted.startswith("en-gb") else wanted.partition("-")[0]
    if chosen not in LANGUAGES:
        raise UsageError(f"the language {tag[:40]!r} of {where} is not supported", hint=f"choose one of {', '.join(LANGUAGES)}")
    return chosen


def _expression(tag: str, given: dict[str, str]) -> Expression:
    if tag == "prosody":
        return values.prosody(given)
    if tag == "emphasis":
        level = given.get("level", Emphasis.MODERATE)
        if level not in set(Emphasis):
            raise UsageError(f"{level[:40]!r} is no level", hint=f"choose one of {', '.join(Emphasis)}")
        return EMPHASES[Emphasis(level)]
    return PLAIN


def _told(where: str, made: Callable[[], _T]) -> _T:
    """What was made, or its error with the element it came from."""
    try:
        return made()
    except HometoneError as error:
        raise UsageError(f"{where}: {error.message}", hint=error.hint) from error
