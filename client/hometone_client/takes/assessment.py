"""A take comes in: found, measured, cut and, where possible, written down. The one way from `RawTake` to something that can be learnt.

1. Find the speech and measure the take. A rejected take goes no further.
2. Cut the speech into pieces of 1 to 12 s.
3. A prompted take has its words already: the prompt, over the whole stretch of speech. When a recogniser is given, what it hears is
   compared with the prompt, and too many differences are said (requirement 1: everybody reads the same).
4. A free take is written down piece by piece (requirement 4), in one language for the whole take, told from its longest piece; doubtful
   pieces keep no words.
"""

from dataclasses import dataclass

from hometone_client.audio.raw_take import RawTake
from hometone_client.takes.agreement import error_rate
from hometone_client.takes.quality import Code, QualityFinding, QualityReport, Verdict, finding, measure, rejection, verdict
from hometone_client.takes.segmentation import Segment, detect, pieces
from hometone_client.takes.transcription import Transcriber, Transcript


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a take whose words are known.

    Attributes:
        segment: Where.
        text: The words, as prompted or as transcribed.
    """

    segment: Segment
    text: str


@dataclass(frozen=True, slots=True)
class AssessedTake:
    """A take and all that is known about it.

    Attributes:
        take: The recording itself.
        report: The figures of the gate.
        segments: Pieces of speech of 1 to 12 s, for the speaker embedding; empty when the take is rejected.
        passages: Stretches with known words, for alignment and fine-tuning: the whole speech of a prompted take, the pieces of a free one.
        transcript: What the recogniser heard, whole take; None without one, or when the take is rejected.
        error_rate: Share of the prompt's words (characters) heard otherwise; None without prompt or recogniser.
        language: As given, or as the recogniser told; None when neither.
        findings: Of the report, and about the words.
    """

    take: RawTake
    report: QualityReport
    segments: tuple[Segment, ...]
    passages: tuple[Passage, ...]
    transcript: Transcript | None
    error_rate: float | None
    language: str | None
    findings: tuple[QualityFinding, ...]

    @property
    def verdict(self) -> Verdict:
        """Follows from all findings."""
        return verdict(self.findings)

    def accepted(self, *, language: str = "en") -> "AssessedTake":
        """Itself, when it is accepted.

        Args:
            language: In which a rejection is worded, "zh" or "en".

        Raises:
            TakeRejectedError: With every decisive figure and its aim.
        """
        if self.verdict is Verdict.REJECT:
            raise rejection(self.findings, language=language)
        return self


def intake(
    take: RawTake, *, prompt: str | None = None, language: str | None = None, transcriber: Transcriber | None = None
) -> AssessedTake:
    """Assess a take.

    Args:
        take: As recorded or decoded.
        prompt: The sentence that was to be read; None for free speech.
        language: ISO 639 code of what is said; None lets the recogniser tell.
        transcriber: The recogniser; without one a prompted take is believed and a free one has no passages.

    Raises:
        ModelError: The network that finds speech is missing.
        UsageError: The recogniser does not know the language.
    """
    heard = detect(take.samples, take.sample_rate_hz)
    report = measure(take, heard)
    if report.verdict is Verdict.REJECT:
        return AssessedTake(take, report, (), (), None, None, language, report.findings)
    cut = pieces(heard)
    findings = report.findings
    transcript: Transcript | None = None
    rate: float | None = None
    if prompt is not None:
        whole = Segment(heard.speech[0].start_s, heard.speech[-1].end_s)
        passages: tuple[Passage, ...] = (Passage(whole, prompt),)
        if transcriber is not None:
            transcript = transcriber.transcribe(take.samples, take.sample_rate_hz, language=language)
            rate = error_rate(prompt, transcript.text, language or transcript.language)
            other = finding(Code.OTHER_WORDS, 100.0 * min(1.0, rate))
            findings += (other,) if other is not None else ()
    elif transcriber is not None:
        transcript, passages = _write_down(take, cut, language=language, transcriber=transcriber)
    else:
        passages = ()
    return AssessedTake(
        take=take,
        report=report,
        segments=cut,
        passages=passages,
        transcript=transcript,
        error_rate=rate,
        language=language or (transcript.language if transcript is not None else None) or None,
        findings=findings,
    )


def _write_down(
    take: RawTake, cut: tuple[Segment, ...], *, language: str | None, transcriber: Transcriber
) -> tuple[Transcript, tuple[Passage, ...]]:
    """Rule 4 above: (the whole transcript, the trusted pieces)."""
    told, probability = language, 1.0
    heard: dict[Segment, Transcript] = {}
    if told is None and cut:
        longest = max(cut, key=lambda segment: segment.duration_s)
        first = transcriber.transcribe(longest.cut(take.samples, take.sample_rate_hz), take.sample_rate_hz)
        told, probability = first.language or None, first.language_probability
        heard[longest] = first
    for segment in cut:
        if segment not in heard:
            heard[segment] = transcriber.transcribe(segment.cut(take.samples, take.sample_rate_hz), take.sample_rate_hz, language=told)
    ordered = [heard[segment] for segment in cut]
    joint = "" if told in {"zh", "ja"} else " "
    whole = Transcript(
        text=joint.join(each.text for each in ordered if each.text),
        language=told or "",
        language_probability=probability if told else 0.0,
        doubtful=any(each.doubtful for each in ordered),
    )
    trusted = tuple(Passage(segment, heard[segment].text) for segment in cut if heard[segment].text and not heard[segment].doubtful)
    return whole, trusted
