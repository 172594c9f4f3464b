"""All yardsticks at once: measure some utterances, measure a person's held-out takes, set them beside each other.

`Yardsticks` keeps the networks loaded, `measure` turns utterances into figures, `compare` turns two sets of figures into rows; `judge`
does all three for a script. Takes and what is heard in them stay in memory: nothing is written, printed or logged here.

Likeness by GE2E is one yardstick among several because adaptation is trained with it; timbre, spectrum, pitch and rate are not.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.embedding.mel import Floats
from hometone_client.evaluation import error_rates, likeness, ltas
from hometone_client.evaluation import timbre as timbres
from hometone_client.evaluation.breath import harmonics_to_noise_db
from hometone_client.evaluation.distillmos import DistillMos
from hometone_client.evaluation.dnsmos import Dnsmos, DnsmosScores
from hometone_client.evaluation.error_rates import ErrorCount
from hometone_client.evaluation.f0 import PitchStatistics, pitch_statistics
from hometone_client.evaluation.rate import RateStatistics, rate_statistics
from hometone_client.evaluation.recognition import Transcriber, WhisperTranscriber
from hometone_client.models import ensure
from hometone_shared.errors import UsageError

Measure = Literal["likeness", "timbre", "errors", "dnsmos", "distillmos", "spectrum", "pitch", "breath", "rate"]
ALL_MEASURES: frozenset[Measure] = frozenset(
    {"likeness", "timbre", "errors", "dnsmos", "distillmos", "spectrum", "pitch", "breath", "rate"}
)


class Clip(NamedTuple):
    """One utterance to be measured.

    Attributes:
        samples: float32 [n], mono, in [-1, 1].
        rate: Sample rate, Hz.
        text: What is said.
        language: `zh`, `en`, `es`, `fr`, `it`, `pt`, `nl` or `mixed`.
    """

    samples: Floats
    rate: int
    text: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFigures:
    """What was measured on one utterance; None where it was not asked for."""

    seconds: float
    language: str
    recognised: str | None = None
    errors: ErrorCount | None = None
    dnsmos: DnsmosScores | None = None
    distillmos: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured on a set of utterances; None where it was not asked for."""

    clips: tuple[ClipFigures, ...]
    embeddings: tuple[Floats, ...] | None = None
    timbres: tuple[Floats, ...] | None = None
    spectrum: NDArray[np.float64] | None = None
    half_spectra: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    pitch: PitchStatistics | None = None
    harmonics_to_noise_db: float | None = None
    rates: Mapping[str, RateStatistics] = field(default_factory=dict)

    def errors(self, language: str | None = None) -> ErrorCount | None:
        """Pool the recognition errors, of one language or of all; None where none were counted."""
        counts = [clip.errors for clip in self.clips if clip.errors is not None and language in {None, clip.language}]
        return error_rates.pool(counts) if counts else None

    def mean_distillmos(self) -> float | None:
        """Return the mean DistillMOS of the utterances."""
        return _mean([clip.distillmos for clip in self.clips if clip.distillmos is not None])

    def mean_dnsmos(self, kind: Literal["signal", "background", "overall", "p808"]) -> float | None:
        """Return the mean of one DNSMOS score of the utterances."""
        return _mean([float(getattr(clip.dnsmos, kind)) for clip in self.clips if clip.dnsmos is not None])


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One yardstick: the synthetic voice beside the person.

    Attributes:
        name: Key of the row in JSON.
        unit: Unit of the figures, empty for plain numbers.
        synthetic: Figure of the synthetic voice.
        real: Figure of the person's held-out takes (for likeness the ceiling; for distances what two halves of the takes have).
        floor: Figure of the best stock voice, or of the unadapted voice that spoke the same sentences, where there is one.
        difference: Synthetic minus real; in per cent of real where `relative` is set.
        relative: Whether the difference is in per cent.
        decimals: How many decimals are worth showing.
    """

    name: str
    unit: str = ""
    synthetic: float | None
    real: float | None = None
    floor: float | None = None
    relative: bool = False
    decimals: int = 2

    @property
    def difference(self) -> float | None:
        """Synthetic minus real, in per cent of real when `relative`; None where one of them is missing."""
        if self.synthetic is None or self.real is None or (self.relative and self.real == 0):
            return None
        difference = self.synthetic - self.real
        return 100.0 * difference / self.real if self.relative else difference

    @property
    def difference_unit(self) -> str:
        """Unit of `difference`: per cent when relative, points between two figures in per cent."""
        if self.relative:
            return "%"
        return "points" if self.unit == "%" else self.unit

    def as_dict(self) -> dict[str, float | str | None]:
        """Return the row for JSON."""
        return {
            "synthetic": self.synthetic,
            "real": self.real,
            "floor": self.floor,
            "difference": self.difference,
            "unit": self.unit,
            "difference_unit": self.difference_unit,
        }


class Yardsticks:
    """The yardsticks with their networks, each loaded when it is first used."""

    def __init__(
        self,
        *,
        measures: frozenset[Measure] = ALL_MEASURES,
        folder: Path | None = None,
        transcriber: Transcriber | None = None,
        threads: int = 1,
    ) -> None:
        """Choose what to measure.

        Args:
            measures: What to measure; less is faster.
            folder: The model folder; the default one when not given.
            transcriber: The recogniser for error rates; Whisper base when not given.
            threads: Threads inside one network.
        """
        self.measures = measures
        self._folder = folder
        self._transcriber = transcriber
        self._threads = threads

    @cached_property
    def encoder(self) -> SpeakerEncoder:
        """The GE2E encoder."""
        return SpeakerEncoder(ensure("ge2e", folder=self._folder), threads=self._threads)

    @cached_property
    def recogniser(self) -> Transcriber:
        """The recogniser that was given, or Whisper base."""
        return self._transcriber or WhisperTranscriber(ensure("whisper-base", folder=self._folder), threads=self._threads)

    @cached_property
    def _dnsmos(self) -> Dnsmos:
        return Dnsmos(ensure("dnsmos", folder=self._folder), threads=self._threads)

    @cached_property
    def _distillmos(self) -> DistillMos:
        return DistillMos(ensure("distillmos", folder=self._folder))

    def measure(self, clips: Sequence[Clip]) -> Measured:
        """Measure a set of utterances of one voice.

        Raises:
            UsageError: There are no utterances.
            AudioError: An utterance holds no sound.
            ModelError: Weights are missing.
        """
        if not clips:
            raise UsageError("there is nothing to measure", hint="give at least one recording")
        sounds = [(clip.samples, clip.rate) for clip in clips]
        with_spectrum = "spectrum" in self.measures
        by_language: defaultdict[str, list[Clip]] = defaultdict(list)
        if "rate" in self.measures:
            for clip in clips:
                by_language[clip.language].append(clip)
        return Measured(
            clips=tuple(self._measure_clip(clip) for clip in clips),
            embeddings=tuple(self.encoder.embed_many(sounds)) if "likeness" in self.measures else None,
            timbres=tuple(timbres.timbre(samples, rate) for samples, rate in sounds) if "timbre" in self.measures else None,
            spectrum=ltas.average_spectrum(sounds) if with_spectrum else None,
            half_spectra=(ltas.average_spectrum(sounds[::2]), ltas.average_spectrum(sounds[1::2]))
            if with_spectrum and len(sounds) > 1
            else None,
            pitch=pitch_statistics(sounds) if "pitch" in self.measures else None,
            harmonics_to_noise_db=harmonics_to_noise_db(sounds) if "breath" in self.measures else None,
            rates={language: rate_statistics(spoken) for language, spoken in by_language.items()},
        )

    def _measure_clip(self, clip: Clip) -> ClipFigures:
        recognised = self.recogniser(clip.samples, clip.rate, clip.language) if "errors" in self.measures else None
        return ClipFigures(
            seconds=clip.samples.size / clip.rate,
            language=clip.language,
            recognised=recognised,
            errors=None if recognised is None else error_rates.count_errors(clip.text, recognised, clip.language),
            dnsmos=self._dnsmos.score(clip.samples, clip.rate) if "dnsmos" in self.measures else None,
            distillmos=self._distillmos.score(clip.samples, clip.rate) if "distillmos" in self.measures else None,
        )


def compare(
    synthetic: Measured,
    real: Measured,
    *,
    stock: Mapping[str, Sequence[Floats]] | None = None,
    baseline: Measured | None = None,
) -> list[Row]:
    """Set a synthetic voice beside the person it was made from.

    Args:
        synthetic: Utterances of the synthetic voice.
        real: Held-out takes of the person, none of them used for adaptation.
        stock: Embeddings of some utterances of each stock voice by name, for the floor of likeness; those that come with Hometone
            when not given.
        baseline: The same sentences spoken by an unadapted voice, for the floor of everything else.

    Returns:
        Rows in fixed order; a yardstick that was not measured on the synthetic voice is left out.
    """
    rows = [
        *_likeness_rows(synthetic, real, stock),
        *_error_rows(synthetic, real),
        *_opinion_rows(synthetic, real),
        *_spectrum_rows(synthetic, real),
        *_pitch_rows(synthetic, real),
        Row(
            name="harmonics_to_noise",
            unit="dB",
            synthetic=synthetic.harmonics_to_noise_db,
            real=real.harmonics_to_noise_db,
            decimals=1,
        ),
        *_rate_rows(synthetic, real),
    ]
    rows = [row for row in rows if row.synthetic is not None and not math.isnan(row.synthetic)]
    if baseline is not None:
        unadapted = {row.name: row.synthetic for row in compare(baseline, real)}
        rows = [replace(row, floor=unadapted.get(row.name)) if row.floor is None else row for row in rows]
    return rows


def judge(
    synth: Sequence[tuple[Floats, int, str, str]],
    real: Sequence[tuple[Floats, int, str, str]] | Measured,
    *,
    stock: Mapping[str, Sequence[Floats]] | None = None,
    yardsticks: Yardsticks | None = None,
) -> dict[str, dict[str, float | str | None]]:
    """Measure synthetic utterances and held-out takes, and return every row by its name.

    Args:
        synth: Samples, rate, text and language of each synthetic utterance.
        real: The same of each held-out take, or what `Yardsticks.measure` returned for them (saves time when judging many voices).
        stock: See `compare`.
        yardsticks: Loaded yardsticks; all of them when not given.
    """
    loaded = yardsticks or Yardsticks()
    real_figures = real if isinstance(real, Measured) else loaded.measure([Clip(*clip) for clip in real])
    synthetic_figures = loaded.measure([Clip(*clip) for clip in synth])
    return {row.name: row.as_dict() for row in compare(synthetic_figures, real_figures, stock=stock)}


def table(rows: Sequence[Row]) -> str:
    """Return rows as a plain text table."""
    lines = [f"{'':22}{'synthetic':>11}{'real':>11}{'floor':>11}{'difference':>13}"]
    for row in rows:
        cells = "".join(f"{_cell(value, row.decimals):>11}" for value in (row.synthetic, row.real, row.floor))
        difference = "" if row.difference is None else f"{row.difference:+.{1 if row.relative else row.decimals}f}"
        lines.append(f"{row.name:22}{cells}{difference:>11} {row.difference_unit}".rstrip())
    return "\n".join(lines)


def _cell(value: float | None, decimals: int) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.{decimals}f}"


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _likeness_rows(synthetic: Measured, real: Measured, stock: Mapping[str, Sequence[Floats]] | None) -> list[Row]:
    """Both yardsticks of likeness; the embeddings of the stock voices can be given, their timbres are those that come with Hometone."""
    kinds = (
        ("likeness", synthetic.embeddings, real.embeddings, timbres.stock_embeddings if stock is None else lambda: stock),
        ("timbre", synthetic.timbres, real.timbres, timbres.stock_timbres),
    )
    return [
        Row(
            name=name,
            synthetic=likeness.mean_likeness(spoken, taken),
            real=likeness.ceiling(taken),
            floor=likeness.floor(unadapted(), taken)[1],
            decimals=3,
        )
        for name, spoken, taken, unadapted in kinds
        if spoken is not None and taken is not None
    ]


def _error_rows(synthetic: Measured, real: Measured) -> list[Row]:
    rows = []
    languages = list(dict.fromkeys(clip.language for clip in synthetic.clips))
    for language in languages:
        spoken, taken = synthetic.errors(language), real.errors(language)
        if spoken is not None:
            rows.append(
                Row(
                    name=f"error_rate_{language}",
                    unit="%",
                    synthetic=100.0 * spoken.rate,
                    real=None if taken is None else 100.0 * taken.rate,
                    decimals=1,
                )
            )
    return rows


def _opinion_rows(synthetic: Measured, real: Measured) -> list[Row]:
    kinds: tuple[Literal["overall", "signal", "background", "p808"], ...] = ("overall", "signal", "background", "p808")
    return [
        Row(name="distillmos", synthetic=synthetic.mean_distillmos(), real=real.mean_distillmos()),
        *(Row(name=f"dnsmos_{kind}", synthetic=synthetic.mean_dnsmos(kind), real=real.mean_dnsmos(kind)) for kind in kinds),
    ]


def _spectrum_rows(synthetic: Measured, real: Measured) -> list[Row]:
    if synthetic.spectrum is None or real.spectrum is None:
        return []
    between_halves = None if real.half_spectra is None else ltas.distance_db(*real.half_spectra)
    return [Row(name="spectrum_distance", unit="dB", synthetic=ltas.distance_db(synthetic.spectrum, real.spectrum), real=between_halves)]


def _pitch_rows(synthetic: Measured, real: Measured) -> list[Row]:
    if synthetic.pitch is None or real.pitch is None:
        return []
    spoken, taken = synthetic.pitch, real.pitch
    return [
        Row(name="f0_median", unit="Hz", synthetic=spoken.median_hz, real=taken.median_hz, relative=True, decimals=1),
        Row(name="f0_range", unit="semitones", synthetic=spoken.range_semitones, real=taken.range_semitones),
    ]


def _rate_rows(synthetic: Measured, real: Measured) -> list[Row]:
    """Rates are compared within a language only; syllables of different languages are of different length."""
    rows = []
    for language, spoken in synthetic.rates.items():
        taken = real.rates.get(language)
        rows += [
            Row(
                name=f"rate_{language}",
                unit="syllables/s",
                synthetic=spoken.syllables_per_s,
                real=None if taken is None else taken.syllables_per_s,
                relative=True,
            ),
            Row(
                name=f"pause_{language}",
                unit="%",
                synthetic=100.0 * spoken.pause_fraction,
                real=None if taken is None else 100.0 * taken.pause_fraction,
                decimals=1,
            ),
        ]
    return rows
