"""The gate: what is good and what is bad about a take, measured at once, in figures and in plain words (requirement 6).

1. Speech is found by `segmentation.detect`.
2. Power is taken every 16 ms over 32 ms, above 70 Hz (a person shifting the microphone is no noise to the voice model).
3. Signal-to-noise ratio: speech is the mean power of the frames the network calls speech; the floor is the 5th percentile of all frames
   that are not digitally silent (-80 dBFS: noise gates and edited files). Closures and short pauses are enough for that; where a take
   is trimmed to the words and has too few of them, the sum of the 5th percentiles of twenty bands is the lower and better floor (each
   band falls silent at another time; R. Martin, minimum statistics, 2001), less its bias of 3.5 dB. The larger ratio of the two counts:
   on real speech with noise added at 5 to 20 dB it is right within about 1 dB (docs/recording.md). Where 0.4 s and more are no speech,
   their lower quartile may take up to 6 dB off: low rumble wavers so much that single frames look quiet (6 dB is the bias of the 5th
   percentile for noise 100 Hz wide). No more, since the network sometimes takes speech for noise. It is noise that is always there; a
   single door or cough does not move it, and another voice in the room counts as speech.
4. Clipping: samples in flat tops, that is runs of three and more (0.1 ms and more at high rates) within 1 % of the take's own largest
   value, on either side. Its own largest value, not full scale: a clipped recording that was turned down stays clipped. Lossy formats and
   resampling round the flat tops off; what is left of them is a low crest factor, reported apart as `flattened`.
5. Level: mean power of the speech frames, so pauses do not count.
6. Bandwidth: the highest frequency where the loudest 2 % of the speech frames reach 60 dB below the strongest band and stand 12 dB above
   the quietest 5 % (noise fills the spectrum evenly and says nothing about the voice). The finding `narrow_band` leaves the second
   condition out: a band hidden by noise is a matter of noise.

All thresholds stand in `THRESHOLDS`, with their reasons; all words in `data/findings/*.json`.
"""

import enum
import functools
import importlib.resources
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hometone_client.audio.raw_take import RawTake
from hometone_client.takes.segmentation import VAD_RATE_HZ, WINDOW, Activity, detect
from hometone_shared.errors import TakeRejectedError, UsageError


class Code(enum.StrEnum):
    """What can be found in a take."""

    NO_SPEECH = "no_speech"
    TOO_SHORT = "too_short"
    NOISY = "noisy"
    CLIPPED = "clipped"
    FLATTENED = "flattened"
    FAINT = "faint"
    NARROW_BAND = "narrow_band"
    OTHER_WORDS = "other_words"
    LITTLE_SPEECH = "little_speech"


class Severity(enum.StrEnum):
    """Whether a finding keeps the take out."""

    ADVICE = "advice"
    REJECT = "reject"


class Verdict(enum.StrEnum):
    """What becomes of the take."""

    ACCEPT = "accept"
    ACCEPT_WITH_ADVICE = "accept_with_advice"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a figure is worth a word, and when it keeps the take out.

    Attributes:
        aim: Figures on the good side of this say nothing.
        limit: Figures beyond this reject the take; None when the figure alone never does.
        higher_is_better: The good side.
        unit: Of figure, aim and limit.
    """

    aim: float
    limit: float | None
    higher_is_better: bool
    unit: str

    def judge(self, figure: float) -> Severity | None:
        """None, advice or reject."""
        sign = 1.0 if self.higher_is_better else -1.0
        if self.limit is not None and sign * figure < sign * self.limit:
            return Severity.REJECT
        return Severity.ADVICE if sign * figure < sign * self.aim else None


THRESHOLDS: Final = {
    # Less than one second is not a sentence, and too little for a speaker embedding.
    Code.TOO_SHORT: Threshold(aim=1.0, limit=1.0, higher_is_better=True, unit="s"),
    # 20 dB: a quiet living room with a laptop at arm's length. Words heard wrongly by the recogniser (10 clips, three languages): 12 %
    # clean, 10 % at 20 dB, 11 % at 15 dB, 24 % at 10 dB, 64 % at 5 dB; what it cannot hear, the voice model cannot learn.
    Code.NOISY: Threshold(aim=20.0, limit=10.0, higher_is_better=True, unit="dB"),
    # Unclipped real speech has 0.01 % at most, one clip in 592 has 0.05 %; 0.5 % is audible as crackle on every loud vowel.
    Code.CLIPPED: Threshold(aim=0.05, limit=0.5, higher_is_better=False, unit="%"),
    # Unclipped real speech has 9.4 dB and more; below 8 dB more than 3 % of the samples were cut off before the file was compressed.
    Code.FLATTENED: Threshold(aim=9.0, limit=8.0, higher_is_better=True, unit="dB"),
    # Level is made up for later; below these the steps of 16 bits and the hiss of the input come up with it.
    Code.FAINT: Threshold(aim=-38.0, limit=-55.0, higher_is_better=True, unit="dBFS"),
    # 8 kHz telephone files reach 3.9 kHz. The voice made from them is as dull, but it is theirs: advice only.
    Code.NARROW_BAND: Threshold(aim=4300.0, limit=None, higher_is_better=True, unit="Hz"),
    # Share of words (characters) that differ from the prompt. Advice only: the recogniser may fail on a dialect, the person does not.
    Code.OTHER_WORDS: Threshold(aim=50.0, limit=None, higher_is_better=False, unit="%"),
    # All takes of a speaker together: a minute makes a voice (requirement 2), half of it a recognisable timbre (requirement 3).
    Code.LITTLE_SPEECH: Threshold(aim=60.0, limit=30.0, higher_is_better=True, unit="s"),
}

LANGUAGES: Final = ("zh", "en")
"""Languages in which findings are worded."""

_HOP_S: Final = 0.016
_HIGH_PASS_HZ: Final = 70.0
_GATED_POWER: Final = 1e-8  # -80 dBFS
_FLOOR_PERCENTILE: Final = 5.0
_SILENCE_S: Final = 0.4
_SILENCE_PERCENTILE: Final = 25.0
_RUMBLE_BIAS_DB: Final = 6.0
_MAX_SNR_DB: Final = 60.0
_NOISE_BANDS: Final = 20
_BANDWISE_BIAS_DB: Final = 3.5  # chosen: measured 1.8 to 4.3 at 10 dB, white and pink noise, by group of voices
_SPEECH_PROBABILITY: Final = 0.5
_CLIP_TOLERANCE: Final = 0.01
_CLIP_RUN: Final = 3
_CLIP_RUN_S: Final = 1e-4
_CREST_PERCENTILE: Final = 99.95
_BAND_REACH_DB: Final = -60.0
_BAND_CONTRAST_DB: Final = 12.0
_BAND_SMOOTHING_HZ: Final = 200.0
_SPECTRA: Final = 4000  # at most this many frames get a spectrum, evenly spread over longer takes; 64 s when they touch


@dataclass(frozen=True, slots=True)
class QualityFinding:
    """One thing worth saying about a take.

    Attributes:
        code: What it is.
        severity: Whether it keeps the take out.
        figure: As measured.
        aim: What the figure should reach.
        unit: Of both.
    """

    code: Code
    severity: Severity
    figure: float
    aim: float
    unit: str

    def what(self, language: str) -> str:
        """What was found, with figure and aim, in "zh" or "en"."""
        return self._words(language, "what")

    def advice(self, language: str) -> str:
        """What the person can do, in "zh" or "en"."""
        return self._words(language, "advice")

    def words(self, language: str) -> str:
        """Both, as one line to show."""
        joint = "：" if language == "zh" else ": "
        return f"{self.what(language)}{joint}{self.advice(language)}"

    def _words(self, language: str, part: str) -> str:
        figure, aim = _readable(self.figure, self.unit), _readable(self.aim, self.unit)
        return _wording(language)[self.code.value][part].format(figure=figure, aim=aim, unit=self.unit)


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The figures of one take.

    Attributes:
        duration_s: Length of the take.
        speech_s: Seconds with speech.
        snr_db: Speech over steady noise, at most 60; None without speech.
        level_dbfs: Level of the speech (a full-scale sine has -3); None without speech.
        clipped_percent: Share of all samples in flat tops.
        clipped_runs: Number of flat tops.
        crest_db: 99.95th percentile of the amplitude over the level of the speech; None without speech.
        bandwidth_hz: Highest frequency with speech in it; None without speech.
        findings: What is worth saying, rejections first.
    """

    duration_s: float
    speech_s: float
    snr_db: float | None
    level_dbfs: float | None
    clipped_percent: float
    clipped_runs: int
    crest_db: float | None
    bandwidth_hz: float | None
    findings: tuple[QualityFinding, ...]

    @property
    def verdict(self) -> Verdict:
        """Follows from the findings alone."""
        return verdict(self.findings)


def verdict(findings: Iterable[QualityFinding]) -> Verdict:
    """The worst finding decides."""
    severities = {finding.severity for finding in findings}
    if Severity.REJECT in severities:
        return Verdict.REJECT
    return Verdict.ACCEPT_WITH_ADVICE if severities else Verdict.ACCEPT


def finding(code: Code, figure: float) -> QualityFinding | None:
    """The finding that a figure earns by `THRESHOLDS`; None when it is fine."""
    threshold = THRESHOLDS[code]
    severity = threshold.judge(figure)
    if severity is None:
        return None
    return QualityFinding(code, severity, figure, threshold.aim, threshold.unit)


def measure(take: RawTake, activity: Activity | None = None) -> QualityReport:
    """Measure a take; a few milliseconds for each second of sound.

    Args:
        take: The take.
        activity: What `segmentation.detect` found in it, when the caller has it already.

    Raises:
        ModelError: The network that finds speech is missing.
    """
    heard = detect(take.samples, take.sample_rate_hz) if activity is None else activity
    powers, hop = _powers(take.samples, take.sample_rate_hz)
    in_speech = _speech_frames(heard, count=powers.size, hop_s=hop / take.sample_rate_hz)
    clipped_percent, clipped_runs = _flat_tops(take)
    if not heard.speech or in_speech.sum() < 2:
        aim = THRESHOLDS[Code.TOO_SHORT]
        none = QualityFinding(Code.NO_SPEECH, Severity.REJECT, heard.speech_s, aim.aim, aim.unit)
        return QualityReport(take.duration_s, heard.speech_s, None, None, clipped_percent, clipped_runs, None, None, (none,))
    signal = float(powers[in_speech].mean())
    level_dbfs = _decibel(signal)
    spectra = _Spectra.of(take, in_speech, hop)
    snr_db = max(_snr_db(powers, signal, _FLOOR_PERCENTILE), spectra.snr_db() - _BANDWISE_BIAS_DB)
    silence = powers[~_within(heard, count=powers.size, hop_s=hop / take.sample_rate_hz)]
    if silence.size * hop >= _SILENCE_S * take.sample_rate_hz:
        snr_db = min(snr_db, max(snr_db - _RUMBLE_BIAS_DB, _snr_db(silence, signal, _SILENCE_PERCENTILE)))
    snr_db = min(snr_db, _MAX_SNR_DB)
    crest_db = 20.0 * float(np.log10(max(np.percentile(np.abs(take.samples), _CREST_PERCENTILE), 1e-10))) - level_dbfs
    bandwidth_hz = spectra.bandwidth_hz()
    figures = {
        Code.TOO_SHORT: heard.speech_s,
        Code.NOISY: snr_db,
        Code.CLIPPED: clipped_percent,
        Code.FLATTENED: crest_db,
        Code.FAINT: level_dbfs,
        Code.NARROW_BAND: spectra.bandwidth_hz(contrast_db=0.0),
    }
    found = [each for code, figure in figures.items() if (each := finding(code, figure)) is not None]
    if snr_db < THRESHOLDS[Code.NOISY].aim:
        # Noise lowers the crest factor by itself; one cause, one word.
        found = [each for each in found if each.code is not Code.FLATTENED]
    found.sort(key=lambda each: each.severity is not Severity.REJECT)
    return QualityReport(
        duration_s=take.duration_s,
        speech_s=heard.speech_s,
        snr_db=snr_db,
        level_dbfs=level_dbfs,
        clipped_percent=clipped_percent,
        clipped_runs=clipped_runs,
        crest_db=crest_db,
        bandwidth_hz=bandwidth_hz,
        findings=tuple(found),
    )


def enough_speech(reports: Iterable[QualityReport]) -> QualityFinding | None:
    """Whether the accepted takes of a speaker together make a voice: None from 60 s on, advice from 30 s on, reject below."""
    return finding(Code.LITTLE_SPEECH, sum(report.speech_s for report in reports if report.verdict is not Verdict.REJECT))


def rejection(findings: Iterable[QualityFinding], *, language: str = "en") -> TakeRejectedError:
    """The error to raise for a rejected take: every rejecting finding with its figure and aim, and what to do.

    Args:
        findings: Of the take.
        language: "zh" or "en".
    """
    decisive = [each for each in findings if each.severity is Severity.REJECT]
    joint = "；" if language == "zh" else "; "
    return TakeRejectedError(
        joint.join(each.what(language) for each in decisive), hint=joint.join(each.advice(language) for each in decisive)
    )


def _powers(samples: npt.NDArray[np.float32], rate: int) -> tuple[npt.NDArray[np.float64], int]:
    """(mean power of 32 ms every 16 ms, above 70 Hz; the hop in samples)."""
    from scipy.signal import butter, sosfilt, sosfilt_zi

    hop = max(1, round(_HOP_S * rate))
    sections = butter(2, _HIGH_PASS_HZ, "highpass", fs=rate, output="sos")
    state = sosfilt_zi(sections) * float(samples[0])
    halves = []
    for first in range(0, samples.size, hop * 1024):  # 16 s at once: a long take is not copied as float64
        filtered, state = sosfilt(sections, samples[first : first + hop * 1024].astype(np.float64), zi=state)
        whole = filtered.size // hop * hop
        halves.append((filtered[:whole].reshape(-1, hop) ** 2).mean(axis=1))
    half = np.concatenate(halves)
    return (half[:-1] + half[1:]) / 2.0, hop


def _centres(count: int, hop_s: float) -> npt.NDArray[np.float64]:
    """Middle of each frame of two hops, s."""
    centres: npt.NDArray[np.float64] = np.arange(1, count + 1, dtype=np.float64) * hop_s
    return centres


def _within(heard: Activity, *, count: int, hop_s: float) -> npt.NDArray[np.bool_]:
    """Which of the frames lie in a stretch of speech, its padding included."""
    centres = _centres(count, hop_s)
    inside = np.zeros(count, dtype=np.bool_)
    for segment in heard.speech:
        inside |= (centres >= segment.start_s) & (centres <= segment.end_s)
    return inside


def _speech_frames(heard: Activity, *, count: int, hop_s: float) -> npt.NDArray[np.bool_]:
    """Which of the frames the network calls speech, in stretches that count as speech."""
    windows = (np.arange(heard.probabilities.size) + 0.5) * (WINDOW / VAD_RATE_HZ)
    likely = np.interp(_centres(count, hop_s), windows, heard.probabilities) >= _SPEECH_PROBABILITY
    return np.asarray(likely & _within(heard, count=count, hop_s=hop_s), dtype=np.bool_)


def _snr_db(powers: npt.NDArray[np.float64], signal: float, percentile: float) -> float:
    """Signal (with its noise) over the percentile of the frames that are not digitally silent."""
    sounding = powers[powers > _GATED_POWER]
    if sounding.size == 0:
        sounding = powers  # fainter than any noise gate: the floor is what there is
    floor = max(float(np.percentile(sounding, percentile)), 1e-15)
    return _decibel(max(signal - floor, 1e-15)) - _decibel(floor)


def _decibel(power: float) -> float:
    return 10.0 * float(np.log10(max(power, 1e-15)))


def _flat_tops(take: RawTake) -> tuple[float, int]:
    """(percent of samples in flat tops, number of flat tops), rule 4 above."""
    least = max(_CLIP_RUN, round(_CLIP_RUN_S * take.sample_rate_hz))
    samples, runs = 0, 0
    for side in (take.samples, -take.samples):
        top = float(side.max())
        if top <= 0.0:
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[False], side >= top * (1.0 - _CLIP_TOLERANCE), [False]])))
        lengths = edges[1::2] - edges[::2]
        lengths = lengths[lengths >= least]
        samples += int(lengths.sum())
        runs += int(lengths.size)
    return 100.0 * samples / take.samples.size, runs


@dataclass(frozen=True, slots=True)
class _Spectra:
    """Power spectra of frames spread over the take.

    Attributes:
        power: float64 [frames, bins].
        frequencies: float64 [bins], Hz.
        in_speech: bool [frames].
    """

    power: npt.NDArray[np.float64]
    frequencies: npt.NDArray[np.float64]
    in_speech: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, take: RawTake, in_speech: npt.NDArray[np.bool_], hop: int) -> "_Spectra":
        """Hann-windowed frames of 32 ms."""
        size = 2 * hop
        chosen = np.arange(0, in_speech.size, -(-in_speech.size // _SPECTRA))
        if not in_speech[chosen].any():
            chosen = np.flatnonzero(in_speech)[:_SPECTRA]
        frames = take.samples[(chosen * hop)[:, None] + np.arange(size)] * np.hanning(size).astype(np.float32)
        frequencies: npt.NDArray[np.float64] = np.asarray(np.fft.rfftfreq(size, 1.0 / take.sample_rate_hz), dtype=np.float64)
        power: npt.NDArray[np.float64] = np.abs(np.fft.rfft(frames, axis=1)).astype(np.float64) ** 2
        return cls(power, frequencies, in_speech[chosen])

    def snr_db(self) -> float:
        """Rule 3 above, the floor taken in each band by itself."""
        edges = np.searchsorted(self.frequencies, np.geomspace(_HIGH_PASS_HZ, self.frequencies[-1], _NOISE_BANDS + 1))
        edges = np.unique(np.append(edges[:-1], self.frequencies.size))
        bands = np.add.reduceat(self.power, edges[:-1], axis=1)
        total = bands.sum(axis=1)
        # Mean power = 4 x (sum of the one-sided Hann spectrum) / (3/8 size) / size / 2, up to one part in a hundred.
        size = 2 * (self.frequencies.size - 1)
        sounding = total * (16.0 / (3.0 * size * size)) > _GATED_POWER
        if not sounding.any():
            sounding[:] = True
        floor = float(np.percentile(bands[sounding], _FLOOR_PERCENTILE, axis=0).sum())
        signal = float(total[self.in_speech].mean())
        return 10.0 * float(np.log10(max(signal - floor, 1e-15 * signal) / max(floor, 1e-10 * signal)))

    def bandwidth_hz(self, *, contrast_db: float = _BAND_CONTRAST_DB) -> float:
        """Rule 6 above."""
        width = max(1, round(_BAND_SMOOTHING_HZ / float(self.frequencies[1])))
        sums = np.cumsum(np.pad(self.power[self.in_speech], ((0, 0), (width // 2 + 1, width - width // 2 - 1))), axis=1)
        smooth = np.maximum(sums[:, width:] - sums[:, :-width], 0.0) / width
        loud, quiet = np.percentile(smooth, 98, axis=0) + 1e-20, np.percentile(smooth, 5, axis=0) + 1e-20
        strongest = float(loud[(self.frequencies > 100.0) & (self.frequencies < 4000.0)].max())
        heard = (10.0 * np.log10(loud / strongest) > _BAND_REACH_DB) & (10.0 * np.log10(loud / quiet) >= contrast_db)
        return float(self.frequencies[heard].max()) if heard.any() else float(self.frequencies[-1])


def _readable(value: float, unit: str) -> str:
    """Figures as people say them: whole numbers but for short times and small shares."""
    if unit in {"s", "%"} and abs(value) < 10:
        return f"{value:.2g}" if unit == "%" else f"{value:.1f}"
    return f"{value:.0f}"


@functools.cache
def _wording(language: str) -> dict[str, dict[str, str]]:
    """The words of one language."""
    if language not in LANGUAGES:
        raise UsageError(f"findings are not worded in {language!r}", hint="use " + " or ".join(LANGUAGES))
    file = importlib.resources.files("hometone_client.takes") / "data" / "findings" / f"{language}.json"
    words: dict[str, dict[str, str]] = json.loads(file.read_text("utf-8"))
    return words
