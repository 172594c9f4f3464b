"""What a federation with privacy gains and loses: virtual speakers, held-out speakers, three cohorts, four privacy levels.

    python benchmarks/federated_utility.py [--quick] [--out FOLDER] [--real METADATA.csv] [--cohorts 20,127,500]

Every round is simulated with the product's own training (`sharedmodel`), clipping and integers (`privacy.clipping`), accountant and
decoding; only the noise comes from numpy, because nothing secret is at stake here. z = sqrt(rounds) * z1(epsilon, 1/(10 N)). Dropouts and
colluders are not simulated. Results are kept after every run: start again, and what is done is not done again.

Judged on virtual speakers of the same community who took part in nothing, on sentences that no participant read. Gain: how much of the
base's mean squared error (`shape` of sharedmodel.errors) is gone. Kept: the gain over that of the same cohort without privacy. "Of what can
be gained": 100 % would be somebody who knows the community's habits exactly and nothing of the speaker's own.
"""

import argparse
import csv
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from virtual_speakers import Character, Spoken, Text, speak, texts

from hometone_client.adaptation import EnrolmentTake
from hometone_client.adaptation.checkpoint import MemoryStore
from hometone_client.models import model_folder
from hometone_client.sharedmodel.basis import shared_basis
from hometone_client.sharedmodel.errors import errors_of, goal_of
from hometone_client.sharedmodel.heads import Studied, batch_of
from hometone_client.sharedmodel.training import SharedLearner, SharedTraining
from hometone_shared.privacy.accounting import noise_multiplier
from hometone_shared.privacy.clipping import encode
from hometone_shared.records.plan import SCALE

CLIP_NORM = 1.0
LEVELS: tuple[float | None, ...] = (None, 8.0, 4.0, 2.0)
LEAST_DIMENSION = 8
MOST_DIMENSION = shared_basis().leading.shape[1]
NOISE_TO_SIGNAL, SIGNAL = 0.8, 0.5
SMALL_COHORT, DRAWS = 50, 3  # the noise of a small cohort is drawn several times
REAL_SPEAKERS = ("ast_en_allison", "foq_en_joe", "foq_en_faye", "ast_es_allison", "ast_it_carlo", "ast_fr_june")


@dataclass(frozen=True, slots=True)
class Setting:
    """One run of rounds."""

    cohort: int
    epsilon: float | None
    rounds: int
    dimension: int
    draw: int = 0


def dimension_for(cohort: int, epsilon: float | None) -> int:
    """The rule: z1 sqrt(d) / (N s) is at most NOISE_TO_SIGNAL, s having been measured as SIGNAL."""
    if epsilon is None:
        return MOST_DIMENSION
    z1 = noise_multiplier(epsilon=epsilon, delta=1 / (10 * cohort), rounds=1)
    return int(np.clip((NOISE_TO_SIGNAL * cohort * SIGNAL / z1) ** 2, LEAST_DIMENSION, MOST_DIMENSION))


class World:
    """Participants and those who are judged, all studied."""

    def __init__(self, learner: SharedLearner, *, participants: int, judged: int, recordings: int, workers: int) -> None:
        self.learner, self.workers = learner, workers
        self._first: dict[tuple[int, int] | None, np.ndarray] = {}
        learnt_texts, judged_texts = texts(learner.language)

        def read(seeds: range, several: list[Text], count: int, salt: int) -> list[list[Spoken]]:
            def one(seed: int) -> list[Spoken]:
                character = Character.drawn(seed)
                own = [text for text in several if text.language == character.language]
                chosen = np.random.default_rng([seed, salt]).choice(len(own), count, replace=False)
                return speak(character, [own[k] for k in sorted(chosen)], learner.language, learner.heads, seed=seed + 1000 * salt)

            with ThreadPoolExecutor(workers) as pool:
                return list(pool.map(one, seeds))

        strangers = range(100_000, 100_000 + judged)
        own, held = read(strangers, learnt_texts, recordings, 1), read(strangers, judged_texts, 4, 2)
        taking_part = read(range(participants), learnt_texts, recordings, 1)
        self.judged_own, self.judged, self.participants = (
            [[each.studied for each in several] for several in group] for group in (own, held, taking_part)
        )
        self.ideal = ideal_error([each for several in held for each in several])

    def errors(self, theta: np.ndarray, who: Sequence[Sequence[Studied]] | None = None) -> dict[str, float]:
        """Mean over speakers; `squared` is the mean of `shape`."""
        rows = [row for several in (self.judged if who is None else who) for row in several]
        parts = [rows[k : k + 16] for k in range(0, len(rows), 16)]
        with ThreadPoolExecutor(self.workers) as pool:
            found = list(pool.map(lambda part: self.learner.error_of(part, theta), parts))
        weights = np.array([each.recordings for each in found])
        duration, f0 = (float(np.average([getattr(each, name) ** 2 for each in found], weights=weights)) for name in ("duration", "f0"))
        squared = (duration + 4 * f0) / 2
        return {"duration": duration**0.5, "f0": f0**0.5, "error": squared**0.5, "squared": squared}

    def updates(self, theta: np.ndarray, count: int, settings: SharedTraining) -> np.ndarray:
        """What the first `count` participants answer, [count, d], not clipped; many at once (tests hold it to `descend`)."""
        key = (count, theta.size) if settings == SharedTraining() and not theta.any() else None  # all levels begin alike
        if key in self._first:
            return self._first[key]
        groups = [self.participants[k : min(k + 8, count)] for k in range(0, count, 8)]
        with ThreadPoolExecutor(self.workers) as pool:
            found = np.concatenate(list(pool.map(lambda group: together(self.learner, group, theta, settings), groups)))
        if key:
            self._first[key] = found
        return found


def ideal_error(spoken: Sequence[Spoken]) -> dict[str, float]:
    """What is left for somebody who knows the community's habits exactly: errors of measurement and what is each speaker's own."""
    found = [errors_of((each.ideal_frames[None], each.ideal_f0_hz[None]), goal_of(batch_of([each.studied]))) for each in spoken]
    duration, f0 = (float(np.mean([float(getattr(each, name)) for each in found])) for name in ("duration", "f0"))
    return {"duration": duration**0.5, "f0": f0**0.5, "error": ((duration + 4 * f0) / 2) ** 0.5, "squared": (duration + 4 * f0) / 2}


def together(learner: SharedLearner, speakers: Sequence[Sequence[Studied]], theta: np.ndarray, settings: SharedTraining) -> np.ndarray:
    """`SharedLearner.local_update` for several speakers side by side, [speakers, d]."""
    rows = [row for several in speakers for row in several]
    owner = torch.tensor([k for k, several in enumerate(speakers) for _ in several])
    count = torch.bincount(owner).float()[:, None]
    start = torch.from_numpy(theta.astype(np.float32))[None].repeat(len(speakers), 1)
    point, batch = start.clone(), batch_of(rows)
    for _ in range(settings.steps):
        gradients = learner.gradients(batch, point[owner], torch.zeros(0))
        gradients = gradients * (settings.recording_clip / (gradients.norm(dim=1, keepdim=True) + 1e-6)).clamp(max=1)
        point = point - settings.learning_rate * torch.zeros_like(point).index_add_(0, owner, gradients) / count
    return (point - start).numpy().astype(np.float64)


def federate(world: World, setting: Setting, training: SharedTraining, told: Callable[[str], None]) -> dict:
    """One run of rounds."""
    rng = np.random.default_rng([setting.cohort, int(10 * (setting.epsilon or 0)), setting.dimension, setting.draw])
    theta = np.zeros(setting.dimension)
    z = noise_multiplier(epsilon=setting.epsilon, delta=1 / (10 * setting.cohort), rounds=setting.rounds) if setting.epsilon else 0.0
    trail = []
    for number in range(setting.rounds):
        updates = world.updates(theta, setting.cohort, training)
        whole = np.stack([encode(update, clip_norm=CLIP_NORM).values for update in updates])
        noise = np.rint(rng.normal(0, z * SCALE, setting.dimension)).astype(np.int64) if z else 0
        mean = (whole.sum(0) + noise) * CLIP_NORM / SCALE / setting.cohort
        theta = theta + mean
        norms = np.linalg.norm(updates, axis=1)
        trail.append(
            {
                "signal": float(np.linalg.norm(whole.mean(0)) / SCALE),
                "clipped": float((norms > CLIP_NORM).mean()),
                "median_norm": float(np.median(norms)),
                "noise_norm": float(z * math.sqrt(setting.dimension) / setting.cohort),
                **world.errors(theta),
            }
        )
        told(f"N={setting.cohort} eps={setting.epsilon} d={setting.dimension} round {number + 1}: {trail[-1]['squared']:.4f}")
    return {
        **asdict(setting),
        "noise_multiplier": z,
        "rounds_told": trail,
        "theta": [round(float(x), 5) for x in theta],
        **world.errors(theta),
    }


def alone(world: World, theta: np.ndarray, training: SharedTraining, steps: int) -> dict[str, float]:
    """Every judged speaker goes on alone from a theta, with her own recordings, and is judged on her own sentences."""
    longer = SharedTraining(steps=steps, learning_rate=training.learning_rate, recording_clip=training.recording_clip)
    start = np.zeros(MOST_DIMENSION)
    start[: theta.size] = theta
    own = np.concatenate([together(world.learner, [several], start, longer) for several in world.judged_own])
    found = [world.errors(start + each, [several]) for each, several in zip(own, world.judged, strict=True)]
    return {name: float(np.sqrt(np.mean([each[name] ** 2 for each in found]))) for name in ("duration", "f0", "error")} | {
        "squared": float(np.mean([each["squared"] for each in found]))
    }


def pooled(world: World, cohort: int, training: SharedTraining, rounds: int) -> dict[str, float]:
    """All recordings on one machine, nobody clipped, three times as many steps."""
    free = SharedTraining(steps=1, learning_rate=training.learning_rate, recording_clip=1e9)
    theta = np.zeros(MOST_DIMENSION)
    for _ in range(3 * rounds):
        theta = theta + world.updates(theta, cohort, free).mean(0)
    return world.errors(theta)


def real(learner: SharedLearner, table: Path, theta: np.ndarray, training: SharedTraining, rounds: int) -> list[dict]:
    """Real recordings: the base, the virtual community's release, alone, and a release of the other real speakers, on held-out takes."""
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def studied(speaker: str, split: str) -> list[Studied]:
        pieces = []
        for row in rows:
            if row["speaker"] == speaker and row["split"] == split:
                samples, rate = soundfile.read(table.parent / row["file"], dtype="float32")
                pieces.append(EnrolmentTake(samples=samples, sample_rate_hz=rate, text=row["text"], language=row["language"]))
        return learner.known(pieces, checkpoint=MemoryStore(), told=lambda _: None)[1]

    names = [name for name in REAL_SPEAKERS if any(row["speaker"] == name for row in rows)]
    learnt = {name: studied(name, "enrol") for name in names}
    held = {name: studied(name, "heldout") for name in names}
    longer = SharedTraining(steps=training.steps * rounds, learning_rate=training.learning_rate, recording_clip=training.recording_clip)
    found = []
    for name in names:
        # the Spanish and the English recordings are of one woman: she is nobody else's other speaker
        others = [learnt[other] for other in names if other != name and "allison" not in other]
        release = np.zeros(MOST_DIMENSION)
        for _ in range(rounds):
            release = release + together(learner, others, release, training).mean(0)
        thetas = {
            "base": np.zeros(1),
            "virtual community": theta,
            "alone": together(learner, [learnt[name]], np.zeros(MOST_DIMENSION), longer)[0],
            "other real speakers": release,
        }
        found.append({"speaker": name, **{key: asdict(learner.error_of(held[name], value)) for key, value in thetas.items()}})
    return found


def markdown(results: dict) -> str:
    """The tables."""
    base, ideal = results["base"], results["ideal"]

    def gain(squared: float) -> float:
        return 100 * (1 - squared / base["squared"])

    def told(who: str, squared: float, *, free: float | None = None) -> str:
        kept = "" if free is None else f"{100 * gain(squared) / gain(free):.0f}"
        return f"| {who} | {math.sqrt(squared):.4f} | {gain(squared):.1f} | {100 * gain(squared) / gain(ideal['squared']):.0f} | {kept} |"

    lines = [
        (
            f"Base: error {base['error']:.3f} (durations {base['duration']:.3f}, F0 {base['f0']:.3f}). "
            f"Who knows the habits: {ideal['error']:.3f}, gain {gain(ideal['squared']):.1f} %. Rounds: {results['rounds']}."
        ),
        "",
        "| speakers | epsilon | z | d | signal s, first and last round | held-out error | gain % | of what can be gained % | kept % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    together_: dict[tuple, list[dict]] = {}
    for run in results["runs"].values():
        together_.setdefault((run["cohort"], run["epsilon"], run["dimension"]), []).append(run)
    for (cohort, epsilon, dimension), runs in together_.items():
        free = next(each["squared"] for each in results["runs"].values() if each["cohort"] == cohort and each["epsilon"] is None)
        signals = [np.mean([run["rounds_told"][k]["signal"] for run in runs]) for k in (0, -1)]
        who = f"{cohort} | {epsilon or 'none'} | {runs[0]['noise_multiplier']:.2f} | {dimension} | {signals[0]:.2f}, {signals[1]:.2f}"
        lines.append(told(who, float(np.mean([run["squared"] for run in runs])), free=free))
    for name, found in results.get("others", {}).items():
        lines.append(told(f"{name} | | | {MOST_DIMENSION} | ", found["squared"]))
    if "real" in results:
        lines += ["", "| real speaker | " + " | ".join(key for key in results["real"][0] if key != "speaker") + " |", "|---" * 5 + "|"]
        for row in results["real"]:
            cells = [
                f"{each['reconstruction_error']:.3f} ({each['duration']:.3f}, {each['f0']:.3f})"
                for key, each in row.items()
                if key != "speaker"
            ]
            lines.append(f"| {row['speaker']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Simulate, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="cohorts of 20 and 40, two rounds: a few minutes")
    parser.add_argument("--cohorts", default="20,127,500")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("federated_utility"))
    parser.add_argument("--real", type=Path, help="metadata.csv of real speakers")
    arguments = parser.parse_args()
    cohorts = (20, 40) if arguments.quick else tuple(int(each) for each in arguments.cohorts.split(","))
    rounds, judged = (2, 8) if arguments.quick else (arguments.rounds, 24)
    torch.set_num_threads(1)
    training = SharedTraining()
    learner = SharedLearner(model_folder(), threads=1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / ("quick.json" if arguments.quick else "results.json")
    kind = {"basis": learner.basis.sha256, "rounds": rounds, "training": asdict(training)}
    results: dict = json.loads(path.read_text()) if path.exists() else {}
    if {key: results.get(key) for key in kind} != kind:
        results = {**kind, "runs": {}, "seconds": 0.0}
    started = time.monotonic()

    def keep(message: str) -> None:
        nonlocal started
        results["seconds"] += time.monotonic() - started
        started = time.monotonic()
        path.write_text(json.dumps(results, indent=1))
        sys.stdout.write(f"{results['seconds']:7.0f} s  {message}\n")
        sys.stdout.flush()

    world = World(learner, participants=max(cohorts), judged=judged, recordings=2, workers=arguments.workers)
    results |= {"base": world.errors(np.zeros(1)), "ideal": world.ideal}
    keep("speakers are there")
    settings = [
        Setting(cohort, level, rounds, dimension_for(cohort, level), draw)
        for cohort in cohorts
        for level in LEVELS
        for draw in range(DRAWS if level and cohort < SMALL_COHORT and not arguments.quick else 1)
    ]
    middle = cohorts[min(1, len(cohorts) - 1)]
    if not arguments.quick:
        settings += [Setting(middle, 8.0, rounds, d) for d in (16, 48, 2000)]
    for setting in settings:
        name = " ".join(str(each) for each in asdict(setting).values())
        if name not in results["runs"]:
            results["runs"][name] = federate(world, setting, training, keep)
            keep(f"{name}: {results['runs'][name]['squared']:.4f}")
    release = np.array(next(run["theta"] for run in results["runs"].values() if run["cohort"] == middle and run["epsilon"] == LEVELS[1]))
    if "others" not in results:
        results["others"] = {
            f"pooled recordings of {middle}": pooled(world, middle, training, rounds),
            "each alone, two recordings": alone(world, np.zeros(1), training, 2 * rounds),
            f"each alone, from the release of {middle}, epsilon 8": alone(world, release, training, 2 * rounds),
        }
        keep("alone and pooled")
    if arguments.real and "real" not in results:
        results["real"] = real(learner, arguments.real, release, training, rounds)
        keep("real speakers")
    table = markdown(results)
    path.with_suffix(".md").write_text(table)
    sys.stdout.write(table)


if __name__ == "__main__":
    main()
