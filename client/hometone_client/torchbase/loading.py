"""Fills the torch modules with the very numbers the ONNX graphs use (`base.parameters`)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hometone_client.base.parameters import load_parameters
from hometone_client.torchbase.decoder import Decoder
from hometone_client.torchbase.prosody import LanguagePart
from hometone_shared.errors import ModelError


@dataclass(frozen=True, slots=True)
class TorchBase:
    """Both parts of the base voice, frozen and in evaluation mode."""

    language: LanguagePart
    decoder: Decoder


def load_torch_base(folder: Path) -> TorchBase:
    """Build both parts from the assembled base.

    Raises:
        ModelError: A parameter is missing, left over, or of another shape.
    """
    stored = {name: torch.from_numpy(np.array(array)) for name, array in load_parameters(folder).items()}
    language, decoder = LanguagePart(), Decoder()
    unused = set(stored)
    for module, prefix in ((language, ""), (decoder, "decoder.")):
        _fill(module, prefix, stored, unused)
        module.requires_grad_(requires_grad=False)
        module.eval()
    left = {name for name in unused if "stft." not in name}
    if left:
        raise ModelError(f"the base voice holds {len(left)} parameters that this version does not know")
    return TorchBase(language, decoder)


def _fill(root: nn.Module, prefix: str, stored: dict[str, Tensor], unused: set[str]) -> None:
    for path, module in root.named_modules():
        full = f"{prefix}{path}" if path else prefix.rstrip(".")
        if isinstance(module, nn.LSTM):
            _fill_lstm(module, full, stored, unused)
            continue
        for name, parameter in module.named_parameters(recurse=False):
            key = f"{full}.{name}"
            if key not in stored:
                raise ModelError("the base voice lacks a parameter", hint="hometone doctor assembles it again")
            value = stored[key].T if isinstance(module, nn.Linear) and name == "weight" else stored[key]
            if value.shape != parameter.shape:
                raise ModelError("a parameter of the base voice has another shape than expected")
            parameter.data = value.contiguous()
            unused.discard(key)


def _fill_lstm(module: nn.LSTM, full: str, stored: dict[str, Tensor], unused: set[str]) -> None:
    """ONNX gates i o f c -> torch gates i f g o; B = [input bias | recurrent bias]."""

    def gates(x: Tensor) -> Tensor:
        i, o, f, c = x.chunk(4, dim=0)
        return torch.cat([i, f, c, o], dim=0).contiguous()

    for direction, suffix in ((0, ""), (1, "_reverse")):
        bias_input, bias_recurrent = stored[f"{full}.B"][direction].chunk(2)
        for name, value in (
            ("weight_ih_l0", stored[f"{full}.W"][direction]),
            ("weight_hh_l0", stored[f"{full}.R"][direction]),
            ("bias_ih_l0", bias_input),
            ("bias_hh_l0", bias_recurrent),
        ):
            getattr(module, name + suffix).data = gates(value)
    unused.difference_update({f"{full}.{part}" for part in "WRB"})
