"""From one speaker's recordings to readings: alignment as for a voice of her own (`adaptation.material`), done once and kept.

Alignment takes about twenty seconds, a round's training a few; rounds of one evening and training and evaluation therefore share what was
prepared, in memory, and through the checkpoint hook across processes. The hook seals: what is prepared is personal.
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hometone_client.adaptation.checkpoint import CheckpointStore, fingerprint, pack, unpack
from hometone_client.adaptation.enrolment import EnrolmentTake, listen
from hometone_client.adaptation.material import gather
from hometone_client.base.parameters import base_hash
from hometone_client.base.runtime import BaseRuntime
from hometone_client.embedding.content import ContentEncoder
from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.models.catalogue import BASE, ensure
from hometone_client.sharedmodel.readings import Floats, Reading
from hometone_client.text import Frontend
from hometone_client.voices.parameters import F0Map

ALIGNED_S = 120.0
_VERSION = "shared-preparation-1"


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One speaker, for the shared model.

    Attributes:
        readings: Her recordings whose words are known and were heard.
        style: float32 [256], the nearest mixture of stock voices.
        centroid: float32 [256], mean GE2E embedding of the recordings.
        f0_map: From the mixture's pitch to hers.
        length_scale: Her pace.
        level_dbfs: How loud she is recorded.
    """

    readings: tuple[Reading, ...]
    style: Floats
    centroid: Floats
    f0_map: F0Map
    length_scale: float
    level_dbfs: float


def name_of(pieces: Sequence[EnrolmentTake], base_sha256: str) -> str:
    """Name of the work that preparing these recordings on this base is."""
    parts = [_VERSION.encode(), base_sha256.encode()]
    for piece in pieces:
        parts += [(piece.text or "").encode(), piece.language.encode(), str(piece.sample_rate_hz).encode(), piece.samples.tobytes()]
    return fingerprint(parts)


def prepare(
    pieces: Sequence[EnrolmentTake], *, models: Path, checkpoint: CheckpointStore, told: Callable[[float], None], threads: int | None = None
) -> Prepared:
    """Align recordings, or take from the checkpoint what was aligned before.

    Args:
        pieces: What may be learnt from, or judged by.
        models: The model folder.
        checkpoint: Seals what is kept.
        told: Called with the fraction done.
        threads: For onnxruntime.

    Raises:
        AudioError: There is too little speech.
        ModelError: Public weights are missing.
    """
    folder = ensure(BASE, folder=models)
    work = name_of(pieces, base_hash(folder))
    if (state := unpack(work, checkpoint.load())) is not None:
        return _from_state(state)
    enrolment = listen(pieces, SpeakerEncoder(ensure("ge2e", folder=models), threads=threads or 2))
    material = gather(
        enrolment,
        base=BaseRuntime(folder, threads=threads),
        frontend=Frontend(),
        content=ContentEncoder(ensure("whisper-base", folder=models), threads=threads or 2),
        aligned_s=ALIGNED_S,
        told=told,
    )
    readings = tuple(
        Reading.of(
            tokens=phrase.tokens,
            style=enrolment.mixture.style,
            durations=phrase.durations,
            f0_hz=phrase.f0_hz,
            f0_map=material.f0_map,
        )
        for phrase in material.aligned
    )
    prepared = Prepared(readings, enrolment.mixture.style, enrolment.centroid, material.f0_map, material.length_scale, enrolment.level_dbfs)
    del material, enrolment
    gc.collect()
    checkpoint.save(pack(work, _to_state(prepared)))
    return prepared


def _to_state(prepared: Prepared) -> dict[str, Any]:
    pitch = prepared.f0_map
    return {
        "readings": [
            {"tokens": list(each.tokens), "durations": each.durations, "octaves": each.octaves, "style": each.style}
            for each in prepared.readings
        ],
        "style": prepared.style,
        "centroid": prepared.centroid,
        "numbers": [pitch.reference_hz, pitch.target_hz, pitch.range_scale, prepared.length_scale, prepared.level_dbfs],
    }


def _from_state(state: dict[str, Any]) -> Prepared:
    reference_hz, target_hz, range_scale, length_scale, level_dbfs = state["numbers"]

    def array(x: Any) -> Floats:
        return np.asarray(x.numpy(), dtype=np.float32)

    return Prepared(
        tuple(
            Reading(tuple(each["tokens"]), array(each["style"]), each["durations"].numpy().astype(np.int64), array(each["octaves"]))
            for each in state["readings"]
        ),
        array(state["style"]),
        array(state["centroid"]),
        F0Map(reference_hz=reference_hz, target_hz=target_hz, range_scale=range_scale),
        length_scale,
        level_dbfs,
    )
