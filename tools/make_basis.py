"""Remakes client/hometone_client/sharedmodel/data/basis.npz: the nested public basis of the shared model (docs/decisions/0009).

Usage: python tools/make_basis.py [--voices 240]

No recording of anybody goes into it. Public voices (random mixtures of the base's stock styles) read public sentences in six languages,
each with systematic differences of its own: half like another mixture, half with random changes of durations and F0 that depend on
phonemes, on neighbours, on pauses and on the place in the phrase. No named trait (final lengthening, rising ends ...) is built in.

1. Factors A and B of every core: principal directions of the gradients of the whole weight, on either side.
2. Scales: one over the root of the Gauss-Newton curvature of every raw coordinate (Hutchinson's estimator), damped.
3. Order: mean squared gradient of a voice, scaled.
4. Principal directions Q of the voices' gradients among the first SPAN coordinates; a mix that makes curvature along them alike and orders
   them by what a voice gains along them.
5. Everything is scaled so that a typical update has norm 1; what lies behind the principal directions so that no step along all of it is
   too long.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from hometone_client.base.styles import stock_language, stock_matrix, stock_names
from hometone_client.models import packages_base
from hometone_client.sharedmodel import layout
from hometone_client.sharedmodel.basis import basis_from
from hometone_client.sharedmodel.errors import errors_of, goal_of
from hometone_client.sharedmodel.heads import ProsodyHeads, Studied, batch_of, study
from hometone_client.sharedmodel.readings import LEAST_HZ, Reading
from hometone_client.takes.campaigns import campaigns
from hometone_client.text import Frontend
from hometone_client.text.utterance import silent_tokens, vocabulary
from hometone_client.torchbase.loading import load_torch_base
from hometone_client.torchbase.prosody import LanguagePart, stretch
from hometone_client.voices.parameters import F0Map

SPAN, DAMPING, DRAWS = 2560, 0.3, 2
TIMING, PITCH = (5.0, 48), (20.0, 72)  # ridge and number of principal directions, by what they move
UPDATE = 0.068  # makes the update of a speaker (`SharedTraining`'s defaults, benchmarks/virtual_speakers.py) one of norm 1
SENTENCES = {
    "en": (
        "Turn left at the corner, and you will see the chemist's.",
        "Did you sleep well, or was the wind too loud?",
        "I have lived in this house for fifty years.",
        "First wash the rice, then let it soak; nobody is in a hurry.",
        "What a surprise to see all of you here!",
        "The doctor says it is nothing serious.",
        "When the kettle boils, call me, please.",
        "He sold apples, plums and walnuts at the market.",
    ),
    "zh": (
        "请把窗户关上，外面风太大了。",
        "你吃过晚饭了吗？锅里还有汤。",
        "我在这条街上住了五十年。",
        "先洗米，再泡一会儿，不用着急。",
        "真没想到，你们都来了！",
        "大夫说没什么大事，休息几天就好。",
        "水开了以后，麻烦你叫我一声。",
        "他在集市上卖苹果、李子和核桃。",
    ),
}


def sentences(frontend: Frontend) -> list[tuple[int, ...]]:
    """Phoneme tokens of all sentences, padded."""
    texts = [(text, language) for language, several in SENTENCES.items() for text in several]
    texts += [(text, each.language) for each in campaigns().values() if each.language not in SENTENCES for text in each.sentences[:3]]
    return [(0, *utterance.tokens, 0) for text, language in texts for utterance in frontend.utterances(text, language=language)]


def mixture(rng: np.random.Generator) -> np.ndarray:
    """A style of two to four stock voices of one language or of any."""
    styles, languages = stock_matrix(80), [stock_language(name) for name in stock_names()]
    count = int(rng.integers(1, 4))
    anywhere = rng.random() < 0.5
    wanted = rng.choice(sorted(set(languages)))
    among = np.arange(len(styles)) if anywhere else np.flatnonzero([each == wanted for each in languages])
    chosen = rng.choice(among, min(count, among.size), replace=False)
    return (rng.dirichlet(np.ones(chosen.size)) @ styles[chosen]).astype(np.float32)


class Habit:
    """A random systematic change of prosody: token features -> a number for each token."""

    def __init__(self, rng: np.random.Generator, *, size: float) -> None:
        self._identity, self._neighbour = rng.normal(0, 0.5 * size, 178), rng.normal(0, 0.35 * size, 178)
        self._silence = rng.normal(0, 1.5 * size, 178)
        self._place = rng.normal(0, size, 6)
        self._reach = rng.uniform(1, 5)

    def __call__(self, tokens: tuple[int, ...]) -> np.ndarray:
        """Of every token."""
        t = np.array(tokens)
        silent = np.isin(t, list(silent_tokens()))
        pause = silent & (t != vocabulary()[" "])
        n = np.arange(t.size)
        after = np.array([n[pause & (n <= k)].max(initial=0) for k in n])
        before = np.array([n[pause & (n >= k)].min(initial=t.size - 1) for k in n])
        final, initial = np.exp(-(before - n) / self._reach), np.exp(-(n - after) / self._reach)
        last = np.exp(-(t.size - 1 - n) / (2 * self._reach))
        place = np.stack([final, initial, last, n / t.size - 0.5, (n - after) / np.maximum(before - after, 1) - 0.5, silent * 1.0])
        said = self._identity[t] + self._neighbour[np.roll(t, -1)] + self._place @ place
        return np.where(silent, self._silence[t] + 0.5 * self._place[0], said)


@torch.no_grad()
def predicted(language: LanguagePart, tokens: tuple[int, ...], style: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Durations (not rounded) and a function of durations to F0 in Hz."""
    half = torch.from_numpy(style)[None, 128:]
    encoded = language.predictor.text_encoder(language.bert_encoder(language.bert(torch.tensor([tokens]))), half)
    return language.predictor.durations(encoded)[0].numpy(), encoded[0]


@torch.no_grad()
def f0_of(language: LanguagePart, encoded: torch.Tensor, durations: np.ndarray, style: np.ndarray) -> np.ndarray:
    """F0 in Hz at given durations."""
    half = torch.from_numpy(style)[None, 128:]
    return language.predictor.curves(stretch(encoded, torch.from_numpy(durations))[None], half)[0][0].numpy()


def voice(rng: np.random.Generator, language: LanguagePart, texts: list[tuple[int, ...]], count: int) -> list[Reading]:
    """Some sentences by one public voice with habits of its own."""
    style, other = mixture(rng), mixture(rng)
    imitates = rng.random() < 0.5
    length, level, slope = Habit(rng, size=0.25), Habit(rng, size=0.08), Habit(rng, size=0.12)
    made = []
    for k in rng.choice(len(texts), count, replace=False):
        tokens = texts[k]
        plain, encoded = predicted(language, tokens, style)
        if imitates:
            theirs, encoded_theirs = predicted(language, tokens, other)
            durations = np.maximum(1, np.rint(theirs)).astype(np.int64)
            f0 = f0_of(language, encoded_theirs, durations, other)
        else:
            durations = np.maximum(1, np.rint(plain * np.exp(length(tokens) + rng.normal(0, 0.05, plain.size)))).astype(np.int64)
            f0 = f0_of(language, encoded, durations, style)
            owner = np.repeat(np.arange(len(tokens)), 2 * durations)
            within = np.concatenate([(np.arange(2 * d) + 0.5) / (2 * d) - 0.5 for d in durations])
            change = level(tokens)[owner] + slope(tokens)[owner] * within
            change = np.convolve(np.pad(change, 4, mode="edge"), np.hanning(11)[1:-1] / np.hanning(11).sum(), mode="valid")
            f0 = np.where(f0 > LEAST_HZ, f0 * 2**change, f0)
        made.append((tokens, durations, f0.astype(np.float32), f0_of(language, encoded, durations, style)))
    theirs, own = (np.log2(np.concatenate([each[k] for each in made]).clip(LEAST_HZ)) for k in (2, 3))
    spread = [np.subtract(*np.percentile(x[x > np.log2(LEAST_HZ)], [75, 25])) for x in (theirs, own)]
    medians = [float(2 ** np.median(x[x > np.log2(LEAST_HZ)])) for x in (theirs, own)]
    f0_map = F0Map(reference_hz=medians[1], target_hz=medians[0], range_scale=float(np.clip(spread[0] / max(spread[1], 0.02), 0.7, 1.4)))
    return [
        Reading.of(tokens=tokens, style=style, durations=durations, f0_hz=np.where(f0 > LEAST_HZ, f0, 0), f0_map=f0_map)
        for tokens, durations, f0, _ in made
    ]


def blank() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Factors that do nothing, for gradients of whole weights."""
    left = {core.key: np.zeros((core.rows, layout.RANK), np.float32) for core in layout.CORES}
    right = {core.key: np.zeros((layout.RANK, *core.columns), np.float32) for core in layout.CORES}
    return left, right


def factors(base: Path, studied: list[Studied]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(1) From gradients of whole weights, one recording at a time."""
    heads = ProsodyHeads(base, *blank())
    weights = {core.name: heads.weights[core.name].requires_grad_() for core in layout.CORES}
    outer = {core.key: [0.0, 0.0] for core in layout.CORES}
    for each in studied:
        batch = batch_of([each])
        loss = errors_of(heads.predict(batch, torch.zeros(1, layout.RAW_SIZE)), goal_of(batch)).shape.sum()
        gradients = dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))
        for core in layout.CORES:
            g = gradients[core.name]
            g = g[core.direction] if core.direction is not None else g.T if core.name.startswith(layout.PROJECTION) else g
            g = g.reshape(core.rows, -1)
            g = g / (g.norm() + 1e-12)  # every recording has a voice of equal weight
            outer[core.key][0] = outer[core.key][0] + g @ g.T
            outer[core.key][1] = outer[core.key][1] + g.T @ g
    left, right = {}, {}
    for core in layout.CORES:
        rows, columns = (torch.linalg.eigh(torch.as_tensor(x)).eigenvectors[:, -layout.RANK :].flip(1).numpy() for x in outer[core.key])
        left[core.key] = rows
        right[core.key] = columns.T.reshape(layout.RANK, *core.columns)
    return left, right


def gradients(heads: ProsodyHeads, studied: list[Studied], *, rng: np.random.Generator | None = None) -> np.ndarray:
    """Gradient of every recording in raw coordinates [recordings, RAW_SIZE]; with rng, of random signs times the errors' roots instead."""
    found = []
    for start in range(0, len(studied), 8):
        batch = batch_of(studied[start : start + 8])
        goal = goal_of(batch)
        raw = torch.zeros(len(batch.studied), layout.RAW_SIZE, requires_grad=True)
        predicted_ = heads.predict(batch, raw)
        value = errors_of(predicted_, goal).shape if rng is None else _signs(predicted_, goal, rng)
        found.append(torch.autograd.grad(value.sum(), raw)[0].numpy())
    return np.concatenate(found)


def _signs(predicted_: tuple[torch.Tensor, torch.Tensor], goal: object, rng: np.random.Generator) -> torch.Tensor:
    """Sum over outputs of sign times root of weight times output: its squared gradient is the diagonal of half the Gauss-Newton matrix."""
    frames, f0 = predicted_
    late = torch.log1p(frames)
    octaves = torch.log2(f0.clamp(min=LEAST_HZ))

    def part(x: torch.Tensor, mask: torch.Tensor, weight: float) -> torch.Tensor:
        sign = torch.from_numpy(rng.choice([-1.0, 1.0], x.shape).astype(np.float32))
        root = torch.sqrt(weight * mask / mask.sum(1, keepdim=True).clamp(min=1))
        centred = sign * root - root**2 * (sign * root).sum(1, keepdim=True) / weight  # each curve is compared around its own mean
        return (centred * x).sum(1)

    return part(late, goal.counted, 0.5) + part(octaves, goal.voiced, 2.0)


def quantised(x: np.ndarray, *, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Small integers and their step, along an axis that is summed over."""
    step = np.abs(x).max(axis=axis, keepdims=True) / 127
    return np.rint(x / step).astype(np.int8), step.astype(np.float32)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--voices", type=int, default=240)
    parser.add_argument("--sentences", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "client/hometone_client/sharedmodel/data/basis.npz")
    arguments = parser.parse_args()
    base = packages_base()
    language = load_torch_base(base).language
    texts = sentences(Frontend())
    plain_heads = ProsodyHeads(base, *blank())
    voices = []
    for number in range(arguments.voices):
        rng = np.random.default_rng([number, 9])
        voices.append(study(voice(rng, language, texts, arguments.sentences), language, plain_heads))
        sys.stdout.write(f"\rvoices {number + 1}")
        sys.stdout.flush()
    everything = [each for several in voices for each in several]
    left, right = factors(base, everything[::2])
    arrays: dict[str, np.ndarray] = {}
    for core in layout.CORES:
        for side, value, axis in (("left", left, 0), ("right", right, tuple(range(1, len(core.columns) + 1)))):
            arrays[f"{side}/{core.key}"], arrays[f"{side}/{core.key}/step"] = quantised(value[core.key], axis=axis)
            value[core.key] = (arrays[f"{side}/{core.key}"] * arrays[f"{side}/{core.key}/step"]).astype(np.float32)
    sys.stdout.write("\nfactors\n")
    heads = ProsodyHeads(base, left, right)
    curvature_of = np.concatenate([gradients(heads, everything, rng=np.random.default_rng(draw)) for draw in range(DRAWS)])
    voices_of = gradients(heads, everything).reshape(len(voices), -1, layout.RAW_SIZE).mean(1)
    arrays |= coordinates(curvature_of, voices_of)
    np.savez_compressed(arguments.out, **arrays)
    basis = basis_from(arrays)
    sys.stdout.write(f"{basis.sha256}, {basis.dimension} coordinates, {arguments.out.stat().st_size / 1e6:.2f} MB\n")


def coordinates(curvature_of: np.ndarray, voices_of: np.ndarray) -> dict[str, np.ndarray]:
    """(2) to (5): from signs' gradients [samples, RAW_SIZE] and voices' gradients [voices, RAW_SIZE].

    Durations depend on one half of the coordinates and F0 on the other, so that each half is worked on by itself.
    """
    scales = np.empty(layout.RAW_SIZE)
    timing = np.zeros(layout.RAW_SIZE, dtype=bool)
    for key, where in layout.SLICES.items():  # (2)
        own = 2 * (curvature_of[:, where].astype(np.float64) ** 2).mean(0)
        scales[where] = 1 / np.sqrt(own + DAMPING * own.mean())
        timing[where] = key.startswith((layout.LSTM, layout.PROJECTION))
    samples = curvature_of * scales * np.sqrt(2 / len(curvature_of))
    gradient = voices_of * scales
    importance = np.empty(layout.RAW_SIZE)
    for side, ridge, _ in ((timing, *TIMING), (~timing, *PITCH)):
        importance[side] = (_whitened(gradient[:, side], samples[:, side], ridge) ** 2).mean(0)
    order = np.argsort(-importance, kind="stable")  # (3)
    head = order[:SPAN]
    parts = []
    for side, ridge, count in ((timing, *TIMING), (~timing, *PITCH)):  # (4)
        rows = np.flatnonzero(side[head])
        _, gains, turn = np.linalg.svd(_whitened(gradient[:, head[rows]], samples[:, head[rows]], ridge), full_matrices=False)
        directions = np.zeros((SPAN, count))
        directions[rows] = _whitened(turn[:count], samples[:, head[rows]], ridge).T
        parts.append((directions, gains[:count] ** 2))
    gains = np.concatenate([each[1] for each in parts])
    ranked = np.argsort(-gains, kind="stable")
    orthonormal, triangular = np.linalg.qr(np.concatenate([each[0] for each in parts], axis=1)[:, ranked])
    whole, step = quantised(orthonormal, axis=0)
    rest = samples[:, order]
    rest[:, :SPAN] -= (rest[:, :SPAN] @ orthonormal) @ orthonormal.T
    steepest = np.sqrt(np.linalg.eigvalsh(rest @ rest.T)[-1])
    share = np.round(gains[ranked].cumsum() / gains.sum(), 2)[[0, 3, 7, 15, 31, 63]]
    sys.stdout.write(f"steepest of the rest {steepest:.2f}, share of gain by direction {share}\n")
    return {
        "leading": whole,
        "leading/step": step,
        "mix": (triangular * UPDATE).astype(np.float32),
        "order": order.astype(np.uint16),
        "scales": scales[order].astype(np.float32),
        "rest": np.array([UPDATE / steepest], np.float32),
    }


def _whitened(rows: np.ndarray, samples: np.ndarray, ridge: float) -> np.ndarray:
    """Rows times (S^T S + ridge)^-1/2, S being the samples: the root of the damped Gauss-Newton matrix is undone."""
    values, vectors = np.linalg.eigh(samples @ samples.T)
    kept = values > 1e-9 * values[-1]
    singular = np.sqrt(values[kept])
    along = (vectors[:, kept] / singular).T @ samples
    inside = rows @ along.T
    return np.asarray((rows - inside @ along) / np.sqrt(ridge) + (inside / np.sqrt(singular**2 + ridge)) @ along)


if __name__ == "__main__":
    main()
