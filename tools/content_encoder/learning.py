"""The training run: on a GPU where there is one, otherwise on the processor; it goes on where it was interrupted.

AdamW with warming up and a cosine to zero; bfloat16 where matrices are multiplied; an exponential mean of the weights is what is kept.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch
from tools.content_encoder.corpus import Spoken
from tools.content_encoder.network import PosteriorNetwork
from tools.content_encoder.training import WEIGHTS, Batch, Examples, losses, split
from torch import Tensor

BATCH = 24
LEARNING_RATE = 2e-3
_WARM_STEPS = 50
_AVERAGE = 0.99
_SAVE_EVERY = 100
_TELL_EVERY = 20


def fresh(spoken: list[Spoken]) -> tuple[PosteriorNetwork, Tensor]:
    """A network that knows the scales of features and content, and the spread of each channel of content."""
    network = PosteriorNetwork()
    heard = np.concatenate([hearing.features[::3] for each in spoken for hearing in each.hearings]).astype(np.float32)
    content = np.concatenate([each.content for each in spoken]).astype(np.float32)
    network.feature_mean = torch.from_numpy(heard.mean(axis=0))
    network.feature_scale = torch.from_numpy(1 / (heard.std(axis=0) + 1e-3))
    with torch.no_grad():
        network.mean.bias.copy_(torch.from_numpy(content.mean(axis=0)))
        network.log_variance.weight.mul_(0.1)
        network.log_variance.bias.fill_(-2.5)
    return network, torch.from_numpy(content.std(axis=0))


def learn(spoken: list[Spoken], *, steps: int, checkpoint: Path, tell: Callable[[str], object] = sys.stdout.write) -> PosteriorNetwork:
    """Train on all but the sentences held back.

    Args:
        spoken: The corpus.
        steps: Of `BATCH` pieces of three seconds each.
        checkpoint: Where the state lies while training; a run with the same `steps` goes on from it.
        tell: Gets lines of progress.

    Returns:
        The network with averaged weights.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    learnt_from, held_back = split(spoken)
    network, spread = fresh(learnt_from)
    network.to(device)
    spread = spread.to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.02)
    averaged = {name: value.clone() for name, value in network.state_dict().items()}
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        if state["steps"] == steps:
            network.load_state_dict(state["network"])
            optimiser.load_state_dict(state["optimiser"])
            averaged, first = state["averaged"], state["step"]
    examples, began = Examples(learnt_from, seed=first), time.monotonic()
    for step in range(first, steps):
        rate = LEARNING_RATE * min(1.0, (step + 1) / _WARM_STEPS) * 0.5 * (1 + float(np.cos(np.pi * step / steps)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(device.type, torch.bfloat16):
            parts = losses(network, _on(examples.crops(BATCH), device), spread)
        optimiser.zero_grad()
        torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        kept = min(_AVERAGE, (step + 1) / (step + 10))
        with torch.no_grad():
            for name, value in network.state_dict().items():
                averaged[name].mul_(kept).add_(value, alpha=1 - kept)
        if step % _TELL_EVERY == 0:
            left_s = (time.monotonic() - began) / (step - first + 1) * (steps - step - 1)
            figures = " ".join(f"{name} {part.item():.3f}" for name, part in parts.items())
            tell(f"step {step} of {steps}, {left_s / 60:.0f} min left: {figures}\n")
        if step % _SAVE_EVERY == _SAVE_EVERY - 1 or step == steps - 1:
            state = {"step": step + 1, "steps": steps, "averaged": averaged}
            torch.save(state | {"network": network.state_dict(), "optimiser": optimiser.state_dict()}, checkpoint)
    network.load_state_dict(averaged)
    network.eval().cpu()
    tell("held back: " + " ".join(f"{name} {value:.3f}" for name, value in judged(network, held_back, spread.cpu()).items()) + "\n")
    return network


def judged(network: PosteriorNetwork, held_back: list[Spoken], spread: Tensor) -> dict[str, float]:
    """Losses and the share of frames whose phoneme is right, on whole sentences heard through a telephone."""
    examples, found = Examples(held_back, seed=0), dict[str, list[float]]()
    with torch.inference_mode():
        for index in range(len(held_back)):
            batch = examples.whole(index, 1)
            parts = losses(network, batch, spread)
            scores = network.symbol(network.hidden(batch.features, batch.left, batch.share))
            parts["symbols_right"] = ((scores.argmax(dim=-1) == batch.symbols) * batch.weight).sum() / batch.weight.sum()
            for name, part in parts.items():
                found.setdefault(name, []).append(float(part))
    return {name: float(np.mean(values)) for name, values in found.items()}


def _on(batch: Batch, device: torch.device) -> Batch:
    return replace(batch, **{each.name: getattr(batch, each.name).to(device) for each in fields(batch)})
