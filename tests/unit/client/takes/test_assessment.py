"""From a take to stretches with known words, or to a clear no."""

import numpy as np
import pytest

from hometone_client.audio import Origin, RawTake
from hometone_client.models.catalogue import ensure
from hometone_client.takes import Transcriber, Verdict, intake
from hometone_client.takes.agreement import error_rate
from hometone_client.takes.quality import Code, Severity
from hometone_shared.errors import TakeRejectedError

WORDS = "Prego digitare il proprio numero di conferenza seguito dal tasto cancelletto."


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber(ensure("whisper-base"))


def test_a_prompted_take_is_believed_without_a_recogniser(spoken: RawTake) -> None:
    take = intake(spoken, prompt=WORDS, language="it")
    assert take.verdict is Verdict.ACCEPT
    assert take.accepted() is take
    assert [passage.text for passage in take.passages] == [WORDS]
    assert take.passages[0].segment.duration_s == pytest.approx(spoken.duration_s, abs=0.3)
    assert take.transcript is take.error_rate is None
    assert take.language == "it"
    assert take.segments


def test_a_free_take_without_a_recogniser_has_speech_and_no_words(spoken: RawTake) -> None:
    take = intake(spoken)
    assert take.segments
    assert take.passages == ()
    assert take.language is None


def test_a_rejected_take_goes_no_further() -> None:
    hiss = RawTake((0.05 * np.random.default_rng(2).standard_normal(48_000)).astype(np.float32), 16_000, Origin.MICROPHONE)
    take = intake(hiss, prompt=WORDS, language="it")
    assert take.verdict is Verdict.REJECT
    assert take.segments == take.passages == ()
    with pytest.raises(TakeRejectedError, match="nobody can be heard") as caught:
        take.accepted()
    assert "microphone" in caught.value.hint
    with pytest.raises(TakeRejectedError, match="听不到"):
        take.accepted(language="zh")


@pytest.mark.models
def test_the_right_sentence_agrees(spoken: RawTake, transcriber: Transcriber) -> None:
    take = intake(spoken, prompt=WORDS, language="it", transcriber=transcriber)
    assert take.verdict is Verdict.ACCEPT
    assert take.error_rate is not None
    assert take.error_rate <= 0.1


@pytest.mark.models
def test_another_sentence_is_noticed_and_left_to_the_person(spoken: RawTake, transcriber: Transcriber) -> None:
    prompt = "Il numero che ha digitato non è in uso."
    take = intake(spoken, prompt=prompt, language="it", transcriber=transcriber)
    assert {each.code: each.severity for each in take.findings} == {Code.OTHER_WORDS: Severity.ADVICE}
    assert take.verdict is Verdict.ACCEPT_WITH_ADVICE
    assert [passage.text for passage in take.passages] == [prompt]


@pytest.mark.models
def test_free_speech_is_written_down_piece_by_piece(spoken: RawTake, transcriber: Transcriber) -> None:
    pause = np.zeros(24_000, np.float32)
    long = RawTake(np.concatenate([spoken.samples, pause, spoken.samples, pause, spoken.samples]), 16_000, Origin.FILE)
    take = intake(long, transcriber=transcriber)
    assert take.language == "it"
    assert len(take.passages) == 3
    for index, passage in enumerate(take.passages):
        assert passage.segment.start_s == pytest.approx(index * (spoken.duration_s + 1.5), abs=0.2)
        assert error_rate(WORDS, passage.text, "it") <= 0.1
    assert take.transcript is not None
    assert error_rate(" ".join([WORDS] * 3), take.transcript.text, "it") <= 0.1
