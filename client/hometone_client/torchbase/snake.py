"""AdaIN followed by the Snake activation, as one differentiable operation that works through the channels in cache-sized pieces.

Written as separate torch operations each is a pass through main memory, twenty of them around every convolution. Here a few channels at a
time go through all of it while they are in the cache. With a per-channel scale and shift

    y = a x + b,            a = (1 + gamma) / sigma,  b = beta - a mean           (AdaIN, arXiv 1703.06868, equation 8)
    z = y + sin(alpha y)^2 / alpha = y + (1 - cos(2 alpha y)) / (2 alpha)         (Snake, arXiv 2006.08195, equation 3)

and backwards dz/dy = 1 + sin(2 alpha y), then the usual gradient of a normalisation. Only x and the statistics are kept.
"""

from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-5
_PIECE_BYTES = 1 << 19


def _pieces(x: Tensor) -> list[slice]:
    channels = max(1, _PIECE_BYTES // (4 * x.shape[-1]))
    return [slice(start, start + channels) for start in range(0, x.shape[1], channels)]


class _AdaInSnake(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - autograd functions take everything by position
        ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor, alpha: Tensor, dtype: torch.dtype
    ) -> Tensor:
        made = torch.empty(x.shape, dtype=dtype)
        mean = torch.empty(*x.shape[:2], 1)
        rstd = torch.empty(*x.shape[:2], 1)
        for i in range(x.shape[0]):
            for c in _pieces(x):
                piece = x[i, c].float()
                average = piece.mean(dim=1, keepdim=True)
                centred = piece - average  # two passes within the cache: exact, and quicker than the one-pass formula of var_mean
                variance = torch.linalg.vector_norm(centred, dim=1, keepdim=True).square_().div_(x.shape[-1])
                mean[i, c], rstd[i, c] = average, torch.rsqrt(variance + EPSILON)
                y = torch.addcmul(beta[i, c], centred, (1 + gamma[i, c]) * rstd[i, c])
                half = 0.5 / alpha[0, c]
                wave = (y * (2 * alpha[0, c])).cos_()
                made[i, c] = y.add_(half).addcmul_(wave, -half)
        ctx.save_for_backward(x, gamma, beta, alpha, mean, rstd)
        return made

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, gamma, beta, alpha, mean, rstd = ctx.saved_tensors
        (gradient,) = gradients
        dx, dgamma, dbeta = torch.empty_like(x), torch.empty_like(gamma), torch.empty_like(beta)
        count = x.shape[-1]
        for i in range(x.shape[0]):
            for c in _pieces(x):
                unit = (x[i, c].float() - mean[i, c]).mul_(rstd[i, c])
                gain = 1 + gamma[i, c]
                slope = torch.addcmul(beta[i, c], unit, gain).mul_(2 * alpha[0, c]).sin_().add_(1)
                dy = slope.mul_(gradient[i, c])
                dbeta[i, c] = dy.sum(dim=1, keepdim=True)
                dgamma[i, c] = (dy * unit).sum(dim=1, keepdim=True)
                unit.mul_(dgamma[i, c] / -count).sub_(dbeta[i, c] / count).add_(dy)
                dx[i, c] = unit.mul_(gain * rstd[i, c])
        return dx, dgamma, dbeta, None, None


def adain_snake(x: Tensor, scale_and_shift: tuple[Tensor, Tensor], alpha: Tensor, dtype: torch.dtype) -> Tensor:
    """Normalise, scale, shift, activate.

    Args:
        x: [B, C, T], float32 or bfloat16.
        scale_and_shift: Gamma and beta, each float32 [B, C, 1].
        alpha: float32 [1, C, 1], not trained.
        dtype: Of the result.

    Returns:
        [B, C, T].
    """
    made: Tensor = _AdaInSnake.apply(x, *scale_and_shift, alpha, dtype)  # type: ignore[no-untyped-call]
    return made
