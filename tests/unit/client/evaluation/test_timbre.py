"""The second yardstick of likeness tells people apart without the speaker encoder."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hometone_client.evaluation import likeness
from hometone_client.evaluation.timbre import cepstral_statistics, stock_embeddings, stock_timbres, timbre, whitening_of
from hometone_shared.errors import AudioError

SAMPLE = Path(__file__).parents[4] / "sample"


def timbres(speaker: str) -> list[np.ndarray]:
    with (SAMPLE / speaker / "takes.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if float(row["seconds"]) >= 2.5]
    return [timbre(*soundfile.read(SAMPLE / speaker / row["file"], dtype="float32")) for row in rows[:8]]


def test_two_people_are_told_apart() -> None:
    her, him = timbres("allison"), timbres("carlo")
    assert likeness.ceiling(her) > 0.8
    assert likeness.ceiling(him) > 0.7
    assert likeness.mean_likeness(him, her) < 0.4
    assert likeness.mean_likeness(her, him) < 0.4


def test_stock_voices_know_themselves() -> None:
    """Leave one utterance of each voice out: it is nearest to its own voice almost always."""
    voices = stock_timbres()
    hits = 0
    for name, utterances in voices.items():
        known = {other: (list(values[1:]) if other == name else list(values)) for other, values in voices.items()}
        figures = {other: likeness.mean_likeness([utterances[0]], values) for other, values in known.items()}
        hits += max(figures, key=figures.__getitem__) == name
    assert len(voices) == 54
    assert hits >= 52


def test_stock_embeddings_are_unit_vectors() -> None:
    assert stock_embeddings().keys() == stock_timbres().keys()
    for values in stock_embeddings().values():
        np.testing.assert_allclose([np.linalg.norm(value) for value in values], 1.0, atol=1e-2)


def test_level_and_what_lies_above_the_telephone_band_do_not_matter() -> None:
    samples, rate = soundfile.read(SAMPLE / "allison" / "enrol-02.flac", dtype="float32")
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(samples.size, 1 / rate) > 4200] = 0
    narrow = np.fft.irfft(spectrum, samples.size).astype(np.float32)
    np.testing.assert_allclose(cepstral_statistics(samples * 0.1, rate), cepstral_statistics(samples, rate), atol=1e-3)
    np.testing.assert_allclose(cepstral_statistics(narrow, rate), cepstral_statistics(samples, rate), atol=0.05)


def test_whitening_makes_the_spread_within_a_voice_even() -> None:
    """Voices whose first number scatters ten times as much as the second: after whitening both scatter alike."""
    random = np.random.default_rng(5)
    voices = {str(number): list(random.standard_normal((40, 2)) * [10.0, 1.0] + number) for number in range(30)}
    whitening = whitening_of(voices)
    spread = np.mean([np.std([whitening.matrix @ value for value in values], axis=0) for values in voices.values()], axis=0)
    np.testing.assert_allclose(spread, 1.0, atol=0.1)


@pytest.mark.parametrize("nothing", [np.zeros(16000, np.float32), np.zeros(3, np.float32)])
def test_silence_has_no_timbre(nothing: np.ndarray) -> None:
    with pytest.raises(AudioError):
        timbre(nothing, 16000)
