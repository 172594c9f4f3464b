"""A voice is learnt on top of a release, and says so."""

import csv
from pathlib import Path

import numpy as np
import pytest

from hometone_client.adaptation import AdaptationSettings, EnrolmentTake, adapt
from hometone_client.adaptation.acoustic import AcousticSettings
from hometone_client.adaptation.checkpoint import MemoryStore
from hometone_client.audio import decode
from hometone_client.models import model_folder
from hometone_client.sharedmodel.basis import release_and_voice, shared_basis
from hometone_client.speaking import Sessions
from hometone_client.voices import SharedRelease, from_bytes, to_bytes

SAMPLE = Path(__file__).parents[4] / "sample" / "carlo"
BRIEF = AdaptationSettings(
    acoustic=AcousticSettings(steps=2, crop_frames=66, rank=1), strengths=(1.0,), check_every=2, patience=9, trial_s=3.0
)


@pytest.mark.models
@pytest.mark.slow
def test_learning_starts_from_the_release_and_the_voice_carries_it() -> None:
    with (SAMPLE / "takes.csv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "enrol"][:3]
    sounds = [decode(SAMPLE / row["file"]) for row in rows]
    takes = [
        EnrolmentTake(samples=sound.samples, sample_rate_hz=sound.sample_rate_hz, text=row["text"], language="it")
        for sound, row in zip(sounds, rows, strict=True)
    ]
    theta = (0.3 * np.random.default_rng(0).standard_normal(64)).astype(np.float32)
    release = SharedRelease(number=5, basis_sha256=shared_basis().sha256, theta=theta)
    made = adapt(takes, settings=BRIEF, models=model_folder(), checkpoint=MemoryStore(), progress=lambda _: None, shared=release)
    assert made.record["shared_release"] == 5
    voice = from_bytes(to_bytes(made.voice))
    assert voice.shared is not None
    assert voice.shared.theta_sha256 == release.theta_sha256
    sessions = Sessions(model_folder())
    changed = set(release_and_voice(voice, sessions._folder))
    assert set(voice.weight_deltas) < changed
    assert set(shared_basis().deltas(theta)) == changed - set(voice.weight_deltas)
    assert sessions.runtime(voice).prosody((50, 83, 54), voice.style).f0_hz.size > 0
