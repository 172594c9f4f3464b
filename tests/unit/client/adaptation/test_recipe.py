"""The whole recipe on a few real takes, shortened: interrupted and resumed, without words, and with too little speech."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from hometone_client.adaptation import AdaptationSettings, EnrolmentTake, adapt
from hometone_client.adaptation.acoustic import AcousticSettings
from hometone_client.adaptation.checkpoint import MemoryStore
from hometone_client.adaptation.progress import Progress
from hometone_client.adaptation.speaker_loss import TorchSpeakerEncoder
from hometone_client.audio import decode
from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.models import ensure, model_folder
from hometone_client.speaking import Synthesizer
from hometone_shared.errors import AudioError

SAMPLE = Path(__file__).parents[4] / "sample" / "carlo"
BRIEF = AdaptationSettings(
    acoustic=AcousticSettings(steps=4, crop_frames=66, rank=1), strengths=(1.0,), check_every=2, patience=9, trial_s=3.0
)


class _LidClosedError(Exception):
    pass


class _ClosingLid(MemoryStore):
    """Keeps the state; the machine goes to sleep after the first save."""

    def save(self, state: bytes) -> None:
        super().save(state)
        raise _LidClosedError


@pytest.fixture(scope="module")
def takes() -> list[EnrolmentTake]:
    with (SAMPLE / "takes.csv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "enrol"][:4]
    sounds = [decode(SAMPLE / row["file"]) for row in rows]
    return [
        EnrolmentTake(samples=sound.samples, sample_rate_hz=sound.sample_rate_hz, text=row["text"], language="it")
        for sound, row in zip(sounds, rows, strict=True)
    ]


@pytest.mark.models
def test_the_loss_is_the_likeness_that_is_reported(takes: list[EnrolmentTake]) -> None:
    folder = ensure("ge2e")
    sound = takes[0].samples[: int(1.6 * 16_000)]
    from hometone_client.audio.resampling import resample

    at_24k = resample(sound, from_hz=takes[0].sample_rate_hz, to_hz=24_000)
    embedded = SpeakerEncoder(folder).embed(at_24k, 24_000)
    assert float(TorchSpeakerEncoder(folder)(torch.from_numpy(at_24k)[None])[0, 0] @ torch.from_numpy(embedded)) > 0.999


@pytest.mark.models
@pytest.mark.slow
def test_a_voice_is_made_even_if_the_lid_closes_in_between(takes: list[EnrolmentTake]) -> None:
    told: list[Progress] = []
    closing = _ClosingLid()
    with pytest.raises(_LidClosedError):
        adapt(takes, settings=BRIEF, models=model_folder(), checkpoint=closing, progress=told.append)
    kept = MemoryStore()
    kept.save(closing.load() or b"")
    resumed = adapt(takes, settings=BRIEF, models=model_folder(), checkpoint=kept, progress=told.append)
    whole = adapt(takes, settings=BRIEF, models=model_folder(), checkpoint=MemoryStore(), progress=told.append)
    assert [loss["step"] for loss in resumed.record["held_out"]] == [0, 2, 4]
    np.testing.assert_allclose(
        [loss["total"] for loss in resumed.record["held_out"]], [loss["total"] for loss in whole.record["held_out"]], atol=5e-3
    )
    np.testing.assert_allclose(resumed.voice.style, whole.voice.style, atol=5e-3)
    assert resumed.record["words_known"]
    assert resumed.record["held_out"][-1]["total"] < resumed.record["held_out"][0]["total"]
    assert resumed.voice.languages == ("it",)
    assert told[-1].fraction == pytest.approx(1.0)
    (spoken,) = Synthesizer(model_folder(), resumed.voice).speak("Buongiorno a tutti.", language="it")
    assert 0.5 < spoken.samples.size / 24_000 < 4


@pytest.mark.models
@pytest.mark.slow
def test_timbre_is_learnt_without_knowing_the_words(takes: list[EnrolmentTake]) -> None:
    unknown = [dataclasses.replace(take, text=None) for take in takes]
    settings = dataclasses.replace(BRIEF, acoustic=dataclasses.replace(BRIEF.acoustic, steps=2))
    made = adapt(unknown, settings=settings, models=model_folder(), checkpoint=MemoryStore(), progress=lambda _: None)
    assert not made.record["words_known"]
    assert made.record["held_out"][-1]["likeness"] < made.record["held_out"][0]["likeness"]


@pytest.mark.models
def test_too_little_speech_is_refused(takes: list[EnrolmentTake]) -> None:
    with pytest.raises(AudioError, match="too little speech"):
        adapt(takes[:1], settings=BRIEF, models=model_folder(), checkpoint=MemoryStore(), progress=lambda _: None)
