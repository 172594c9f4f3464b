"""Runs the two graphs of the base voice with onnxruntime.

1. `prosody`: phoneme tokens and style -> content, F0, energy, durations (the article's "GPT": pauses, stress, intonation).
2. `decode`: content, F0, energy and style -> sound (the article's "SoVITS": the voice).

A voice replaces single parameters of the graphs at load time (`replacements`), so an adapted voice costs exactly what the plain base
costs. F0 and energy stay float32 throughout: rounding F0 ahead of the harmonic source costs a point of predicted opinion score
(docs/results.md).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from hometone_client.base.parameters import DECODER, PROSODY, graph_parameters, load_parameters
from hometone_client.base.prosody import VOICED_HZ, Prosody
from hometone_shared.errors import ModelError

SAMPLE_RATE_HZ = 24_000
CONTENT_HOP = 600  # samples, 40 Hz
F0_HOP = 300  # samples, 80 Hz
# Kokoro's SineGen: sines of amplitude 0.1, noise of 0.003 under voiced and 0.1 / 3 under unvoiced sound.
VOICED_NOISE, UNVOICED_NOISE = 0.003, 0.1 / 3
DEFAULT_NOISE_SCALE = 0.667  # requirement 15

Array = NDArray[np.float32]


class BaseRuntime:
    """Both graphs, loaded once; calls are independent of each other and thread-safe."""

    def __init__(self, folder: Path, *, replacements: Mapping[str, Array] | None = None, threads: int | None = None) -> None:
        """Load the graphs.

        Args:
            folder: Where `models.kokoro` assembled the base.
            replacements: Parameter name -> float32 array that takes the place of the base's own (ONNX layout, linear weights [in, out]).
            threads: Threads within one operation; all physical cores by default.

        Raises:
            ModelError: The base is missing or damaged, or a replacement does not fit it.
        """
        self._kept: list[object] = []  # onnxruntime reads replacements from these buffers
        replacements = dict(replacements or {})
        parameters = load_parameters(folder)
        for name, array in replacements.items():
            if name not in parameters or array.shape != parameters[name].shape:
                raise ModelError("this voice does not fit the base voice on this machine", hint="train the voice again")
        self._prosody, in_prosody = self._session(folder, PROSODY, replacements, threads)
        self._decoder, in_decoder = self._session(folder, DECODER, replacements, threads)
        if unused := replacements.keys() - in_prosody - in_decoder:
            raise ModelError(f"this voice changes {len(unused)} parameters the base voice does not have")
        self._merge_norm = float(np.linalg.norm(parameters["decoder.generator.m_source.l_linear.weight"]))

    def _session(
        self, folder: Path, graph: str, replacements: Mapping[str, Array], threads: int | None
    ) -> tuple[ort.InferenceSession, frozenset[str]]:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        if threads:
            options.intra_op_num_threads = threads
        here = graph_parameters(folder, graph) & replacements.keys()
        if here:
            names = sorted(here)
            values = [ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(replacements[name], dtype=np.float32)) for name in names]
            self._kept.append(values)
            options.add_external_initializers(names, values)
        try:
            return ort.InferenceSession(str(folder / graph), options, providers=["CPUExecutionProvider"]), here
        except Exception as error:
            raise ModelError("the base voice cannot be loaded", hint="hometone doctor checks and repairs the model folder") from error

    def prosody(self, tokens: Sequence[int], style: Array, *, length_scale: float = 1.0) -> Prosody:
        """Decide durations, F0 and energy.

        Args:
            tokens: Phoneme tokens without padding, 1 to 510.
            style: float32 [256].
            length_scale: Above 1 is slower (requirement 16).
        """
        padded = np.array([[0, *tokens, 0]], dtype=np.int64)
        speed = np.array([1.0 / length_scale], dtype=np.float32)
        outputs = self._prosody.run(
            ["content", "f0", "energy", "durations"], {"tokens": padded, "style": style.reshape(1, 256).astype(np.float32), "speed": speed}
        )
        content, f0, energy, durations = outputs
        return Prosody(content, f0[0], energy[0], durations.reshape(-1).astype(np.int64))

    def decode(
        self,
        prosody: Prosody,
        style: Array,
        *,
        noise_scale: float = DEFAULT_NOISE_SCALE,
        voiced_noise: float = VOICED_NOISE,
        seed: int | None = None,
    ) -> Array:
        """Turn content, F0 and energy into sound, float32 [600 T] at 24 kHz.

        Args:
            prosody: From `prosody`, F0 edited at will.
            style: float32 [256].
            noise_scale: Scales the noise in the harmonic source; 0 is free of it (requirement 15).
            voiced_noise: Amplitude of that noise under voiced sound: the breath of a voice.
            seed: Makes the noise repeatable; drawn afresh by default.
        """
        samples = prosody.f0_hz.shape[0] * F0_HOP
        voiced = np.repeat(prosody.f0_hz > VOICED_HZ, F0_HOP)
        amplitude = np.where(voiced, np.float32(voiced_noise), np.float32(UNVOICED_NOISE)) * np.float32(noise_scale * self._merge_norm)
        generator = np.random.default_rng(seed)  # sound, not secrecy
        noise = generator.standard_normal(samples, dtype=np.float32) * amplitude
        feed = {
            "content": prosody.content,
            "f0": prosody.f0_hz[None].astype(np.float32),
            "energy": prosody.energy[None].astype(np.float32),
            "style": style.reshape(1, 256).astype(np.float32),
            "source_noise": noise[None, :, None].astype(np.float32),
        }
        (audio,) = self._decoder.run(["audio"], feed)
        return np.asarray(audio, dtype=np.float32).reshape(-1)
