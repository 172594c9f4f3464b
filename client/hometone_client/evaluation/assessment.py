"""Let a voice speak what it has never read, and set it beside the person: the work behind `hometone evaluate`.

1. The voice speaks held-out sentences; time is taken while it does.
2. An unadapted voice speaks the same sentences, if one is given.
3. All yardsticks are applied to both and to the person's held-out takes.
4. Rows, sentences and facts become a report: table, JSON, HTML page.

Nothing is written here. The report holds figures and *synthetic* speech; takes are measured and forgotten.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import psutil

from hometone_client.embedding.mel import Floats
from hometone_client.evaluation.aims import aim_met
from hometone_client.evaluation.held_out import held_out_sentences
from hometone_client.evaluation.yardsticks import Clip, ClipFigures, Row, Yardsticks, compare, table
from hometone_shared.errors import UsageError

SPEECH_RATE_HZ = 24000

Speak = Callable[[str, str], Floats]
"""Called with a text and its language; returns the speech, float32 [n] at 24,000 Hz."""

Progress = Callable[[int, int], None]
"""Called with how many sentences are done and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenSentence:
    """One held-out sentence as the voice spoke it.

    Attributes:
        text: The sentence.
        language: Its language.
        figures: What was measured on it.
        speaking_s: Wall-clock time that speaking took, seconds.
        speech: The sound, float32 [n] at 24,000 Hz; in the page only, not in JSON.
    """

    text: str
    language: str
    figures: ClipFigures
    speaking_s: float
    speech: Floats = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """What is known about a voice.

    Attributes:
        voice: Name of the voice, as its owner gave it.
        created: When it was evaluated, UTC.
        rows: The yardsticks.
        sentences: What was spoken.
        takes: How many held-out takes of the person it was compared with.
        takes_s: Their length together, seconds.
        facts: Further facts by name, such as time and memory of adapting; shown as they are.
    """

    voice: str
    created: datetime
    rows: tuple[Row, ...]
    sentences: tuple[SpokenSentence, ...]
    takes: int
    takes_s: float
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def real_time_factor(self) -> float:
        """Wall-clock time of speaking by length of the speech; below 1 is faster than listening."""
        return sum(sentence.speaking_s for sentence in self.sentences) / sum(sentence.figures.seconds for sentence in self.sentences)

    def to_table(self) -> str:
        """Return the yardsticks as a plain text table."""
        return table(self.rows)

    def to_json(self) -> str:
        """Return everything but the sound as JSON; what could not be measured is null."""
        document = {
            "voice": self.voice,
            "created": self.created.isoformat(timespec="seconds"),
            "real_time_factor": self.real_time_factor,
            "takes": {"count": self.takes, "seconds": self.takes_s},
            "facts": dict(self.facts),
            "yardsticks": {row.name: {**row.as_dict(), "aim_met": aim_met(row)} for row in self.rows},
            "sentences": [_sentence_document(sentence) for sentence in self.sentences],
        }
        return json.dumps(_without_nan(document), ensure_ascii=False, indent=1, allow_nan=False)

    def to_html(self, language: Literal["zh", "en"] = "zh") -> bytes:
        """Return the report as one page, UTF-8, that needs nothing else; its readers can switch between both languages.

        Args:
            language: The language it opens in.
        """
        from hometone_client.evaluation.report import render

        return render(self, language)


def evaluate_voice(
    speak: Speak,
    *,
    voice: str,
    languages: Sequence[str],
    takes: Sequence[Clip],
    yardsticks: Yardsticks,
    stock: Mapping[str, Sequence[Floats]] | None = None,
    baseline: Speak | None = None,
    sentences: int | None = None,
    facts: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> EvaluationReport:
    """Evaluate a voice.

    Args:
        speak: The voice.
        voice: Its name, for the report.
        languages: Languages whose held-out sentences it speaks (`held_out.languages`).
        takes: Held-out takes of the person with their texts; none of them may have been used for adapting.
        yardsticks: What to measure with; brings the recogniser.
        stock: Embeddings of some utterances of each stock voice by name, for the floor of likeness.
        baseline: An unadapted voice that speaks the same sentences, for the floor of everything else.
        sentences: How many of each language's sentences are spoken, at least one; all by default.
        facts: Further facts for the report, by name.
        progress: Told after each sentence of each voice.
        clock: The time.

    Raises:
        UsageError: No language, no take, a language without sentences, or fewer than one sentence.
        AudioError: A take holds no sound.
        ModelError: Weights are missing.
    """
    if sentences is not None and sentences < 1:
        raise UsageError("a voice cannot be judged by no sentence", hint="choose one or more for each language")
    texts = [(text, language) for language in languages for text in held_out_sentences(language)[:sentences]]
    if not texts:
        raise UsageError("no language to evaluate was chosen", hint="name at least one language")
    if not takes:
        raise UsageError("there are no takes that were kept back from training", hint="record a few more sentences")
    steps = len(texts) * (2 if baseline is not None else 1)
    report_step = progress or _silent
    spoken: list[tuple[Clip, float]] = []
    for number, (text, language) in enumerate(texts, start=1):  # (1)
        started = time.perf_counter()
        samples = speak(text, language)
        spoken.append((Clip(samples, SPEECH_RATE_HZ, text, language), time.perf_counter() - started))
        report_step(number, steps)
    unadapted: list[Clip] = []
    if baseline is not None:  # (2)
        for number, (text, language) in enumerate(texts, start=len(texts) + 1):
            unadapted.append(Clip(baseline(text, language), SPEECH_RATE_HZ, text, language))
            report_step(number, steps)
    synthetic = yardsticks.measure([clip for clip, _ in spoken])  # (3)
    rows = compare(
        synthetic,
        yardsticks.measure(takes),
        stock=stock,
        baseline=yardsticks.measure(unadapted) if unadapted else None,
    )
    return EvaluationReport(  # (4)
        voice=voice,
        created=clock(),
        rows=tuple(rows),
        sentences=tuple(
            SpokenSentence(text=clip.text, language=clip.language, figures=figures, speaking_s=seconds, speech=clip.samples)
            for (clip, seconds), figures in zip(spoken, synthetic.clips, strict=True)
        ),
        takes=len(takes),
        takes_s=sum(take.samples.size / take.rate for take in takes),
        facts=dict(facts or {}),
    )


def peak_memory_bytes() -> int:
    """Return the most memory this process has held so far, bytes; where the system does not keep it, what it holds now."""
    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):  # Windows
        return int(memory.peak_wset)
    try:
        import resource
        import sys
    except ImportError:
        return int(memory.rss)
    kibibytes_or_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes_or_bytes * (1 if sys.platform == "darwin" else 1024)


def _silent(done: int, total: int) -> None:
    """Report nothing."""


def _sentence_document(sentence: SpokenSentence) -> dict[str, object]:
    figures = sentence.figures
    return {
        "text": sentence.text,
        "language": sentence.language,
        "recognised": figures.recognised,
        "error_rate": None if figures.errors is None else figures.errors.rate,
        "distillmos": figures.distillmos,
        "dnsmos_overall": None if figures.dnsmos is None else figures.dnsmos.overall,
        "seconds": figures.seconds,
        "speaking_seconds": sentence.speaking_s,
    }


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
