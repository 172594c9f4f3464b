"""Building blocks of Kokoro-82M (StyleTTS 2, arXiv 2306.07691; iSTFTNet, arXiv 2203.02395).

AdaIN statistics are those of the whole utterance, so a training crop should be long enough (about two seconds) to resemble what is heard.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hometone_client.torchbase.snake import adain_snake


class AdaIN1d(nn.Module):
    """Instance norm over time, scaled and shifted by the style: (1 + gamma) * norm(x) + beta (StyleTTS 2, section 3.1)."""

    def __init__(self, style_dim: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style_dim, channels * 2)

    def scale_and_shift(self, style: Tensor) -> tuple[Tensor, Tensor]:
        """Style [B, style_dim] -> gamma and beta, each [B, C, 1]."""
        gamma, beta = self.fc(style).unsqueeze(-1).chunk(2, dim=1)
        return gamma, beta

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Sound features x [B, C, T], style [B, style_dim] -> [B, C, T]."""
        gamma, beta = self.scale_and_shift(style)
        normed: Tensor = (1 + gamma) * functional.instance_norm(x, eps=1e-5) + beta
        return normed


class AdaLayerNorm(nn.Module):
    """Layer norm over channels, scaled and shifted by the style."""

    def __init__(self, style_dim: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style_dim, channels * 2)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """X [B, n, C], style [B, style_dim] -> [B, n, C]."""
        gamma, beta = self.fc(style).unsqueeze(1).chunk(2, dim=2)
        normed: Tensor = (1 + gamma) * functional.layer_norm(x, (x.shape[-1],), eps=1e-5) + beta
        return normed


class ChannelLayerNorm(nn.Module):
    """Layer norm over the channels of [B, C, T] with gain and shift."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] -> [B, C, T]."""
        return functional.layer_norm(x.transpose(1, -1), (x.shape[1],), self.gamma, self.beta, 1e-5).transpose(1, -1)


class AdainResBlk1d(nn.Module):
    """Residual block with AdaIN, optionally doubling the rate."""

    def __init__(self, dim_in: int, dim_out: int, style_dim: int, *, upsample: bool = False) -> None:
        super().__init__()
        self.upsample = upsample
        self.conv1 = nn.Conv1d(dim_in, dim_out, 3, padding=1)
        self.conv2 = nn.Conv1d(dim_out, dim_out, 3, padding=1)
        self.norm1 = AdaIN1d(style_dim, dim_in)
        self.norm2 = AdaIN1d(style_dim, dim_out)
        self.conv1x1 = nn.Conv1d(dim_in, dim_out, 1, bias=False) if dim_in != dim_out else None
        self.pool = nn.ConvTranspose1d(dim_in, dim_in, 3, stride=2, groups=dim_in, padding=1, output_padding=1) if upsample else None

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """X [B, dim_in, T] -> [B, dim_out, T or 2T]."""
        shortcut = functional.interpolate(x, scale_factor=2, mode="nearest") if self.upsample else x
        if self.conv1x1 is not None:
            shortcut = self.conv1x1(shortcut)
        x = functional.leaky_relu(self.norm1(x, style), 0.2)
        if self.pool is not None:
            x = self.pool(x)
        x = functional.leaky_relu(self.norm2(self.conv1(x), style), 0.2)
        made: Tensor = (self.conv2(x) + shortcut) / math.sqrt(2)
        return made


class SnakeResBlock(nn.Module):
    """Generator residual block: AdaIN, Snake activation x + sin(ax)^2 / a (arXiv 2006.08195), dilated convolution, three times."""

    def __init__(self, channels: int, kernel_size: int, style_dim: int, dilations: tuple[int, int, int] = (1, 3, 5)) -> None:
        super().__init__()
        half = (kernel_size - 1) // 2
        self.convs1 = nn.ModuleList(nn.Conv1d(channels, channels, kernel_size, dilation=d, padding=d * half) for d in dilations)
        self.convs2 = nn.ModuleList(nn.Conv1d(channels, channels, kernel_size, padding=half) for _ in dilations)
        self.adain1 = nn.ModuleList(AdaIN1d(style_dim, channels) for _ in dilations)
        self.adain2 = nn.ModuleList(AdaIN1d(style_dim, channels) for _ in dilations)
        self.alpha1 = nn.ParameterList(torch.ones(1, channels, 1) for _ in dilations)
        self.alpha2 = nn.ParameterList(torch.ones(1, channels, 1) for _ in dilations)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """[B, C, T] -> [B, C, T] float32; computed in bfloat16 where the convolutions are (`Generator.use_bfloat16`)."""
        with torch.autocast(x.device.type, enabled=False):
            x, style = x.float(), style.float()
            for conv1, conv2, norm1, norm2, alpha1, alpha2 in zip(
                self.convs1, self.convs2, self.adain1, self.adain2, self.alpha1, self.alpha2, strict=True
            ):
                y = adain_snake(x, norm1.scale_and_shift(style), alpha1, conv1.weight.dtype)
                y = functional.conv1d(y, conv1.weight, None, 1, conv1.padding, conv1.dilation)  # norm2 takes a bias out again
                y = adain_snake(y, norm2.scale_and_shift(style), alpha2, conv2.weight.dtype)
                x = (x + functional.conv1d(y, conv2.weight, None, 1, conv2.padding)).add_(conv2.bias.unsqueeze(-1))
        return x
