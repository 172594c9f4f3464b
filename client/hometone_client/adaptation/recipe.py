"""From takes to a voice: the order of things.

1. Listen (`enrolment`): embed every take, measure band, spectrum and level, find the nearest mixture of stock voices - a voice already, and
   the zero-shot start.
2. Align (`material`): pitch, words to sound, pace, tone. A sixth of the aligned takes is held out.
3. Learn (`learning`): fine-tune the acoustic part; the error on the held-out takes says when to stop and which state is kept
   (requirement 20).
4. Choose (`selection`): how much of that the voice keeps, for its words' sake.
5. Finish (`calibration`, `vocal_quality`): tone, pitch and level, measured again on what the chosen voice makes; breath and tremor.

Everything stays in memory but for the checkpoint, which goes to a store that seals it. Nothing is logged.
"""

import dataclasses
import datetime as dt
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hometone_client.adaptation import calibration, vocal_quality
from hometone_client.adaptation.checkpoint import CheckpointStore, fingerprint, pack, unpack
from hometone_client.adaptation.enrolment import EnrolmentTake, listen
from hometone_client.adaptation.learning import Lesson
from hometone_client.adaptation.material import gather, some
from hometone_client.adaptation.progress import Progress, ProgressReporter
from hometone_client.adaptation.selection import Selection
from hometone_client.adaptation.settings import RECIPE, AdaptationSettings
from hometone_client.adaptation.speaker_loss import TorchSpeakerEncoder
from hometone_client.base.parameters import base_hash
from hometone_client.base.runtime import SAMPLE_RATE_HZ, BaseRuntime
from hometone_client.embedding.content import ContentEncoder
from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.evaluation.f0 import pitch_statistics
from hometone_client.models.catalogue import BASE, ensure
from hometone_client.sharedmodel.basis import basis_named
from hometone_client.speaking.finishing import filtered
from hometone_client.takes.transcription import Transcriber
from hometone_client.text import Frontend
from hometone_client.voices.parameters import SharedRelease, VoiceParameters


@dataclass(frozen=True, slots=True)
class AdaptedVoice:
    """A voice and how it came about: stages with their seconds, losses, trials. The record holds no text and no embedding."""

    voice: VoiceParameters
    record: dict[str, Any]


def adapt(
    takes: Sequence[EnrolmentTake],
    *,
    settings: AdaptationSettings,
    models: Path | None,
    checkpoint: CheckpointStore,
    progress: Callable[[Progress], None],
    threads: int | None = None,
    shared: SharedRelease | None = None,
) -> AdaptedVoice:
    """Make a voice.

    Args:
        takes: About a minute of speech in all; 30 s still give a recognisable timbre (requirements 2 and 3).
        settings: How much care.
        models: The model folder; the default one when None.
        checkpoint: Where the unfinished state is kept, sealed.
        progress: Told the stage, the fraction done and the time left.
        threads: For torch and onnxruntime; all cores by default.
        shared: The newest release of the shared model on this laptop, to learn on top of; None for the base itself.

    Raises:
        AudioError: There is too little speech.
        ModelError: Public weights are missing.
    """
    report, clock = ProgressReporter(progress), _Clock()
    if threads:
        torch.set_num_threads(threads)
    folder = ensure(BASE, folder=models)
    release = f"{shared.basis_sha256} {shared.theta_sha256}" if shared is not None else ""
    belongs_to = (RECIPE, base_hash(folder), repr(settings), release, *(take.text or "" for take in takes))
    work = fingerprint([*(each.encode() for each in belongs_to), *(take.samples.tobytes() for take in takes)])
    state = unpack(work, checkpoint.load()) or {}
    report("listening", 0.0)  # (1)
    encoder = SpeakerEncoder(ensure("ge2e", folder=models), threads=threads or 2)
    enrolment = listen(takes, encoder)
    clock.lap("listening")

    weights = basis_named(shared.basis_sha256).replacements(shared.theta, folder) if shared is not None else None
    base = BaseRuntime(folder, replacements=weights, threads=threads)  # (2)
    content = ContentEncoder(ensure("whisper-base", folder=models), threads=threads or 2)
    material = gather(
        enrolment,
        base=base,
        frontend=Frontend(),
        content=content,
        aligned_s=settings.aligned_s,
        told=lambda done: report("aligning", done),
    )
    del base, content
    gc.collect()
    clock.lap("aligning")

    speaker = TorchSpeakerEncoder(ensure("ge2e", folder=models))  # (3)
    lesson = Lesson(material, enrolment, base=folder, speaker=speaker, settings=settings)
    if "learning" in state:
        lesson.resume(state["learning"])
    learnt = lesson.learn(
        save=lambda learning: checkpoint.save(pack(work, {"learning": learning})), told=lambda done: report("learning", done)
    )
    losses = lesson.losses
    del lesson
    gc.collect()
    clock.lap("learning")

    draft = VoiceParameters(
        style=enrolment.mixture.style,
        base_sha256=base_hash(folder),
        recipe=RECIPE,
        created=dt.datetime.now(dt.UTC).replace(microsecond=0),
        languages=(enrolment.language,),
        f0_map=material.f0_map,
        length_scale=material.length_scale,
        tone_filter=material.tone_filter,
        shared=shared,
    )
    selection = Selection(  # (4)
        some(material.lines, settings.trial_s),
        enrolment,
        base=folder,
        encoder=encoder,
        recogniser=Transcriber(ensure("whisper-base", folder=models)),
    )
    chosen = selection.choose(draft, learnt, strengths=settings.strengths, told=lambda done: report("choosing", done))
    clock.lap("choosing")
    report("finishing", 0.0)  # (5)
    sounds = chosen.best.sounds
    tone = calibration.tone_towards(enrolment.spectrum, sounds, bandwidth_hz=enrolment.bandwidth_hz)
    coloured = [filtered(sound, tone, delay=calibration.TAPS // 2) for sound in sounds]
    report("finishing", 0.3)
    tremor = vocal_quality.tremor(
        [(phrase.f0_hz, phrase.energy) for phrase in material.phrases],
        list(zip(chosen.best.f0_curves, chosen.best.energies, strict=True)),
    )
    breath = vocal_quality.breath(
        [(phrase.samples, phrase.f0_hz) for phrase in material.phrases], list(zip(sounds, chosen.best.f0_curves, strict=True))
    )
    made = [(sound, SAMPLE_RATE_HZ) for sound in coloured]
    f0_map = calibration.heard_pitch(
        material.f0_map,
        real=([phrase.f0_hz for phrase in material.phrases], pitch_statistics([take.sound for take in enrolment.takes]).median_hz),
        made=(chosen.best.f0_curves, pitch_statistics(made).median_hz),
    )
    voice = dataclasses.replace(
        learnt.applied(draft, strength=chosen.best.strength),
        f0_map=f0_map,
        tone_filter=tone,
        gain_db=calibration.gain_db(coloured, enrolment.level_dbfs),
        breath=breath,
        tremor=tremor,
    )
    report("finishing", 1.0)
    record = {
        "recipe": RECIPE,
        "shared_release": shared.number if shared is not None else None,
        "stages_s": clock.laps,
        "takes": len(takes),
        "speech_s": round(sum(phrase.seconds for phrase in material.phrases), 1),
        "words_known": material.words_known,
        "aligned_takes": len(material.aligned),
        "bandwidth_hz": round(enrolment.bandwidth_hz),
        "level_dbfs": round(enrolment.level_dbfs, 1),
        "mixture_parts": int((enrolment.mixture.weights > 0.01).sum()),
        "held_out": [{key: round(value, 4) for key, value in loss.items()} for loss in losses],
        "strengths": [{"strength": t.strength, "likeness": round(t.likeness, 4), "errors": t.errors} for t in chosen.trials],
        "strength": chosen.best.strength,
        "mixture_errors": chosen.standard,
        "pace": round(material.length_scale, 3),
        "breath": round(breath, 3),
        "tremor": {"rate_hz": round(tremor.rate_hz, 2), "depth": round(tremor.depth, 4)} if tremor is not None else None,
    }
    return AdaptedVoice(voice, record)


class _Clock:
    """Seconds of every stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.laps[stage], self._last = round(now - self._last, 1), now
