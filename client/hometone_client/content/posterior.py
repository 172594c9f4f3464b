"""What a sound says, as a distribution over what the decoder speaks: the posterior encoder q(z|x) of the article's acoustic part.

A variational autoencoder for speech (Kingma and Welling 2014; VITS, arXiv 2106.06103) has an encoder from sound to a latent variable z, a
prior over z from the text, and a decoder from z to sound. Here the decoder and the text's content are those of the base, frozen; this
encoder was learnt by distillation from synthetic speech of the base in all its languages (tools/content_encoder, docs/models.md):

1. Whisper's encoder hears what is said, apart from who says it: 512 features, 50 times a second (`embedding.content`).
2. A small network looks at about a second around each frame of 1/40 s; the frame takes the features of the time when the decoder will
   make it sound, 55 ms before the frame (`speaking.timing`).
3. Out come mean and log-variance of the 512 channels of content, independent of each other.

What it may see: sound in memory. What it must never do: write or send anything. Content says what was said, and is kept no longer than it.
"""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from hometone_client.embedding.content import CONTENT_RATE_HZ as FEATURE_RATE_HZ
from hometone_client.embedding.content import ContentEncoder
from hometone_shared.errors import ModelError

Floats = NDArray[np.float32]

CONTENT_SIZE: Final = 512
CONTENT_RATE_HZ: Final = 40
NETWORK: Final = "posterior.onnx"
NETWORK_SHA256: Final = "78a41b96360d3210744865efbf8dfae82ca04468d07cd6904d454c214ac7fde2"
_AHEAD_S: Final = 0.055
_DAMAGED: Final = "the content encoder cannot be loaded"


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """A normal distribution over content, its channels independent.

    Attributes:
        mean: float32 [512, T] at 40 Hz.
        log_variance: float32 [512, T].
    """

    mean: Floats
    log_variance: Floats

    def sample(self, scale: float, seed: int | None = None) -> Floats:
        """Content for the decoder, float32 [1, 512, T]: mean + scale * sigma * epsilon (Kingma and Welling 2014, equation 4).

        Args:
            scale: 0 is the mean, which is what conversion speaks best; 1 is the distribution itself.
            seed: Makes epsilon repeatable; drawn afresh by default.
        """
        if scale == 0.0:
            return self.mean[np.newaxis].copy()
        epsilon = np.random.default_rng(seed).standard_normal(self.mean.shape, dtype=np.float32)  # sound, not secrecy
        drawn = self.mean + np.float32(scale) * np.exp(0.5 * self.log_variance) * epsilon
        return np.asarray(drawn[np.newaxis], dtype=np.float32)


def positions(frames: int, features: int) -> tuple[NDArray[np.int64], Floats]:
    """Where each frame of content lies among the features: between `left` and the next one, `share` of the way; both [frames]."""
    place = np.clip(((np.arange(frames) + 0.5) / CONTENT_RATE_HZ - _AHEAD_S) * FEATURE_RATE_HZ, 0.0, max(0, features - 1))
    left = np.minimum(np.floor(place), max(0, features - 2)).astype(np.int64)
    return left, (place - left).astype(np.float32)


class PosteriorEncoder:
    """The encoder, loaded once; safe to use from several threads."""

    def __init__(self, models: Path, *, threads: int = 1) -> None:
        """Load Whisper's encoder and the network.

        Args:
            models: The model folder; its `whisper-base` is used.
            threads: Threads inside one operation.

        Raises:
            ModelError: One of the two is missing or damaged.
        """
        data = (files("hometone_client.content") / "data" / NETWORK).read_bytes() if _present() else b""
        if hashlib.sha256(data).hexdigest() != NETWORK_SHA256:
            raise ModelError(_DAMAGED, hint="install Hometone again")
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        try:
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own classes and plain RuntimeError
            raise ModelError(_DAMAGED, hint="install Hometone again") from error
        self._content = ContentEncoder(models / "whisper-base", threads=threads)

    def posterior(self, samples: Floats, rate: int) -> Posterior:
        """What one piece of speech says.

        Args:
            samples: float32 [n], mono, in [-1, 1], at most 30 s.
            rate: Sample rate, Hz.

        Returns:
            The distribution for ceil(n * 40 / rate) frames.

        Raises:
            AudioError: There are no samples, they are not finite, or there are more than 30 s of them.
        """
        features = self._content.features(samples, rate)
        left, share = positions(-(-samples.size * CONTENT_RATE_HZ // rate), features.shape[0])
        feed = {"features": features[np.newaxis], "left": left[np.newaxis], "share": share[np.newaxis]}
        mean, log_variance = self._session.run(["mean", "log_variance"], feed)
        return Posterior(np.asarray(mean[0], dtype=np.float32), np.asarray(log_variance[0], dtype=np.float32))


def _present() -> bool:
    return (files("hometone_client.content") / "data" / NETWORK).is_file()
