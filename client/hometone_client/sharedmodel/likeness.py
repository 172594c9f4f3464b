"""Whether a release leaves voices alike: a held-out sentence is spoken with it, and compared with the speaker's recordings.

Prosody is what moves; timbre must not suffer from it. The figure is for the federation's own evaluation and goes the way of all others:
clipped, noised, added up.
"""

import dataclasses
from pathlib import Path

import numpy as np

from hometone_client.base.runtime import SAMPLE_RATE_HZ, BaseRuntime
from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.models.catalogue import BASE, ensure
from hometone_client.sharedmodel.basis import Basis, Floats, shared_basis
from hometone_client.sharedmodel.preparation import Prepared


def similarity(prepared: Prepared, *, theta: Floats, models: Path, basis: Basis | None = None, most: int = 3) -> float:
    """Mean GE2E cosine of some held-out sentences, spoken in the nearest mixture with a release, to the centroid of the recordings.

    Args:
        prepared: Held-out recordings; their words are spoken, at their own pitch and pace.
        theta: float32, the release's coordinates; zeros for the base itself.
        models: The model folder.
        basis: The public basis; this version's by default.
        most: How many sentences.

    Raises:
        ModelError: Weights are missing, or release and basis do not fit.
    """
    folder = ensure(BASE, folder=models)
    runtime = BaseRuntime(folder, replacements=(basis or shared_basis()).replacements(theta, folder))
    encoder = SpeakerEncoder(ensure("ge2e", folder=models))
    longest_first = sorted(prepared.readings, key=lambda reading: -len(reading.tokens))
    found = []
    for reading in longest_first[:most]:
        prosody = runtime.prosody(reading.tokens[1:-1], prepared.style, length_scale=prepared.length_scale)
        spoken = dataclasses.replace(prosody, f0_hz=prepared.f0_map(prosody.f0_hz))
        sound = runtime.decode(spoken, prepared.style, seed=0)
        loud = 10 ** (prepared.level_dbfs / 20) / (float(np.sqrt(np.mean(sound.astype(np.float64) ** 2))) + 1e-9)
        found.append(float(encoder.embed(sound * np.float32(loud), SAMPLE_RATE_HZ) @ prepared.centroid))
    return float(np.mean(found))
