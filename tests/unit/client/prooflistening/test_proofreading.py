"""A real voice and a real recogniser: said, heard, said again, reported (RVC-Boss/GPT-SoVITS, issue 964)."""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hometone_client.models import model_folder
from hometone_client.prooflistening import ATTEMPTS, ProofListener, Proofreader, Verdict, attempt_settings, proof_heard
from hometone_client.speaking import Sessions, SpeakingSettings, SpokenSentence, Synthesizer
from hometone_client.voices import VoiceRegistry

pytestmark = pytest.mark.models
WISHED = SpeakingSettings(seed=5)


@pytest.fixture(scope="module")
def listener() -> ProofListener:
    return ProofListener(model_folder(), threads=1)


@pytest.fixture(scope="module")
def said() -> SpokenSentence:
    sessions = Sessions(model_folder(), threads=1)
    voice = VoiceRegistry(base_sha256=sessions.base_sha256).get("af_heart").load()
    (sentence,) = Synthesizer(model_folder(), voice, sessions=sessions).speak("The nurse comes at eight.", settings=WISHED)
    return sentence


@pytest.fixture(scope="module")
def broken(said: SpokenSentence) -> SpokenSentence:
    """The first word only: what a swallowed sentence sounds like."""
    return replace(said, samples=said.samples[: said.samples.size // 4])


@pytest.fixture(scope="module")
def silent(said: SpokenSentence) -> SpokenSentence:
    return replace(said, samples=np.zeros_like(said.samples))


def in_turn(*sentences: SpokenSentence) -> tuple[Callable[[int], SpokenSentence], list[int]]:
    asked: list[int] = []

    def speak(attempt: int) -> SpokenSentence:
        asked.append(attempt)
        return sentences[attempt]

    return speak, asked


def test_a_good_sentence_is_said_once(listener: ProofListener, said: SpokenSentence) -> None:
    speak, asked = in_turn(said)
    proof = proof_heard(speak, listener)
    assert (proof.verdict, proof.attempts, proof.error_rate, asked) == (Verdict.UNDERSTOOD, 1, 0.0, [0])
    assert proof.sentence is said


def test_a_sentence_that_fails_is_said_again_until_it_is_understood(
    listener: ProofListener, said: SpokenSentence, silent: SpokenSentence, caplog: pytest.LogCaptureFixture
) -> None:
    speak, asked = in_turn(silent, said)
    with caplog.at_level(logging.DEBUG):
        proof = proof_heard(speak, listener)
    assert (proof.verdict, proof.attempts, asked) == (Verdict.UNDERSTOOD, 2, [0, 1])
    assert proof.sentence is said
    assert "nurse" in proof.heard
    assert "nurse" not in caplog.text
    assert "nurse" not in repr(replace(proof, sentence=silent)).replace(repr(silent), "")


def test_one_that_is_never_understood_is_reported_and_the_best_attempt_kept(
    listener: ProofListener, broken: SpokenSentence, silent: SpokenSentence
) -> None:
    speak, asked = in_turn(silent, broken, silent)
    proof = proof_heard(speak, listener)
    assert (proof.verdict, proof.attempts, asked) == (Verdict.NOT_UNDERSTOOD, 3, [0, 1, 2])
    assert proof.sentence is broken
    assert proof.error_rate is not None
    assert 0.3 < proof.error_rate < 1.0


def test_a_language_without_bounds_is_not_checked_and_said_so(listener: ProofListener, said: SpokenSentence) -> None:
    dialect = replace(said, utterance=replace(said.utterance, language="yue"))
    assert not listener.checks(dialect.utterance)
    assert listener.checks(said.utterance)
    proof = proof_heard(lambda _: dialect, listener)
    assert (proof.verdict, proof.attempts, proof.error_rate, proof.heard) == (Verdict.NOT_CHECKED, 1, None, "")


def test_what_speak_is_given_counts_and_never_keeps_words(listener: ProofListener, said: SpokenSentence, silent: SpokenSentence) -> None:
    proofreader = Proofreader(listener, attempts=2)
    wishes: list[SpeakingSettings] = []

    def say(settings: SpeakingSettings) -> SpokenSentence:
        wishes.append(settings)
        return silent if len(wishes) < 3 else said

    assert proofreader(say, WISHED) is silent
    assert proofreader(say, WISHED) is said
    assert proofreader.summary.to_record() == {"sentences": 2, "repeated": 1, "not_understood": [1], "not_checked": 0}
    assert [wish.seed for wish in wishes] == [5, attempt_settings(WISHED, 1).seed, 5]


def test_each_attempt_has_a_seed_of_its_own_and_the_last_no_noise() -> None:
    wishes = [attempt_settings(WISHED, attempt) for attempt in range(ATTEMPTS)]
    assert wishes[0] is WISHED
    assert len({wish.seed for wish in wishes}) == ATTEMPTS
    assert [round(wish.noise_scale, 4) for wish in wishes] == [0.667, 0.3335, 0.0]
    assert attempt_settings(SpeakingSettings(), 1).seed is None
    assert attempt_settings(SpeakingSettings(seed=2**63 - 1), 2).seed is not None
