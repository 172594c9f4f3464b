"""Synthetic speech of the base in all its languages and many mixed voices, with the content that made it.

1. A sentence (`sentences`) in one language; a prosody half of the style from one or two voices of that language, a decoder half from a
   random mixture of all 54; pace, pitch and liveliness drawn.
2. The base speaks it (torch, bfloat16 in the generator's residual blocks: 0.35 CPU-s a second of sound).
3. Whisper's encoder hears it three times: clean, through a telephone, and spoilt and resampled (`spoiling`).

About a minute of speech makes a shard; shard i depends on i alone, so the corpus is resumable and can be made by several processes.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tools.content_encoder.sentences import COINED_LANGUAGES, LANGUAGES, sentence
from tools.content_encoder.spoiling import Floats, resampled, spoilt

from hometone_client.base.prosody import VOICED_HZ, Prosody
from hometone_client.base.runtime import SAMPLE_RATE_HZ, VOICED_NOISE, BaseRuntime
from hometone_client.base.styles import stock_language, stock_matrix, stock_names
from hometone_client.embedding.content import ContentEncoder
from hometone_client.models import ensure
from hometone_client.text import Frontend, Utterance
from hometone_client.text.utterance import encode
from hometone_client.torchbase.loading import load_torch_base

SHARD_S = 60.0
COINED_FROM = 60
"""From this shard on words are coined, so that the network hears phonemes where it does not know the word."""
_LONGEST_S = 14.0
_LATIN_AMERICAN = 0.6  # of the Spanish sentences: seseo, which the base's reader does not know


@dataclass(frozen=True, slots=True)
class Hearing:
    """One way in which a sentence was heard: Whisper features float16 [n, 512] at 50 Hz, and by how much it was slowed down."""

    features: NDArray[np.float16]
    slowed: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """One sentence: token ids and durations with padding [n], content of each token float16 [n, 512], and how it was heard."""

    language: str
    tokens: NDArray[np.int64]
    durations: NDArray[np.int64]
    content: NDArray[np.float16]
    hearings: tuple[Hearing, ...]


class Speaker:
    """The base and Whisper's encoder, loaded once a process."""

    def __init__(self, *, threads: int = 1) -> None:
        torch.set_num_threads(threads)
        folder = ensure("kokoro-82m-v1.0")
        self._base = BaseRuntime(folder, threads=threads)
        self._decoder = load_torch_base(folder).decoder
        self._decoder.generator.use_bfloat16()
        self._whisper = ContentEncoder(ensure("whisper-base"), threads=threads)
        self._frontend = Frontend()
        self._names = stock_names()

    def shard(self, number: int) -> list[Spoken]:
        """Shard `number`: about a minute of speech."""
        generator = np.random.default_rng([6, number])
        shares = COINED_LANGUAGES if number >= COINED_FROM else LANGUAGES
        spoken, total = list[Spoken](), 0.0
        while total < SHARD_S:
            language = str(generator.choice(list(shares), p=np.array(list(shares.values()))))
            reading = {"mixed": "zh"}.get(language, language)
            words = sentence(language, generator, coined=number >= COINED_FROM)
            utterance = next(iter(self._frontend.utterances(words, language=reading)))
            if number >= COINED_FROM and language == "es" and generator.random() < _LATIN_AMERICAN:
                utterance = replace(utterance, tokens=encode(utterance.phonemes.replace("θ", "s").replace("ʎ", "ʝ")))
            made = self._spoken(utterance, language=language, generator=generator)
            if made is not None:
                spoken.append(made)
                total += float(made.durations.sum()) / 40
        return spoken

    def _spoken(self, utterance: Utterance, *, language: str, generator: np.random.Generator) -> Spoken | None:
        style = self.style(language, len(utterance.tokens), generator)
        prosody = self._base.prosody(utterance.tokens, style, length_scale=float(np.exp(generator.normal(0, 0.15))))
        if prosody.durations.sum() / 40 > _LONGEST_S:
            return None
        sound = self.decoded(moved(prosody, generator), style, seed=int(generator.integers(1 << 31)))
        starts = prosody.starts[:-1]
        hearings = []
        for kind in ("clean", "telephone", "slowed"):
            factor = float(np.exp(generator.uniform(-0.18, 0.18))) if kind == "slowed" else 1.0
            heard = resampled(sound, factor) if factor != 1.0 else sound
            if kind != "clean":
                heard = spoilt(heard, generator, telephone=kind == "telephone" or generator.random() < 0.3)
            features = self._whisper.features(heard, SAMPLE_RATE_HZ)
            hearings.append(Hearing(features.astype(np.float16), factor))
        return Spoken(
            language,
            np.array(utterance.input_ids, dtype=np.int64),
            prosody.durations,
            prosody.content[0].T[starts].astype(np.float16),
            tuple(hearings),
        )

    def style(self, language: str, tokens: int, generator: np.random.Generator) -> Floats:
        """A voice that nobody has: prosody of one or two voices of the language, timbre of one to four of any."""
        matrix = stock_matrix(tokens)
        wanted = "zh" if language == "mixed" else language
        native = [i for i, name in enumerate(self._names) if stock_language(name) == wanted] or list(range(len(self._names)))
        reads = _mixed(matrix, native if generator.random() < 0.85 else range(len(self._names)), 2, generator)
        sounds = _mixed(matrix, range(len(self._names)), 4, generator)
        sounds = matrix.mean(axis=0) + (sounds - matrix.mean(axis=0)) * generator.uniform(0.9, 1.15)
        return np.concatenate([sounds[:128], reads[128:]]).astype(np.float32)

    def decoded(self, prosody: Prosody, style: Floats, *, seed: int) -> Floats:
        """Sound, float32 [600 T] at 24 kHz, with the source's usual noise."""
        white = np.random.default_rng(seed).standard_normal(prosody.f0_hz.size * 300, dtype=np.float32)
        noise = torch.from_numpy(white * np.float32(VOICED_NOISE))
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            made = self._decoder(
                torch.from_numpy(prosody.content),
                torch.from_numpy(prosody.f0_hz)[None],
                torch.from_numpy(prosody.energy)[None],
                torch.from_numpy(style[None, :128]),
                noise[None],
            )
        return np.asarray(made[0].float().numpy(), dtype=np.float32)


def _mixed(matrix: Floats, rows: Sequence[int], most: int, generator: np.random.Generator) -> Floats:
    chosen = generator.choice(np.array(rows), min(int(generator.integers(1, most + 1)), len(rows)), replace=False)
    shares = generator.dirichlet(np.ones(chosen.size)).astype(np.float32)
    return np.asarray(shares @ matrix[chosen], dtype=np.float32)


def moved(prosody: Prosody, generator: np.random.Generator) -> Prosody:
    """Another pitch and another liveliness, and energy a little louder or softer."""
    voiced = prosody.f0_hz > VOICED_HZ
    if not voiced.any():
        return prosody
    median = np.median(prosody.f0_hz[voiced])
    target = float(np.clip(median * 2 ** (generator.normal(0, 3) / 12), 75, 380))
    curve = target * (np.where(voiced, prosody.f0_hz, median) / median) ** generator.uniform(0.6, 1.3)
    f0_hz = np.where(voiced, np.clip(curve, 45, 600), prosody.f0_hz).astype(np.float32)
    energy = prosody.energy + np.float32(generator.normal(0, 0.3))
    return Prosody(prosody.content, f0_hz, energy, prosody.durations)


def path_of(cache: Path, number: int) -> Path:
    """Where a shard lies."""
    return cache / f"shard-{number:04d}.npz"


def write_shard(cache: Path, number: int, spoken: list[Spoken]) -> None:
    """Write one shard, whole or not at all."""
    arrays: dict[str, NDArray[np.generic]] = {"languages": np.array([each.language for each in spoken])}
    for i, each in enumerate(spoken):
        arrays |= {f"{i}.tokens": each.tokens, f"{i}.durations": each.durations, f"{i}.content": each.content}
        arrays[f"{i}.slowed"] = np.array([hearing.slowed for hearing in each.hearings])
        arrays |= {f"{i}.features.{k}": hearing.features for k, hearing in enumerate(each.hearings)}
    part = path_of(cache, number).with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    part.replace(path_of(cache, number))


def read_shard(cache: Path, number: int) -> list[Spoken]:
    """Read one shard."""
    with np.load(path_of(cache, number), allow_pickle=False) as data:
        return [
            Spoken(
                str(language),
                data[f"{i}.tokens"],
                data[f"{i}.durations"],
                data[f"{i}.content"],
                tuple(Hearing(data[f"{i}.features.{k}"], float(slowed)) for k, slowed in enumerate(data[f"{i}.slowed"])),
            )
            for i, language in enumerate(data["languages"])
        ]
