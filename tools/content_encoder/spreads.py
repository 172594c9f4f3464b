"""Measures how far a sentence may vary, and writes client/hometone_client/content/data/variation.npz.

1. Content: on the corpus's clean hearings, the posterior's mean less the text's content. Its principal components, a gain for each symbol,
   and how long a deviation lasts (from the correlation of frames 75 ms apart).
2. Durations and F0: sentences of each language, read by up to eight stock voices. Log durations are freed of each voice's pace and of each
   token's mean; melodies (semitones, mean of each voiced token) of each voice's pitch and range and of each token's mean. What is left is
   how far speakers differ about a token. Of the melody only the slow part is kept, smoothed by a window of 150 ms: the quick part would
   tremble, and bend the tones of Mandarin.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tools.content_encoder.network import SYMBOLS, PosteriorNetwork
from tools.content_encoder.sentences import LANGUAGES, sentence
from tools.content_encoder.training import Examples

from hometone_client.base.prosody import VOICED_HZ
from hometone_client.base.runtime import BaseRuntime
from hometone_client.base.styles import stock_language, stock_names, stock_style
from hometone_client.text import Frontend
from hometone_client.text.utterance import silent_tokens

DIRECTIONS = 48
LAG = 3
_FEWEST = 40
_VOICES = 8
_MELODY_FRAMES = 12.0  # of 1/80 s
SENTENCES = 4


def content_spread(network: PosteriorNetwork, examples: Examples, most: int = 400) -> dict[str, NDArray[np.generic]]:
    """Directions, gains and duration of the content's deviation."""
    network.eval()
    rows, symbols, lagged = [], [], [0.0, 0.0]
    silent = np.array(sorted(silent_tokens()))
    for index in range(min(most, len(examples.spoken))):
        batch = examples.whole(index, 0)
        with torch.inference_mode():
            mean, _ = network(batch.features, batch.left, batch.share)
        deviation = (mean[0].T - batch.content[0]).numpy()
        here = batch.symbols[0].numpy()
        speech = ~np.isin(here, silent)
        both = speech[LAG:] & speech[:-LAG]
        lagged[0] += float(np.sum(deviation[LAG:][both] * deviation[:-LAG][both]))
        lagged[1] += float(np.sum(deviation[:-LAG][both] ** 2))
        rows.append(deviation[speech])
        symbols.append(here[speech])
    values, owners = np.concatenate(rows), np.concatenate(symbols)
    covariance = values.T @ values / values.shape[0]
    sizes, vectors = np.linalg.eigh(covariance)
    chosen = np.argsort(sizes)[::-1][:DIRECTIONS]
    directions = (vectors[:, chosen] * np.sqrt(np.maximum(sizes[chosen], 0))).T
    overall = float(np.sqrt(np.mean(values**2)))
    gain = np.ones(SYMBOLS, np.float32)
    for symbol in range(SYMBOLS):
        own = values[owners == symbol]
        if own.shape[0] >= _FEWEST:
            gain[symbol] = np.sqrt(np.mean(own**2)) / overall
    gain[silent] = 0.0
    # White noise through a Gaussian window of deviation w correlates as exp(-lag^2 / (4 w^2)).
    correlation = float(np.clip(lagged[0] / lagged[1], 0.05, 0.95))
    frames = LAG / (2 * np.sqrt(-np.log(correlation)))
    return {"directions": directions.astype(np.float16), "content_gain": gain.astype(np.float16), "content_frames": np.array(frames)}


def prosody_spread(base: BaseRuntime) -> dict[str, NDArray[np.generic]]:
    """Spread of durations by symbol; size of the melody's deviation, and how long it lasts."""
    frontend, generator = Frontend(), np.random.default_rng([6, 6])
    lengths: dict[int, list[float]] = {}
    melodies = list[float]()
    for language in LANGUAGES:
        reading = {"mixed": "zh"}.get(language, language)
        voices = [name for name in stock_names() if stock_language(name) == reading] or list(stock_names())
        if len(voices) < _VOICES:
            voices += [name for name in stock_names() if stock_language(name) in {"es", "it", "pt", "fr"} - {reading}]
        voices = voices[:_VOICES]
        for _ in range(SENTENCES):
            utterance = next(iter(frontend.utterances(sentence(language, generator), language=reading)))
            said = [base.prosody(utterance.tokens, stock_style(name, len(utterance.tokens))) for name in voices]
            logs = _freed(np.log(np.stack([np.maximum(each.durations, 1) for each in said])))
            for place, symbol in enumerate(utterance.input_ids):
                lengths.setdefault(symbol, []).extend(logs[:, place])
            curves = np.stack([_by_token(each.f0_hz, each.starts) for each in said])
            known = np.isfinite(curves).all(axis=0)
            if known.sum() < 5:
                continue
            spread = curves[:, known]
            spread = (spread - spread.mean(axis=1, keepdims=True)) / (spread.std(axis=1, keepdims=True) + 1e-6) * spread.std(axis=1).mean()
            middles = np.mean([(each.starts[1:] + each.starts[:-1])[known] for each in said], axis=0)  # 80 Hz
            window = np.exp(-0.5 * ((middles[:, None] - middles[None]) / _MELODY_FRAMES) ** 2)
            melodies.extend((_freed(spread) @ (window / window.sum(axis=0))).ravel())
    everything = np.concatenate([np.array(values) for values in lengths.values()])
    spread_of = np.full(SYMBOLS, everything.std(), np.float32)
    for symbol, values in lengths.items():
        if len(values) >= _FEWEST:
            spread_of[symbol] = np.std(values)
    return {
        "duration_spread": spread_of.astype(np.float16),
        "f0_semitones": np.array(np.std(melodies)),
        "f0_frames": np.array(_MELODY_FRAMES),
    }


def _freed(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """[voices, tokens] less the mean of each voice and of each token; scaled for the degrees of freedom that this takes."""
    left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    return np.asarray(left * np.sqrt(table.shape[0] / max(1, table.shape[0] - 1)))


def _by_token(f0_hz: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean pitch of each token in semitones; NaN where it is not voiced throughout."""
    made = np.full(starts.size - 1, np.nan)
    for token, (start, stop) in enumerate(zip(2 * starts[:-1], 2 * starts[1:], strict=True)):
        here = f0_hz[start:stop]
        if here.size and np.all(here > 5 * VOICED_HZ):
            made[token] = 12 * np.mean(np.log2(here))
    return made


def write(path: Path, tables: dict[str, NDArray[np.generic]]) -> None:
    """Write all of it."""
    np.savez_compressed(path, **tables)  # type: ignore[arg-type]
