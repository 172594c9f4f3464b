"""The gate passes real speech, and says what is wrong with speech that was spoilt by a known amount (requirement 6)."""

import dataclasses

import numpy as np
import pytest

from hometone_client.audio import Origin, RawTake, resample
from hometone_client.takes.quality import (
    LANGUAGES,
    THRESHOLDS,
    Code,
    QualityFinding,
    QualityReport,
    Severity,
    Verdict,
    enough_speech,
    finding,
    measure,
    rejection,
)
from hometone_shared.errors import TakeRejectedError, UsageError


def taken(samples: np.ndarray, rate: int = 16_000) -> RawTake:
    return RawTake(np.clip(samples, -1, 1).astype(np.float32), rate, Origin.FILE)


def codes(report: QualityReport) -> dict[Code, Severity]:
    return {each.code: each.severity for each in report.findings}


def noise(size: int, kind: str) -> np.ndarray:
    """White, pink, or like a fan (red), above 70 Hz, of unit power."""
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(size))
    frequencies = np.fft.rfftfreq(size, 1 / 16_000)
    if kind != "white":
        spectrum /= np.maximum(frequencies, 100) ** (0.5 if kind == "pink" else 1.0)
        spectrum[frequencies < 70] = 0
    sound = np.fft.irfft(spectrum, size)
    return sound / np.sqrt((sound**2).mean())


def noisy(spoken: RawTake, snr_db: float, kind: str, pauses_s: float = 1.0) -> RawTake:
    level_dbfs = measure(spoken).level_dbfs
    assert level_dbfs is not None
    silence = np.zeros(round(pauses_s * 16_000))
    clean = np.concatenate([silence, spoken.samples, silence])
    mixed = clean + 10 ** ((level_dbfs - snr_db) / 20) * noise(clean.size, kind)
    return taken(mixed / max(1.0, np.abs(mixed).max()))


def test_real_speech_passes_without_a_word(spoken: RawTake) -> None:
    report = measure(spoken)
    assert report.verdict is Verdict.ACCEPT
    assert report.findings == ()
    assert report.snr_db is not None
    assert report.snr_db > 20
    assert report.level_dbfs == pytest.approx(-16.5, abs=2)
    assert report.clipped_percent < 0.02
    assert report.bandwidth_hz == pytest.approx(8_000, abs=300)
    assert report.speech_s == pytest.approx(spoken.duration_s, abs=0.3)


@pytest.mark.parametrize("kind", ["white", "pink", "fan"])
@pytest.mark.parametrize("snr_db", [5, 10, 15, 20])
def test_the_signal_to_noise_ratio_is_what_was_mixed(spoken: RawTake, kind: str, snr_db: float) -> None:
    measured = measure(noisy(spoken, snr_db, kind)).snr_db
    assert measured == pytest.approx(snr_db, abs=2.5 if kind == "fan" else 1.5)


@pytest.mark.parametrize(("snr_db", "severity"), [(25, None), (15, Severity.ADVICE), (5, Severity.REJECT)])
def test_noise_is_advised_then_rejected(spoken: RawTake, snr_db: float, severity: Severity | None) -> None:
    assert codes(measure(noisy(spoken, snr_db, "pink"))).get(Code.NOISY) is severity


def test_a_noise_gate_in_the_pauses_does_not_hide_noise_in_the_speech(spoken: RawTake) -> None:
    gated = noisy(spoken, 8, "white").samples.copy()
    gated[:15_000] = gated[-15_000:] = 0.0
    snr_db = measure(taken(gated)).snr_db
    assert snr_db == pytest.approx(8, abs=2)


@pytest.mark.parametrize("gain", [1.0, 0.3])
@pytest.mark.parametrize(("share", "severity"), [(0.0, None), (0.3, Severity.ADVICE), (3.0, Severity.REJECT), (10.0, Severity.REJECT)])
def test_clipping_is_found_also_when_it_was_turned_down(spoken: RawTake, share: float, severity: Severity | None, gain: float) -> None:
    top = np.percentile(np.abs(spoken.samples), 100 - share)
    report = measure(taken(gain / top * np.clip(spoken.samples, -top, top)))
    assert codes(report).get(Code.CLIPPED) is severity
    if severity is Severity.REJECT:
        assert report.clipped_percent == pytest.approx(share, rel=0.25)


def test_clipping_of_one_side_is_found(spoken: RawTake) -> None:
    top = np.percentile(np.abs(spoken.samples), 97)
    assert Code.CLIPPED in codes(measure(taken(np.minimum(spoken.samples, top))))


def test_clipping_that_resampling_rounded_off_shows_as_flattened(spoken: RawTake) -> None:
    top = np.percentile(np.abs(spoken.samples), 90)
    clipped = np.clip(spoken.samples, -top, top)
    report = measure(taken(0.8 * resample(clipped, from_hz=16_000, to_hz=48_000), 48_000))
    assert codes(report).get(Code.FLATTENED) is Severity.REJECT


def test_a_low_voice_at_a_high_rate_is_not_called_clipped(spoken: RawTake) -> None:
    slow = resample(spoken.samples, from_hz=8_000, to_hz=48_000)  # an octave lower
    assert Code.CLIPPED not in codes(measure(taken(slow, 48_000)))


@pytest.mark.parametrize(("gain_db", "severity"), [(-10, None), (-28, Severity.ADVICE), (-45, Severity.REJECT)])
def test_faint_speech(spoken: RawTake, gain_db: float, severity: Severity | None) -> None:
    sixteen_bits = np.round(spoken.samples * 10 ** (gain_db / 20) * 2**15) / 2**15
    report = measure(taken(sixteen_bits))
    assert codes(report).get(Code.FAINT) is severity
    before = measure(spoken).level_dbfs
    assert before is not None
    assert report.level_dbfs == pytest.approx(before + gain_db, abs=0.5)


def test_a_telephone_is_advised_and_not_rejected(spoken: RawTake) -> None:
    narrow = resample(resample(spoken.samples, from_hz=16_000, to_hz=8_000), from_hz=8_000, to_hz=44_100)
    report = measure(taken(narrow, 44_100))
    assert codes(report) == {Code.NARROW_BAND: Severity.ADVICE}
    assert report.bandwidth_hz == pytest.approx(3_950, abs=150)
    assert report.verdict is Verdict.ACCEPT_WITH_ADVICE


@pytest.mark.parametrize("sound", ["silence", "noise", "one sample", "faint hiss"])
def test_nobody_speaking_is_rejected(sound: str) -> None:
    hiss = np.random.default_rng(3).standard_normal(32_000)
    samples = {"silence": 0 * hiss, "noise": 0.2 * hiss, "one sample": np.ones(1), "faint hiss": 1e-4 * hiss}[sound]
    report = measure(taken(samples))
    assert codes(report) == {Code.NO_SPEECH: Severity.REJECT}
    assert report.snr_db is report.level_dbfs is report.bandwidth_hz is None


def test_half_a_word_is_too_short(spoken: RawTake) -> None:
    report = measure(taken(np.concatenate([np.zeros(8_000), spoken.samples[:9_000], np.zeros(8_000)])))
    assert codes(report)[Code.TOO_SHORT] is Severity.REJECT


def test_rejections_come_first(spoken: RawTake) -> None:
    take = noisy(spoken, 5, "pink")
    faint = measure(taken(take.samples * 0.03)).findings
    assert next(each.code for each in faint) is Code.NOISY
    assert Code.FAINT in {each.code for each in faint}


def test_the_example_of_the_words() -> None:
    found = finding(Code.NOISY, 9.2)
    assert found is not None
    assert found.words("en").startswith("steady background noise, such as a fan: the voice is 9 dB above it; aim above 20 dB: move away")
    assert "9 分贝" in found.words("zh")
    assert "20 分贝" in found.words("zh")


@pytest.mark.parametrize("code", list(Code))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_is_worded_with_its_figures(code: Code, language: str) -> None:
    found = QualityFinding(code, Severity.REJECT, 12.0, 34.0, "dB")
    words = found.words(language)
    assert "{" not in words
    if code is not Code.NO_SPEECH:
        assert "12" in found.what(language)
        assert "34" in found.what(language)
    assert found.advice(language)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in words) is (language == "zh")


def test_no_other_language_is_pretended() -> None:
    found = finding(Code.NOISY, 9.2)
    assert found is not None
    with pytest.raises(UsageError):
        found.words("xx")


def test_every_threshold_has_its_limit_on_the_far_side_of_its_aim() -> None:
    for threshold in THRESHOLDS.values():
        if threshold.limit is not None:
            assert (threshold.limit <= threshold.aim) is threshold.higher_is_better or threshold.limit == threshold.aim


def test_a_rejection_carries_figures_aims_and_what_to_do(spoken: RawTake) -> None:
    error = rejection(measure(noisy(spoken, 5, "pink")).findings, language="zh")
    assert isinstance(error, TakeRejectedError)
    assert "目标是高于 20 分贝" in error.message
    assert "风扇" in error.hint


def test_a_minute_of_accepted_speech_is_enough(spoken: RawTake) -> None:
    good = measure(spoken)
    bad = dataclasses.replace(good, findings=(QualityFinding(Code.NOISY, Severity.REJECT, 5.0, 20.0, "dB"),))
    minute = [dataclasses.replace(good, speech_s=12.0)] * 5
    assert enough_speech(minute) is None
    some = enough_speech(minute[:3])
    assert some is not None
    assert (some.severity, some.figure, some.aim) == (Severity.ADVICE, 36.0, 60.0)
    none = enough_speech([*minute[:2], bad, bad])
    assert none is not None
    assert (none.severity, none.figure) == (Severity.REJECT, 24.0)
