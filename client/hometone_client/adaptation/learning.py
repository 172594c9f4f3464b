"""Fine-tunes the acoustic part on a speaker's material, watches the takes that were held out, keeps the best state (requirement 20)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hometone_client.adaptation import calibration
from hometone_client.adaptation.acoustic import AcousticTrainer, CropSource
from hometone_client.adaptation.enrolment import Enrolment
from hometone_client.adaptation.learnt import Learnt
from hometone_client.adaptation.material import Material
from hometone_client.adaptation.preparation import Phrase
from hometone_client.adaptation.settings import AdaptationSettings
from hometone_client.adaptation.speaker_loss import TorchSpeakerEncoder
from hometone_client.adaptation.spectral_losses import SpectralDistance
from hometone_client.base.runtime import SAMPLE_RATE_HZ
from hometone_client.torchbase.loading import TorchBase, load_torch_base

HELD_OUT_EVERY = 6
SHORTEST_WINDOW_S = 1.6


class Lesson:
    """Trainer, held-out crops and the best state so far; can be left after any look and gone on with later."""

    def __init__(
        self, material: Material, enrolment: Enrolment, *, base: Path, speaker: TorchSpeakerEncoder, settings: AdaptationSettings
    ) -> None:
        """Load the base and set the trainer up.

        Args:
            material: What to learn from.
            enrolment: Whose voice.
            base: Folder of the base voice.
            speaker: The likeness network.
            settings: How much care.
        """
        self._settings = settings
        torch_base = load_torch_base(base)
        distance = SpectralDistance(min(enrolment.bandwidth_hz, calibration.WIDEST_BAND_HZ))
        loudness = 10 ** (calibration.gain_db([phrase.samples for phrase in material.phrases], enrolment.level_dbfs) / 20)
        source, spoken, trained, held = self._divided(material, torch_base)
        self._held_goal = centre(speaker, held, loudness=loudness)
        if settings.acoustic.bf16:
            torch_base.decoder.generator.use_bfloat16()
        self._trainer = AcousticTrainer(
            torch_base.decoder,
            source,
            spoken,
            style=enrolment.mixture.style,
            speaker=speaker,
            goal=centre(speaker, trained, loudness=loudness).numpy(),
            tone_goal=distance.tone_of(torch.from_numpy(np.concatenate([phrase.samples for phrase in material.phrases]))[None]),
            distance=distance,
            tone_filter=material.tone_filter,
            loudness=loudness,
            settings=settings.acoustic,
        )
        self._best = self._trainer.snapshot()
        self.losses: list[dict[str, float]] = []

    def _divided(self, material: Material, base: TorchBase) -> tuple[CropSource, CropSource, Sequence[Phrase], Sequence[Phrase]]:
        """Crops to learn from (recorded, as spoken), and the phrases that are learnt from and held out; fills `self._held`."""
        if not material.words_known:
            spoken = CropSource.of_lines(material.lines)
            self._held = [spoken]
            cut = max(1, len(material.phrases) // HELD_OUT_EVERY)
            return spoken, spoken, material.phrases[cut:] or material.phrases, material.phrases[:cut]
        count = len(material.aligned)
        out = list(range(HELD_OUT_EVERY // 2, count, HELD_OUT_EVERY)) or [count - 1]
        rest = [i for i in range(count) if i not in out] or list(range(count))
        held = [material.aligned[i] for i in out]
        self._held = [CropSource.of(held, base.language), CropSource.of_lines([material.lines[i] for i in out])]
        source = CropSource.of([material.aligned[i] for i in rest], base.language)
        trained = [phrase for phrase in material.phrases if not any(phrase is each for each in held)] or material.phrases
        return source, CropSource.of_lines([material.lines[i] for i in rest]), trained, held

    @property
    def fraction(self) -> float:
        """Share of the steps done."""
        return self._trainer.done / self._settings.acoustic.steps

    def learn(self, *, save: Callable[[dict[str, Any]], None], told: Callable[[float], None]) -> Learnt:
        """Train until the steps are done or the held-out loss has stopped falling; return the best state.

        Args:
            save: Called with the state after every look that is not the last.
            told: Called with the fraction done.
        """
        if not self.losses:
            self._look()
        while self._trainer.done < self._settings.acoustic.steps:
            told(self.fraction)
            self._trainer.step()
            if self._trainer.done % self._settings.check_every and self._trainer.done != self._settings.acoustic.steps:
                continue
            self._look()
            totals = [loss["total"] for loss in self.losses]
            if len(totals) - 1 - int(np.argmin(totals)) >= self._settings.patience:
                break
            save(self.state())
        return self._trainer.learnt(self._best)

    def _look(self) -> None:
        found = {"step": float(self._trainer.done), **self._trainer.held_out(self._held, self._held_goal, self._settings.held_out_crops)}
        if self.losses and found["total"] < min(loss["total"] for loss in self.losses):
            self._best = {name: value.clone() for name, value in self._trainer.average.items()}
        self.losses.append(found)

    def state(self) -> dict[str, Any]:
        """All that is needed to go on later, in tensors and plain values."""
        return {"trainer": self._trainer.state(), "best": self._best, "losses": self.losses}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._trainer.resume(state["trainer"])
        self._best, self.losses = state["best"], state["losses"]


def centre(speaker: TorchSpeakerEncoder, phrases: Sequence[Phrase], *, loudness: float) -> Tensor:
    """Unit centroid of the windows of some recordings, made louder by a factor, in the loss's own network, [256]."""
    least = int(SHORTEST_WINDOW_S * SAMPLE_RATE_HZ)
    windows = []
    with torch.no_grad():
        for phrase in phrases:
            repeats = int(np.ceil(least / max(1, phrase.samples.size)))
            sound = np.tile(phrase.samples, repeats) * np.float32(loudness)
            windows.append(speaker(torch.from_numpy(sound)[None])[0])
    return torch.nn.functional.normalize(torch.cat(windows).mean(dim=0), dim=0)
