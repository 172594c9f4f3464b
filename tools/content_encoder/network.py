"""The posterior encoder q(z|x): Whisper features at 50 Hz -> mean and log-variance of the decoder's content at 40 Hz.

Residual blocks of a depthwise convolution over time and a two-layer perceptron over channels (ConvNeXt, arXiv 2201.03545), some at 50 Hz
and some at 40 Hz; between them each content frame takes the features at the time when it is heard (`hometone_client.content.posterior`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURES, CONTENT, SYMBOLS = 512, 512, 178
_NOISE, _MISSING, _GAP = 0.3, 0.1, 8


class Block(nn.Module):
    """x + MLP(LN(depthwise convolution(x))), the branch scaled by a learnt gain."""

    def __init__(self, width: int, *, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.over_time = nn.Conv1d(width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=width)
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 3 * width)
        self.narrow = nn.Linear(3 * width, width)
        self.gain = nn.Parameter(torch.full((width,), 0.1))
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width] -> [B, T, width]."""
        y = self.over_time(x.transpose(1, 2)).transpose(1, 2)
        y = functional.gelu(self.wide(self.norm(y)))
        if self.training and self.dropout:  # whole channels of a sentence: one draw each, not one a value
            y = y * (torch.rand(y.shape[0], 1, y.shape[2]) > self.dropout).to(y.dtype) / (1 - self.dropout)
        made: Tensor = x + self.narrow(y) * self.gain
        return made


def _unreliable(x: Tensor) -> Tensor:
    """Features with noise, some of them missing: one channel in ten, and one stretch of 160 ms (after SpecAugment, arXiv 1904.08779)."""
    kept = (torch.rand(x.shape[0], 1, x.shape[2], device=x.device) > _MISSING).to(x.dtype)
    start = torch.randint(0, x.shape[1], (x.shape[0], 1), device=x.device)
    places = torch.arange(x.shape[1], device=x.device)
    outside = ((places < start) | (places >= start + _GAP)).to(x.dtype).unsqueeze(-1)
    return (x + _NOISE * torch.randn_like(x)) * kept * outside


class PosteriorNetwork(nn.Module):
    """Mean and log-variance of the content, and phoneme scores that only training looks at."""

    def __init__(self, *, width: int = 320, early: int = 3, late: int = 6, dropout: float = 0.2) -> None:
        super().__init__()
        self.feature_mean: Tensor
        self.feature_scale: Tensor
        self.register_buffer("feature_mean", torch.zeros(FEATURES))
        self.register_buffer("feature_scale", torch.ones(FEATURES))
        self.enter = nn.Linear(FEATURES, width)
        self.early = nn.ModuleList(Block(width, kernel=5, dilation=1, dropout=dropout) for _ in range(early))
        self.late = nn.ModuleList(Block(width, kernel=7, dilation=(1, 2, 4)[i % 3], dropout=dropout) for i in range(late))
        self.norm = nn.LayerNorm(width)
        self.mean = nn.Linear(width, CONTENT)
        self.log_variance = nn.Linear(width, CONTENT)
        self.symbol = nn.Linear(width, SYMBOLS)

    def hidden(self, features: Tensor, left: Tensor, share: Tensor) -> Tensor:
        """Features [B, n, 512], left int64 [B, T] and share [B, T]: frame j lies at left + share -> [B, T, width]."""
        x = (features - self.feature_mean) * self.feature_scale
        x = self.enter(_unreliable(x) if self.training else x)
        for block in self.early:
            x = block(x)
        index = left.unsqueeze(-1).expand(-1, -1, x.shape[-1])
        right = torch.clamp(index + 1, max=x.shape[1] - 1)
        x = torch.gather(x, 1, index) * (1 - share.unsqueeze(-1)) + torch.gather(x, 1, right) * share.unsqueeze(-1)
        for block in self.late:
            x = block(x)
        normed: Tensor = self.norm(x)
        return normed

    def forward(self, features: Tensor, left: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each [B, 512, T]."""
        x = self.hidden(features, left, share)
        return self.mean(x).transpose(1, 2), self.log_variance(x).transpose(1, 2)
