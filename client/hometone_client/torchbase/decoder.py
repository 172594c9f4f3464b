"""The acoustic part: content, F0 and energy -> sound, through a harmonic source and an inverse short-time Fourier transform.

F0 and energy, the source's phase and the spectrum ahead of the inverse transform stay float32 even under autocast: rounding F0 ahead of the
harmonic source is audible at once (docs/results.md).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hometone_client.base.parameters import VANISHING
from hometone_client.torchbase.layers import AdainResBlk1d, SnakeResBlock

SAMPLE_RATE_HZ, F0_HOP = 24_000, 300
STYLE = 128
_FFT, _HOP = 20, 5
_BINS = _FFT // 2 + 1


class HarmonicSource(nn.Module):
    """Nine sines at multiples of F0, merged to one channel (neural source-filter, arXiv 1904.12088)."""

    def __init__(self) -> None:
        super().__init__()
        self.l_linear = nn.Linear(9, 1)

    def forward(self, f0: Tensor, noise: Tensor | None) -> Tensor:
        """f0 [B, F] in Hz at 80 Hz, noise [B, 300 F] or none -> [B, 300 F]."""
        harmonics = torch.arange(1, 10, dtype=torch.float64, device=f0.device)
        turns = (f0.double().unsqueeze(-1) * harmonics / SAMPLE_RATE_HZ) % 1
        phase = torch.cumsum(turns, dim=1) * (2 * math.pi * F0_HOP)
        phase = functional.interpolate(phase.transpose(1, 2), scale_factor=float(F0_HOP), mode="linear").transpose(1, 2)
        voiced = (f0 > 10).to(f0.dtype).repeat_interleave(F0_HOP, dim=1).unsqueeze(-1)
        merged = self.l_linear(torch.sin(phase).float() * 0.1 * voiced).squeeze(-1)
        return torch.tanh(merged if noise is None else merged + noise)


class Generator(nn.Module):
    """Upsamples 80 Hz features by 60 and inverts 4,800 Hz spectra of 11 bins."""

    def __init__(self) -> None:
        super().__init__()
        self.m_source = HarmonicSource()
        self.noise_convs = nn.ModuleList([nn.Conv1d(_FFT + 2, 256, 12, stride=6, padding=3), nn.Conv1d(_FFT + 2, 128, 1)])
        self.noise_res = nn.ModuleList([SnakeResBlock(256, 7, STYLE), SnakeResBlock(128, 11, STYLE)])
        self.ups = nn.ModuleList(
            [nn.ConvTranspose1d(512, 256, 20, stride=10, padding=5), nn.ConvTranspose1d(256, 128, 12, stride=6, padding=3)]
        )
        self.resblocks = nn.ModuleList(SnakeResBlock(channels, kernel, STYLE) for channels in (256, 128) for kernel in (3, 7, 11))
        self.conv_post = nn.Conv1d(128, _FFT + 2, 7, padding=3)
        self.window: Tensor
        self.register_buffer("window", torch.hann_window(_FFT), persistent=False)

    def use_bfloat16(self) -> None:
        """Keep the residual blocks' convolution weights in bfloat16: half the memory traffic where the processor has the instructions."""
        for block in (*self.noise_res, *self.resblocks):
            for conv in (*block.convs1, *block.convs2):
                conv.weight.data = conv.weight.data.to(torch.bfloat16)

    def source_spectrum(self, f0: Tensor, noise: Tensor | None) -> Tensor:
        """Magnitude and phase of the source [B, 22, 60 F + 1]."""
        source = self.m_source(f0, noise)
        spectrum = torch.stft(source, _FFT, _HOP, window=self.window, center=True, pad_mode="reflect", return_complex=True)
        real, imaginary = spectrum.real, spectrum.imag  # settled as `models.kokoro` settles them in the ONNX graph
        real = torch.where(real.abs() < VANISHING, torch.full_like(real, VANISHING), real)
        imaginary = torch.where(imaginary.abs() < VANISHING, torch.zeros_like(imaginary), imaginary)
        phase = torch.where((imaginary == 0) & (real < 0), torch.full_like(real, -math.pi), torch.atan2(imaginary, real))
        return torch.cat([torch.hypot(real, imaginary), phase], dim=1)

    def forward(self, x: Tensor, style: Tensor, source: Tensor) -> Tensor:
        """X [B, 512, F], source spectrum [B, 22, 60 F + 1] -> sound [B, 300 F]."""
        for stage in (0, 1):
            x = functional.leaky_relu(x, 0.1)
            merged = self.noise_res[stage](self.noise_convs[stage](source), style)
            x = self.ups[stage](x)
            if stage == 1:
                x = functional.pad(x, (1, 0), mode="reflect")
            x = x + merged
            blocks = self.resblocks[3 * stage : 3 * stage + 3]
            x = sum(block(x, style) for block in blocks) / 3
        with torch.autocast(x.device.type, enabled=False):
            x = functional.conv1d(functional.leaky_relu(x.float()), self.conv_post.weight.float(), self.conv_post.bias, padding=3)
            spectrum = torch.polar(torch.exp(x[:, :_BINS]), torch.sin(x[:, _BINS:]))
            return torch.istft(spectrum, _FFT, _HOP, window=self.window, center=True)


class Decoder(nn.Module):
    """Kokoro's decoder: an encoder block, four decoder blocks fed with F0 and energy again and again, and the generator."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = AdainResBlk1d(514, 1024, STYLE)
        self.decode = nn.ModuleList(
            [*(AdainResBlk1d(1090, 1024, STYLE) for _ in range(3)), AdainResBlk1d(1090, 512, STYLE, upsample=True)],
        )
        self.F0_conv = nn.Conv1d(1, 1, 3, stride=2, padding=1)
        self.N_conv = nn.Conv1d(1, 1, 3, stride=2, padding=1)
        self.asr_res = nn.ModuleDict({"asr_res": nn.ModuleList([nn.Conv1d(512, 64, 1)])})
        self.generator = Generator()

    def forward(self, content: Tensor, f0: Tensor, energy: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:
        """Content [B, 512, T], f0 and energy [B, 2T], decoder style [B, 128], noise [B, 600 T] -> sound [B, 600 T] at 24 kHz."""
        with torch.autocast(content.device.type, enabled=False):
            source = self.generator.source_spectrum(f0.float(), noise)
            low_f0, low_energy = self.F0_conv(f0.float().unsqueeze(1)), self.N_conv(energy.float().unsqueeze(1))
        x = self.encode(torch.cat([content, low_f0, low_energy], dim=1), style)
        residual = self.get_submodule("asr_res.asr_res.0")(content)
        for block in self.decode:
            x = block(torch.cat([x, residual, low_f0, low_energy], dim=1), style)
        sound: Tensor = self.generator(x, style, source)
        return sound
