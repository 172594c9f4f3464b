"""Differentiable distances between two sounds, limited to the band the recording really holds.

* `multi_resolution`: L1 of log mel spectra plus L1 of log magnitude spectra plus spectral convergence at three resolutions (Parallel
  WaveGAN, arXiv 1910.11480, equations 3 to 6).
* `articulation`: distance of the movements of two log mel spectra, their means over time taken out.
* `tone`: distance of the long-term average spectra of the two, in nepers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hometone_client.base.runtime import SAMPLE_RATE_HZ
from hometone_client.embedding.mel import MelSettings, filterbank

RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))
BANDS = 80
_FLOOR = 1e-5


class SpectralDistance(nn.Module):
    """Distances below `bandwidth_hz`; sounds [B, n] at 24 kHz, aligned sample by sample to within a few milliseconds."""

    def __init__(self, bandwidth_hz: float) -> None:
        super().__init__()
        self.banks: list[Tensor] = []
        self.windows: list[Tensor] = []
        self.limits: list[int] = []
        for size, hop in RESOLUTIONS:
            bank = torch.from_numpy(filterbank(MelSettings(sample_rate_hz=SAMPLE_RATE_HZ, n_fft=size, hop=hop, bands=BANDS)))
            limit = max(8, int(bandwidth_hz / SAMPLE_RATE_HZ * size))
            inside = (bank[:, :limit].sum(dim=1) > 0.98 * bank.sum(dim=1)) & (bank.sum(dim=1) > 0)
            self.banks.append(bank[inside])
            self.windows.append(torch.hann_window(size))
            self.limits.append(limit)

    def _magnitudes(self, sound: Tensor, index: int) -> Tensor:
        size, hop = RESOLUTIONS[index]
        spectrum = torch.stft(sound, size, hop, window=self.windows[index], center=True, pad_mode="reflect", return_complex=True)
        return torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-9)

    def multi_resolution(self, made: Tensor, real: Tensor) -> Tensor:
        """Mean over the resolutions; 0 for equal sounds."""
        total = made.new_zeros(())
        for index in range(len(RESOLUTIONS)):
            a, b = self._magnitudes(made, index), self._magnitudes(real, index)
            mel_a, mel_b = (torch.log(self.banks[index] @ m + _FLOOR * 100) for m in (a, b))
            limit = self.limits[index]
            a, b = a[:, :limit], b[:, :limit]
            convergence = torch.linalg.norm(b - a) / (torch.linalg.norm(b) + 1e-6)
            total = (
                total
                + functional.l1_loss(mel_a, mel_b)
                + 0.5 * functional.l1_loss(torch.log(a + 1e-3), torch.log(b + 1e-3))
                + 0.5 * convergence
            )
        return total / len(RESOLUTIONS)

    def articulation(self, made: Tensor, unadapted: Tensor) -> Tensor:
        """L1 of the log mel spectra's movement around their own means over time: what is said, apart from the colour it is said in."""
        moving = []
        for sound in (made, unadapted):
            log_mel = torch.log(self.banks[1] @ self._magnitudes(sound, 1) + _FLOOR * 100)
            moving.append(log_mel - log_mel.mean(dim=2, keepdim=True))
        return functional.l1_loss(moving[0], moving[1])

    def tone_of(self, sound: Tensor) -> Tensor:
        """Log of the mean mel power, [bands], level taken out."""
        spectrum = torch.log((self.banks[1] @ self._magnitudes(sound, 1).square()).mean(dim=(0, 2)) + _FLOOR)
        return spectrum - spectrum.mean()

    @staticmethod
    def tone(made: Tensor, goal: Tensor) -> Tensor:
        """Mean absolute difference of two results of `tone_of`, nepers of power."""
        return functional.l1_loss(made, goal)
