"""Low-rank changes of frozen convolutions while they are trained (LoRA, arXiv 2106.09685), and their way back into plain parameters."""

import torch
from torch import Tensor, nn


class LowRankConv1d(nn.Module):
    """A frozen convolution plus a trainable one of low rank: conv_b to `rank` channels, then 1 x 1 back."""

    def __init__(self, frozen: nn.Conv1d, rank: int) -> None:
        super().__init__()
        self.frozen = frozen
        self.weight, self.bias = frozen.weight, frozen.bias  # still found under the base's own names
        self.b = nn.Parameter(torch.randn(rank, *frozen.weight.shape[1:]) / (frozen.weight[0].numel() ** 0.5))
        self.a = nn.Parameter(torch.zeros(frozen.weight.shape[0], rank))

    def forward(self, x: Tensor) -> Tensor:
        """As the convolution it wraps."""
        f = self.frozen
        low = nn.functional.conv1d(x, self.b.to(x.dtype), None, f.stride, f.padding, f.dilation)
        made: Tensor = f(x) + nn.functional.conv1d(low, self.a.to(x.dtype).unsqueeze(-1))
        return made
