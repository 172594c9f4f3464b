"""The recogniser on real speech, on silence and on nonsense, without a network (requirement 4)."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest

from hometone_client.audio import RawTake, resample
from hometone_client.models.catalogue import ensure
from hometone_client.takes.agreement import error_rate
from hometone_client.takes.transcription import Transcriber, collapse_loops
from hometone_shared.errors import ModelError, UsageError

WORDS = "Prego digitare il proprio numero di conferenza seguito dal tasto cancelletto."


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber(ensure("whisper-base"))


@pytest.mark.models
def test_real_speech_is_written_down_and_its_language_told(transcriber: Transcriber, spoken: RawTake) -> None:
    heard = transcriber.transcribe(spoken.samples, spoken.sample_rate_hz)
    assert heard.language == "it"
    assert heard.language_probability > 0.9
    assert error_rate(WORDS, heard.text, "it") <= 0.1
    assert not heard.doubtful


@pytest.mark.models
def test_the_same_take_gives_the_same_words(transcriber: Transcriber, spoken: RawTake) -> None:
    at_44k = resample(spoken.samples, from_hz=16_000, to_hz=44_100)
    first, second = (transcriber.transcribe(at_44k, 44_100, language="it") for _ in range(2))
    assert first == second
    assert first.language_probability == 1.0


@pytest.mark.models
def test_words_have_times_within_the_speech(transcriber: Transcriber, spoken: RawTake) -> None:
    late = np.concatenate([np.zeros(32_000, np.float32), spoken.samples])
    words = transcriber.transcribe(late, 16_000, language="it", words=True).words
    assert [words[0].text, words[-1].text] == ["Prego", "cancelletto."]
    assert words[0].start_s == pytest.approx(2.0, abs=0.4)
    assert words[-1].end_s == pytest.approx(late.size / 16_000, abs=0.5)
    assert all(before.start_s <= before.end_s <= after.start_s + 0.05 for before, after in itertools.pairwise(words))


@pytest.mark.models
@pytest.mark.parametrize("level", [0.0, 0.05])
def test_silence_and_noise_have_no_words(transcriber: Transcriber, level: float) -> None:
    noise = (level * np.random.default_rng(5).standard_normal(160_000)).astype(np.float32).clip(-1, 1)
    assert transcriber.transcribe(noise, 16_000).text == ""
    assert transcriber.transcribe(noise[:1], 16_000, language="zh").text == ""


@pytest.mark.models
def test_an_unknown_language_is_refused(transcriber: Transcriber, spoken: RawTake) -> None:
    with pytest.raises(UsageError, match="klingon"):
        transcriber.transcribe(spoken.samples, 16_000, language="klingon")


def test_a_folder_without_the_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not installed"):
        Transcriber(tmp_path)


@pytest.mark.models
@pytest.mark.parametrize("victim", ["model.bin", "tokenizer.json"])
def test_a_damaged_model(tmp_path: Path, victim: str) -> None:
    folder = shutil.copytree(ensure("whisper-base"), tmp_path / "model")
    (folder / victim).chmod(0o600)
    (folder / victim).write_bytes(b"\0" * 1000)
    with pytest.raises(ModelError, match="damaged"):
        Transcriber(folder)


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("thank you. thank you. thank you. thank you. thank you.", "thank you."),
        ("谢谢观看谢谢观看谢谢观看谢谢观看", "谢谢观看"),
        ("no, no, no, I said", "no, no, no, I said"),
        ("ha ha ha", "ha ha ha"),
        ("call 0000 1111", "call 0000 1111"),
        ("aaaaaah", "aaaaaah"),
        ("and then and then he left", "and then and then he left"),
        ("", ""),
    ],
)
def test_going_round_in_circles(text: str, once: str) -> None:
    assert collapse_loops(text) == once
