"""From takes to a voice: the order of things.

1. Listen: embed every take, measure the band, find the nearest mixture of stock voices (a voice already, and the zero-shot start).
2. Align: words to sound, energy to the base's level (`preparation`). A sixth of the aligned takes is held out.
3. Learn: fine-tune the acoustic part (`acoustic`); the error on the held-out takes says when to stop and which state is kept
   (requirement 20).
4. Choose: how much of that the voice keeps, for its words' sake (`selection`).
5. Finish: pitch, pace, tone and level (`calibration`).

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

import numpy as np
import torch

from hometone_client.adaptation import calibration, selection
from hometone_client.adaptation.acoustic import AcousticTrainer, CropSource, Learnt
from hometone_client.adaptation.analysis import Floats
from hometone_client.adaptation.checkpoint import CheckpointStore, fingerprint, pack, unpack
from hometone_client.adaptation.mixture import Mixture, nearest_mixture
from hometone_client.adaptation.preparation import Phrase, prepare_phrase
from hometone_client.adaptation.progress import Progress, ProgressReporter
from hometone_client.adaptation.selection import Sentence, Trial
from hometone_client.adaptation.settings import RECIPE, AdaptationSettings
from hometone_client.adaptation.speaker_loss import TorchSpeakerEncoder
from hometone_client.adaptation.spectral_losses import SpectralDistance
from hometone_client.base.parameters import base_hash, load_parameters
from hometone_client.base.runtime import F0_HOP, SAMPLE_RATE_HZ, BaseRuntime, Prosody
from hometone_client.embedding.content import ContentEncoder
from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.evaluation import ltas
from hometone_client.models.catalogue import ensure
from hometone_client.speaking.finishing import filtered
from hometone_client.takes.campaigns import campaigns
from hometone_client.takes.transcription import Transcriber
from hometone_client.text import Frontend
from hometone_client.text.utterance import vocabulary
from hometone_client.torchbase.loading import load_torch_base
from hometone_client.voices.parameters import DenseDelta, LowRankDelta, VoiceParameters
from hometone_shared.errors import AudioError, TextError

LONGEST_PHRASE_S = 15.0
SHORTEST_SPEECH_S = 5.0
HELD_OUT_EVERY = 6
HELD_OUT_CROPS = 3
SPOKEN_RMS_DBFS = -23.0


@dataclass(frozen=True, slots=True, eq=False)
class EnrolmentTake:
    """One piece of speech to learn from.

    Attributes:
        samples: float32 [n], mono, in [-1, 1].
        sample_rate_hz: Native rate.
        text: What is said, or None when nobody knows.
        language: ISO 639 code of it.
    """

    samples: Floats
    sample_rate_hz: int
    text: str | None
    language: str


@dataclass(frozen=True, slots=True)
class AdaptedVoice:
    """A voice and how it came about: stages with their seconds, losses, trials. The record holds no text and no embedding."""

    voice: VoiceParameters
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Heard:
    """What listening found."""

    takes: list[EnrolmentTake]
    centroid: Floats
    language: str
    bandwidth_hz: float
    mixture: Mixture


def adapt(
    takes: Sequence[EnrolmentTake],
    *,
    settings: AdaptationSettings,
    models: Path | None,
    checkpoint: CheckpointStore,
    progress: Callable[[Progress], None],
    threads: int | None = None,
) -> AdaptedVoice:
    """Make a voice.

    Args:
        takes: About a minute of speech in all; 30 s still give a recognisable timbre (requirements 2 and 3).
        settings: How much care.
        models: The model folder; the default one when None.
        checkpoint: Where the unfinished state is kept, sealed.
        progress: Told the stage, the fraction done and the time left.
        threads: For torch and onnxruntime; all cores by default.

    Raises:
        AudioError: There is too little speech.
        ModelError: Public weights are missing.
    """
    report, clock = ProgressReporter(progress), _Clock()
    if threads:
        torch.set_num_threads(threads)
    work = fingerprint(
        [RECIPE.encode(), repr(settings).encode(), *(t.samples.tobytes() for t in takes), *((t.text or "").encode() for t in takes)]
    )
    state = unpack(work, checkpoint.load()) or {}
    folder = ensure("kokoro-82m-v1.0", folder=models)
    report("listening", 0.0)
    heard = _listen(takes, SpeakerEncoder(ensure("ge2e", folder=models), threads=threads or 2))
    clock.lap("listening")

    base = BaseRuntime(folder, threads=threads)
    frontend = Frontend()
    content = ContentEncoder(ensure("whisper-base", folder=models), threads=threads or 2)
    phrases: list[Phrase] = []
    references: list[Floats] = []
    sentences: list[Sentence] = []
    for index, take in enumerate(heard.takes):
        report("aligning", index / len(heard.takes))
        tokens = _tokens(frontend, take)
        phrase, reference = prepare_phrase(take.samples, take.sample_rate_hz, tokens, base=base, style=heard.mixture.style, content=content)
        phrases.append(phrase)
        references.append(reference)
        sentences.append(Sentence(take.text or "", take.language, tokens))
    aligned = [i for i, phrase in enumerate(phrases) if phrase.aligned]
    known = sum(phrases[i].seconds for i in aligned) >= SHORTEST_SPEECH_S
    if not known:  # nobody knows the words, or the base does not speak the language: learn the timbre from sentences of our own
        sentences = _own_sentences(frontend, heard.language)
        spoken = [base.prosody(s.tokens, heard.mixture.style) for s in sentences]
        references = [base.decode(p, heard.mixture.style, seed=0) for p in spoken]
    else:
        spoken = [p for p in (phrases[i].predicted for i in aligned) if p is not None]
        references = [references[i] for i in aligned]
        sentences = [sentences[i] for i in aligned]
    f0_map = calibration.f0_map([phrase.f0_hz for phrase in phrases], [p.f0_hz for p in spoken])
    length_scale = 1.0
    if known:
        real = [(heard.takes[i].samples, heard.takes[i].sample_rate_hz) for i in aligned]
        length_scale = calibration.pace(real, [(reference, SAMPLE_RATE_HZ) for reference in references])
    real_power = ltas.average_spectrum([(t.samples, t.sample_rate_hz) for t in heard.takes])
    tone = _tone(real_power, references, heard.bandwidth_hz)
    mapped = [dataclasses.replace(p, f0_hz=f0_map(p.f0_hz)) for p in spoken]
    unadapted = [base.decode(p, heard.mixture.style, seed=0) for p in mapped]
    del base, content
    gc.collect()
    clock.lap("aligning")

    learnt, losses = _learn(
        [phrases[i] for i in aligned] if known else [],
        mapped,
        unadapted,
        phrases,
        heard=heard,
        folder=folder,
        models=models,
        tone=tone,
        settings=settings,
        state=state.get("learning"),
        save=lambda learning: checkpoint.save(pack(work, {"learning": learning})),
        report=report,
    )
    gc.collect()
    clock.lap("learning")

    draft = VoiceParameters(
        style=heard.mixture.style,
        base_sha256=base_hash(folder),
        recipe=RECIPE,
        created=dt.datetime.now(dt.UTC).replace(microsecond=0),
        languages=(heard.language,),
        f0_map=f0_map,
        length_scale=length_scale,
        tone_filter=tone,
    )
    chosen, trials, standard = _choose(
        draft,
        learnt,
        _some(sentences, spoken, settings.trial_s),
        references,
        heard=heard,
        folder=folder,
        models=models,
        settings=settings,
        report=report,
    )
    clock.lap("choosing")
    report("finishing", 0.0)
    tone = _tone(real_power, chosen.sounds, heard.bandwidth_hz)
    coloured = [filtered(sound, tone, delay=calibration.TAPS // 2) for sound in chosen.sounds]
    voice = dataclasses.replace(_at_strength(draft, learnt, chosen.strength), tone_filter=tone, gain_db=_gain_db(coloured))
    report("finishing", 1.0)
    record = {
        "recipe": RECIPE,
        "stages_s": clock.laps,
        "takes": len(takes),
        "speech_s": round(sum(phrase.seconds for phrase in phrases), 1),
        "words_known": known,
        "aligned_takes": len(aligned),
        "bandwidth_hz": round(heard.bandwidth_hz),
        "mixture_parts": int((heard.mixture.weights > 0.01).sum()),
        "held_out": losses,
        "strengths": [{"strength": t.strength, "likeness": round(t.likeness, 4), "errors": t.errors} for t in trials],
        "strength": chosen.strength,
        "mixture_errors": standard,
        "pace": round(length_scale, 3),
    }
    return AdaptedVoice(voice, record)


def _listen(takes: Sequence[EnrolmentTake], encoder: SpeakerEncoder) -> _Heard:
    """(1) Embeddings, band, mixture. Takes longer than fifteen seconds are cut into equal parts without words."""
    short: list[EnrolmentTake] = []
    for take in takes:
        parts = int(np.ceil(take.samples.size / take.sample_rate_hz / LONGEST_PHRASE_S))
        if parts <= 1:
            short.append(take)
        else:
            short += [dataclasses.replace(take, samples=piece, text=None) for piece in np.array_split(take.samples, parts)]
    if sum(t.samples.size / t.sample_rate_hz for t in short) < SHORTEST_SPEECH_S:
        raise AudioError(
            "there is too little speech to learn a voice from", hint="record about a minute; thirty seconds are the least that helps"
        )
    embeddings = np.stack([encoder.embed(t.samples, t.sample_rate_hz) for t in short])
    centroid = embeddings.mean(axis=0)
    centroid /= np.linalg.norm(centroid)
    spoken: dict[str, float] = {}
    for take in short:
        spoken[take.language] = spoken.get(take.language, 0.0) + take.samples.size / take.sample_rate_hz
    language = max(spoken, key=lambda key: spoken[key])
    band = min(
        min(t.sample_rate_hz for t in short) / 2, ltas.bandwidth_hz(ltas.average_spectrum([(t.samples, t.sample_rate_hz) for t in short]))
    )
    return _Heard(short, centroid, language, float(band), nearest_mixture(centroid))


def _tokens(frontend: Frontend, take: EnrolmentTake) -> tuple[int, ...]:
    """Phoneme tokens of a take, or none when its words are not known or cannot be read."""
    if not take.text or take.samples.size / take.sample_rate_hz > LONGEST_PHRASE_S:
        return ()
    space = vocabulary()[" "]
    try:
        parts = [u.tokens for u in frontend.utterances(take.text, language=take.language)]
    except TextError:
        return ()
    joined = tuple(token for part in parts for token in (*part, space))[:-1]
    return joined if len(joined) <= 510 else ()


def _own_sentences(frontend: Frontend, language: str) -> list[Sentence]:
    """Campaign sentences of the language, or of English where there is no campaign."""
    by_language = {c.language: c for c in campaigns().values()}
    campaign = by_language.get(language, by_language["en"])
    return [
        Sentence(u.text, campaign.language, u.tokens)
        for sentence in campaign.sentences
        for u in frontend.utterances(sentence, language=campaign.language)
    ]


def _tone(real_power: np.ndarray, sounds: Sequence[Floats], bandwidth_hz: float) -> Floats:
    made = ltas.average_spectrum([(sound, SAMPLE_RATE_HZ) for sound in sounds])
    return calibration.tone_filter(real_power, made, bin_hz=25.0, bandwidth_hz=bandwidth_hz)


def _goal(speaker: TorchSpeakerEncoder, phrases: Sequence[Phrase]) -> torch.Tensor:
    """Unit centroid of the windows of some recordings in the loss's own network, [256]."""
    least = int(1.6 * SAMPLE_RATE_HZ)
    windows = []
    with torch.no_grad():
        for phrase in phrases:
            sound = (
                phrase.samples
                if phrase.samples.size >= least
                else np.tile(phrase.samples, int(np.ceil(least / max(1, phrase.samples.size))))
            )
            windows.append(speaker(torch.from_numpy(sound.copy())[None])[0])
    return torch.nn.functional.normalize(torch.cat(windows).mean(dim=0), dim=0)


def _learn(
    aligned: list[Phrase],
    spoken: list[Prosody],
    unadapted: list[Floats],
    phrases: list[Phrase],
    *,
    heard: _Heard,
    folder: Path,
    models: Path | None,
    tone: Floats,
    settings: AdaptationSettings,
    state: dict[str, Any] | None,
    save: Callable[[dict[str, Any]], None],
    report: ProgressReporter,
) -> tuple[Learnt, list[dict[str, float]]]:
    """(3) Train, watch the held-out takes, keep the best state."""
    torch_base = load_torch_base(folder)
    speaker = TorchSpeakerEncoder(ensure("ge2e", folder=models))
    distance = SpectralDistance(min(heard.bandwidth_hz, 7600.0))
    if aligned:
        chosen = set(range(HELD_OUT_EVERY // 2, len(aligned), HELD_OUT_EVERY)) or {len(aligned) - 1}
        held, trained = [aligned[i] for i in sorted(chosen)], [p for i, p in enumerate(aligned) if i not in chosen] or aligned
        source = CropSource.of(trained, torch_base.language)
        rest = [i for i in range(len(spoken)) if i not in chosen] or list(range(len(spoken)))
        free, held_free = (CropSource.of_prosody([spoken[i] for i in w], [unadapted[i] for i in w]) for w in (rest, sorted(chosen)))
        held_sources = [CropSource.of(held, torch_base.language), held_free]
        goal, held_goal = _goal(speaker, [p for p in phrases if not any(p is h for h in held)] or phrases), _goal(speaker, held)
    else:
        source = free = CropSource.of_prosody(spoken, unadapted)
        held_sources = [source]
        cut = max(1, len(phrases) // HELD_OUT_EVERY)
        goal, held_goal = _goal(speaker, phrases[cut:] or phrases), _goal(speaker, phrases[:cut])
    if settings.acoustic.bf16:
        torch_base.decoder.generator.use_bfloat16()
    del torch_base.language.bert, torch_base.language.predictor
    tone_goal = distance.tone_of(torch.from_numpy(np.concatenate([p.samples for p in phrases]))[None])
    trainer = AcousticTrainer(
        torch_base.decoder,
        source,
        free,
        style=heard.mixture.style,
        speaker=speaker,
        goal=goal.numpy(),
        tone_goal=tone_goal,
        distance=distance,
        tone_filter=tone,
        settings=settings.acoustic,
    )
    best, losses = trainer.snapshot(), [{"step": 0.0, **trainer.held_out(held_sources, held_goal, HELD_OUT_CROPS)}] if state is None else []
    if state is not None:
        trainer.resume(state["trainer"])
        best, losses = state["best"], state["losses"]
    while trainer.done < settings.acoustic.steps:
        report("learning", trainer.done / settings.acoustic.steps)
        trainer.step()
        if trainer.done % settings.check_every == 0 or trainer.done == settings.acoustic.steps:
            found = {"step": float(trainer.done), **trainer.held_out(held_sources, held_goal, HELD_OUT_CROPS)}
            if found["total"] < min(loss["total"] for loss in losses):
                best = {name: value.clone() for name, value in trainer.average.items()}
            losses.append(found)
            totals = [loss["total"] for loss in losses]
            if len(totals) - 1 - int(np.argmin(totals)) >= settings.patience:
                break
            save({"trainer": trainer.state(), "best": best, "losses": losses})
    return trainer.learnt(best), [{key: round(value, 4) for key, value in loss.items()} for loss in losses]


def _at_strength(voice: VoiceParameters, learnt: Learnt, strength: float) -> VoiceParameters:
    """The voice with a share of what was learnt."""
    style = voice.style.copy()
    style[:128] += np.float32(strength) * learnt.style
    deltas: dict[str, DenseDelta | LowRankDelta] = {name: DenseDelta(np.float32(strength) * shift) for name, shift in learnt.shifts.items()}
    deltas |= {name: LowRankDelta(np.float32(strength) * a, b) for name, (a, b) in learnt.low_rank.items()}
    return dataclasses.replace(voice, style=style, weight_deltas=deltas)


def _some(sentences: Sequence[Sentence], spoken: Sequence[Prosody], seconds: float) -> list[tuple[int, Sentence, Prosody]]:
    """Sentences of at least a second and a half, from the end, until there are enough seconds."""
    some: list[tuple[int, Sentence, Prosody]] = []
    total = 0.0
    for index in range(len(sentences) - 1, -1, -1):
        length = spoken[index].f0_hz.shape[0] * F0_HOP / SAMPLE_RATE_HZ
        if length >= 1.6 and total < seconds:
            some.append((index, sentences[index], spoken[index]))
            total += length
    return some or [(i, s, p) for i, (s, p) in enumerate(zip(sentences, spoken, strict=True))]


def _choose(
    draft: VoiceParameters,
    learnt: Learnt,
    some: list[tuple[int, Sentence, Prosody]],
    references: Sequence[Floats],
    *,
    heard: _Heard,
    folder: Path,
    models: Path | None,
    settings: AdaptationSettings,
    report: ProgressReporter,
) -> tuple[Trial, list[Trial], float | None]:
    """(4) Speak the same sentences at every strength; measure; choose."""
    encoder, recogniser = SpeakerEncoder(ensure("ge2e", folder=models)), Transcriber(ensure("whisper-base", folder=models))
    parameters = load_parameters(folder)
    spoken = [sentence for _, sentence, _ in some]

    def errors(sounds: Sequence[Floats]) -> float:
        heard_texts = [
            recogniser.transcribe(x, SAMPLE_RATE_HZ, language=s.language.partition("-")[0]).text
            for x, s in zip(sounds, spoken, strict=True)
        ]
        return round(selection.character_errors(spoken, heard_texts), 4)

    several = len(settings.strengths) > 1
    standard = errors([references[index] for index, _, _ in some]) if several else None
    trials = []
    for number, strength in enumerate(settings.strengths):
        report("choosing", number / len(settings.strengths))
        voice = _at_strength(draft, learnt, strength)
        runtime = BaseRuntime(folder, replacements=voice.merged_weights(parameters.__getitem__))
        sounds = []
        for _, sentence, _ in some:
            prosody = runtime.prosody(sentence.tokens, voice.style, length_scale=voice.length_scale)
            sounds.append(runtime.decode(dataclasses.replace(prosody, f0_hz=voice.f0_map(prosody.f0_hz)), voice.style, seed=0))
        del runtime
        coloured = [filtered(x, voice.tone_filter, delay=voice.tone_delay) for x in sounds]
        trials.append(Trial(strength, selection.likeness(encoder, coloured, heard.centroid), errors(coloured) if several else None, sounds))
    return selection.choose(trials, standard), trials, standard


def _gain_db(sounds: Sequence[Floats]) -> float:
    """Gain that brings the loud half of the frames to a comfortable level."""
    frames = np.concatenate([x[: x.size // 600 * 600].reshape(-1, 600) for x in sounds])
    power = np.mean(frames.astype(np.float64) ** 2, axis=1)
    return float(np.clip(SPOKEN_RMS_DBFS - 10 * np.log10(np.mean(power[power >= np.median(power)]) + 1e-12), -12.0, 12.0))


class _Clock:
    """Seconds of every stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.laps[stage], self._last = round(now - self._last, 1), now
