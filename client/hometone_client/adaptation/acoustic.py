"""Fine-tunes the acoustic part for one speaker: decoder style, AdaIN shifts, low-rank changes of the low-rate convolutions.

The generator's convolutions stay frozen (their gradients are nine tenths of the cost and most of the overfitting). Crops of about two
seconds of real, aligned speech are rebuilt from phonemes, real F0 and energy; the losses are likeness (GE2E), spectrum, tone, and
staying near the base.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hometone_client.adaptation.learnt import Learnt
from hometone_client.adaptation.low_rank import LowRankConv1d
from hometone_client.adaptation.material import Line
from hometone_client.adaptation.preparation import Phrase
from hometone_client.adaptation.speaker_loss import TorchSpeakerEncoder
from hometone_client.adaptation.spectral_losses import SpectralDistance
from hometone_client.base.analysis import Floats
from hometone_client.base.prosody import VOICED_HZ
from hometone_client.base.runtime import CONTENT_HOP, DEFAULT_NOISE_SCALE, UNVOICED_NOISE, VOICED_NOISE
from hometone_client.torchbase.decoder import F0_HOP, Decoder
from hometone_client.torchbase.layers import AdaIN1d
from hometone_client.torchbase.prosody import LanguagePart, stretch


@dataclass(frozen=True, slots=True, kw_only=True)
class AcousticSettings:
    """How the acoustic part is fine-tuned; the defaults are the recipe (docs/adaptation.md has the table of attempts)."""

    steps: int = 40
    crops: int = 2
    crop_frames: int = 72  # 1.8 s at 40 Hz
    rank: int = 8
    style_learning_rate: float = 1e-2
    shift_learning_rate: float = 4e-3
    low_rank_learning_rate: float = 2e-3
    likeness: float = 0.7  # every window near the speaker's centroid
    centre: float = 1.5  # the running mean of the windows on it: a bias that all sounds share is another voice
    memory_share: float = 0.25
    averaging: float = 0.9  # of the weights over the steps
    spectrum: float = 0.7  # of recorded crops
    articulation: float = 0.5  # of crops as spoken: the movement of the unadapted spectrum, which keeps words clear
    tone: float = 0.1
    style_decay: float = 0.005
    shift_decay: float = 1e-4
    bf16: bool = True


class Crop(NamedTuple):
    """Content [1, 512, T], F0 and energy [1, 2T], and a sound [1, 600 T]: the recording, or what the base makes of the same curves."""

    content: Tensor
    f0: Tensor
    energy: Tensor
    sound: Tensor
    recorded: bool


@dataclass(slots=True)
class CropSource:
    """Phrases as tensors, and where crops may start."""

    content: list[Tensor]
    f0: list[Tensor]
    energy: list[Tensor]
    sound: list[Tensor]
    recorded: bool

    @classmethod
    def of(cls, phrases: Sequence[Phrase], language: LanguagePart) -> "CropSource":
        """Aligned recordings; their text is encoded once."""
        content = []
        with torch.no_grad():
            for phrase in phrases:
                text = language.text_encoder(torch.tensor([phrase.tokens]))[0].T
                content.append(stretch(text, torch.from_numpy(phrase.durations)).T)
        f0, energy, sound = ([torch.from_numpy(getattr(p, name)) for p in phrases] for name in ("f0_hz", "energy", "samples"))
        return cls(content, f0, energy, sound, recorded=True)

    @classmethod
    def of_lines(cls, lines: Sequence[Line]) -> "CropSource":
        """Sentences as the base speaks them."""
        return cls(
            [torch.from_numpy(line.prosody.content[0]) for line in lines],
            [torch.from_numpy(line.prosody.f0_hz) for line in lines],
            [torch.from_numpy(line.prosody.energy) for line in lines],
            [torch.from_numpy(line.sound) for line in lines],
            recorded=False,
        )

    def draw(self, count: int, frames: int, generator: np.random.Generator) -> list[Crop]:
        """Crops of `frames` content frames; long phrases are drawn more often."""
        lengths = np.array([c.shape[1] for c in self.content], dtype=np.float64)
        crops = []
        for index in generator.choice(len(lengths), size=count, p=lengths / lengths.sum()):
            start = int(generator.integers(0, max(1, self.content[index].shape[1] - frames + 1)))
            crops.append(self._crop(int(index), start, frames))
        return crops

    def _crop(self, index: int, start: int, frames: int) -> Crop:
        def cut(x: Tensor, rate: int, value: float | None = None) -> Tensor:
            piece = x[..., start * rate : (start + frames) * rate].unsqueeze(0)
            missing = frames * rate - piece.shape[-1]
            if missing <= 0:
                return piece
            return (
                functional.pad(piece, (0, missing), mode="replicate") if value is None else functional.pad(piece, (0, missing), value=value)
            )

        return Crop(
            cut(self.content[index], 1),
            cut(self.f0[index], 2, 0.0),
            cut(self.energy[index], 2, float(self.energy[index].min())),
            cut(self.sound[index], CONTENT_HOP, 0.0),
            self.recorded,
        )


class AcousticTrainer:
    """Owns the trainable parts; `step` makes one step, `delta` reads out what was learnt."""

    def __init__(
        self,
        decoder: Decoder,
        source: CropSource,
        spoken: CropSource,
        *,
        style: Floats,
        speaker: TorchSpeakerEncoder,
        goal: Floats,
        tone_goal: Tensor,
        distance: SpectralDistance,
        tone_filter: Floats,
        loudness: float,
        settings: AcousticSettings,
        seed: int = 0,
    ) -> None:
        """Take over a frozen decoder (its AdaIN shifts and low-rate convolutions become trainable in place).

        Args:
            decoder: The base's.
            source: Aligned recordings, or `spoken` again where there are none.
            spoken: The same words as the language part speaks them; what will be heard in the end is made of such curves.
            style: float32 [256] to start at.
            speaker: The likeness network.
            goal: float32 [256], unit centroid of the speaker's recordings in that network.
            tone_goal: From `SpectralDistance.tone_of` over all recordings.
            distance: Spectral distances within the recordings' band.
            tone_filter: float32 [odd], applied to what the decoder makes.
            loudness: Factor from the decoder's level to the one at which the voice will be heard, and `goal` was: the likeness network
                takes another level for another voice.
            settings: How.
            seed: Of crops, noise and the low-rank factors; the crops of a step depend on the seed and the number of the step alone.
        """
        self.settings, self.decoder, self.speaker, self.seed = settings, decoder, speaker, seed
        self.source, self.spoken = source, spoken
        self.start_style = torch.from_numpy(style[:128].copy())
        self.style = nn.Parameter(self.start_style.clone())
        self.goal, self.tone_goal, self.distance = torch.from_numpy(goal), tone_goal, distance
        self.merge_norm = float(decoder.generator.m_source.l_linear.weight.norm())
        self.tone_filter = torch.from_numpy(tone_filter.copy()).flip(0)[None, None]
        self.loudness = loudness
        self.done = 0
        self.start_shift: dict[str, Tensor] = {}
        self.shifts: dict[str, nn.Parameter] = {}
        for name, module in decoder.named_modules():
            if isinstance(module, AdaIN1d):
                self.start_shift[f"{name}.fc.bias"] = module.fc.bias.detach().clone()
                module.fc.bias.requires_grad = True
                self.shifts[f"{name}.fc.bias"] = module.fc.bias
        torch.manual_seed(seed)
        self.low_rank: dict[str, LowRankConv1d] = {}
        if settings.rank:
            for name, block in (("encode", decoder.encode), *((f"decode.{i}", b) for i, b in enumerate(decoder.decode))):
                for conv in ("conv1", "conv2"):
                    wrapped = LowRankConv1d(getattr(block, conv), settings.rank)
                    setattr(block, conv, wrapped)
                    self.low_rank[f"{name}.{conv}.weight"] = wrapped
        groups = [
            {"params": [self.style], "lr": settings.style_learning_rate},
            {"params": [*self.shifts.values()], "lr": settings.shift_learning_rate},
        ]
        if self.low_rank:
            groups.append({"params": [p for w in self.low_rank.values() for p in (w.a, w.b)], "lr": settings.low_rank_learning_rate})
        self.optimizer = torch.optim.Adam(groups, betas=(0.8, 0.98))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda s: min(1.0, (s + 1) / 5) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, s / settings.steps))))
        )

        self.memory = self.goal.clone()
        self.average = self.snapshot()

    def parameters(self) -> dict[str, Tensor]:
        """Everything that is trained, by name; the tensors themselves."""
        low = {f"{name}.{part}": getattr(w, part) for name, w in self.low_rank.items() for part in ("a", "b")}
        return {"style": self.style, **self.shifts, **low}

    def snapshot(self) -> dict[str, Tensor]:
        """Copies of all trained parameters."""
        return {name: p.detach().clone() for name, p in self.parameters().items()}

    @torch.no_grad()
    def restore(self, snapshot: dict[str, Tensor]) -> None:
        """Put a snapshot back."""
        for name, parameter in self.parameters().items():
            parameter.copy_(snapshot[name])

    def state(self) -> dict[str, Any]:
        """All that is needed to go on later, in tensors and plain values."""
        return {
            "done": self.done,
            "parameters": self.snapshot(),
            "average": self.average,
            "memory": self.memory,
            "optimizer": self.optimizer.state_dict(),
            "schedule": {"last_epoch": self.schedule.last_epoch},
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.restore(state["parameters"])
        self.average, self.memory = state["average"], state["memory"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.done = state["done"]
        self.schedule.last_epoch = state["schedule"]["last_epoch"]
        for group, base in zip(self.optimizer.param_groups, self.schedule.base_lrs, strict=True):
            group["lr"] = base * self.schedule.lr_lambdas[0](self.done)

    def render(self, crop: Crop) -> Tensor:
        """Decode a crop with the source noise that speaking uses, and colour it -> sound [1, 600 T]."""
        voiced = (crop.f0 > VOICED_HZ).repeat_interleave(F0_HOP, dim=1)
        noise = torch.randn(voiced.shape) * torch.where(voiced, VOICED_NOISE, UNVOICED_NOISE) * (DEFAULT_NOISE_SCALE * self.merge_norm)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.settings.bf16):
            sound: Tensor = self.decoder(crop.content, crop.f0, crop.energy, self.style.unsqueeze(0), noise).float()
        return functional.conv1d(sound.unsqueeze(1), self.tone_filter, padding=self.tone_filter.shape[-1] // 2).squeeze(1)

    def losses(self, made: Tensor, crop: Crop) -> dict[str, Tensor]:
        """Unweighted losses of one crop."""
        windows = self.speaker(made * self.loudness)[0]
        s = self.settings
        mixed = functional.normalize((1 - s.memory_share) * self.memory + s.memory_share * windows.mean(dim=0), dim=0)
        result = {"likeness": (1 - windows @ self.goal).mean(), "centre": (1 - mixed @ self.goal) / s.memory_share}
        if torch.is_grad_enabled():
            self.memory = mixed.detach()
        if not crop.recorded:
            result["articulation"] = self.distance.articulation(made, crop.sound)
            result["tone"] = self.distance.tone(self.distance.tone_of(made), self.tone_goal)
            return result
        result["tone"] = self.distance.tone(self.distance.tone_of(made), self.distance.tone_of(crop.sound))
        if self.settings.spectrum:
            result["spectrum"] = self.distance.multi_resolution(made, crop.sound)
        return result

    def weighted(self, losses: dict[str, Tensor]) -> Tensor:
        """The losses' sum under the settings' weights."""
        s = self.settings
        weights = {"likeness": s.likeness, "centre": s.centre, "tone": s.tone, "spectrum": s.spectrum, "articulation": s.articulation}
        return torch.stack([weights[name] * value for name, value in losses.items()]).sum()

    def step(self) -> float:
        """One optimiser step on freshly drawn crops, one crop in memory at a time; returns the mean weighted loss."""
        s = self.settings
        generator = np.random.default_rng([self.seed, self.done])
        torch.manual_seed(self.seed * 1_000_003 + self.done)
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        half = s.crops // 2
        for crop in self.source.draw(s.crops - half, s.crop_frames, generator) + self.spoken.draw(half, s.crop_frames, generator):
            loss = self.weighted(self.losses(self.render(crop), crop)) / s.crops
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        stay = s.style_decay * (self.style - self.start_style).square().sum()
        stay = stay + s.shift_decay * torch.stack([(p - self.start_shift[n]).square().sum() for n, p in self.shifts.items()]).sum()
        stay.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([p for g in self.optimizer.param_groups for p in g["params"]], 5.0)
        self.optimizer.step()
        self.schedule.step()
        self.done += 1
        keep = min(s.averaging, self.done / (self.done + 4))
        for name, parameter in self.parameters().items():
            self.average[name].lerp_(parameter.detach(), 1 - keep)
        return total

    @torch.no_grad()
    def held_out(self, sources: Sequence[CropSource], goal: Tensor, crops: int) -> dict[str, float]:
        """Mean unweighted losses of the averaged weights on phrases that are not trained on, and their weighted `total`.

        Always the same crops and the same noise, so that two calls differ by the weights alone.
        """
        generator = np.random.default_rng(1)
        torch.manual_seed(1)
        kept, now = (self.goal, self.memory), self.snapshot()
        self.restore(self.average)
        self.goal = goal
        found, windows = [], []
        for source in sources:
            for crop in source.draw(crops, self.settings.crop_frames, generator):
                made = self.render(crop)
                self.memory = goal
                found.append(self.losses(made, crop))
                windows.append(self.speaker(made * self.loudness)[0].mean(dim=0))
        names = {name for losses in found for name in losses} - {"centre"}
        mean = {name: torch.stack([losses[name] for losses in found if name in losses]).mean() for name in sorted(names)}
        mean["centre"] = 1 - functional.normalize(torch.stack(windows).mean(dim=0), dim=0) @ goal
        self.goal, self.memory = kept
        self.restore(now)
        return {**{name: float(value) for name, value in mean.items()}, "total": float(self.weighted(mean))}

    def learnt(self, snapshot: dict[str, Tensor]) -> Learnt:
        """What a snapshot changed, under the base's own parameter names and in its layout."""
        shifts = {f"decoder.{n}": (snapshot[n] - start).numpy() for n, start in self.start_shift.items()}
        low = {f"decoder.{n}": (snapshot[f"{n}.a"].numpy(), snapshot[f"{n}.b"].numpy()) for n in self.low_rank}
        return Learnt((snapshot["style"] - self.start_style).numpy(), shifts, low)
