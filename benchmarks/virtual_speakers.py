"""Virtual speakers for benchmarks/federated_utility.py: simulated, never "elderly speakers".

A community shares habits of reading; each of its speakers has them to a degree of his own, habits that are his alone, and a voice that is a
random mixture of stock voices. What is measured of him carries errors as measuring recordings does.

* shared (`TRAITS`): long pauses; last syllables before a pause lengthened; phrases that end by rising; phrases that begin low; in Mandarin
  a second tone that falls and a third that stays up; in English a stress whose peak comes late;
* his own: strength of every trait (log-normal, 0.35), a random change of every phoneme's length (0.12) and pitch (0.04 octaves), pitch,
  range and pace;
* measurement: boundaries wrong by 7 ms (adaptation.alignment), rounded to frames of 25 ms; F0 wrong by 0.02 octaves, one frame
  in two hundred an octave off, a tenth of the voiced frames lost.

The traits are named here and nowhere else: tools/make_basis.py, which made the basis, knows random habits only.
"""

import dataclasses
import re
from dataclasses import dataclass

import numpy as np
import torch

from hometone_client.adaptation.calibration import f0_map
from hometone_client.base.styles import stock_matrix
from hometone_client.evaluation.held_out import held_out_sentences
from hometone_client.sharedmodel.heads import ProsodyHeads, Studied, batch_of
from hometone_client.sharedmodel.layout import RAW_SIZE
from hometone_client.sharedmodel.readings import LEAST_HZ, Reading
from hometone_client.takes.campaigns import campaigns
from hometone_client.text import Frontend
from hometone_client.text.utterance import silent_tokens, vocabulary
from hometone_client.torchbase.prosody import LanguagePart, stretch

LANGUAGES = ("zh", "en")
TRAITS = ("pauses", "finals", "rise", "low_start", "tones")
_LONGEST_TOKENS = 90
_NO_HABITS = {"lengths": np.zeros(178), "pitches": np.zeros(178)}


@dataclass(frozen=True, slots=True)
class Text:
    """A text with what depends on nothing else: tokens [n] with padding, and what ALBERT makes of them [n, 512]."""

    language: str
    tokens: tuple[int, ...]
    encoded: torch.Tensor


@torch.no_grad()
def texts(language: LanguagePart) -> tuple[list[Text], list[Text]]:
    """Campaign sentences, in halves, to learn from; sentences that no campaign has, to be judged by."""
    frontend = Frontend()

    def read(sentence: str, tongue: str) -> list[Text]:
        found = []
        for utterance in frontend.utterances(sentence, language=tongue):
            tokens = (0, *utterance.tokens, 0)
            if len(tokens) <= _LONGEST_TOKENS:
                found.append(Text(tongue, tokens, language.bert_encoder(language.bert(torch.tensor([tokens])))[0]))
        return found

    by_language = {each.language: each for each in campaigns().values()}
    learnt = [
        text
        for tongue in LANGUAGES
        for sentence in by_language[tongue].sentences
        for half in halves(sentence)
        for text in read(half, tongue)
    ]
    judged = [text for tongue in LANGUAGES for sentence in held_out_sentences(tongue) for text in read(sentence, tongue)]
    return learnt, judged


def halves(sentence: str) -> list[str]:
    """A long sentence cut at the mark nearest to its middle."""
    marks = [match.end() for match in re.finditer(r"[，；。：！,;:!]", sentence[:-2])]
    if len(sentence) < (24 if re.search(r"[一-鿿]", sentence) else 80) or not marks:
        return [sentence]
    cut = min(marks, key=lambda end: abs(end - len(sentence) / 2))
    return [sentence[:cut], sentence[cut:].strip()]


@dataclass(frozen=True, slots=True, eq=False)
class Character:
    """One virtual speaker: everything about him, drawn from a seed."""

    language: str
    style: np.ndarray
    strengths: dict[str, float]
    lengths: np.ndarray
    pitches: np.ndarray
    median_shift: float
    range_scale: float
    pace: float

    @classmethod
    def drawn(cls, seed: int) -> "Character":
        """Draw one; 60 of 100 speak Mandarin."""
        rng = np.random.default_rng([seed, 77])
        language = LANGUAGES[int(rng.random() > 0.6)]
        stock = stock_matrix(80)
        chosen = rng.choice(len(stock), 3, replace=False)
        return cls(
            language,
            (rng.dirichlet(np.ones(3)) @ stock[chosen]).astype(np.float32),
            {trait: float(np.exp(rng.normal(0, 0.35))) for trait in TRAITS},
            rng.normal(0, 0.12, 178),
            rng.normal(0, 0.04, 178),
            float(rng.normal(0, 0.2)),
            float(rng.uniform(0.75, 1.3)),
            float(np.exp(rng.normal(0.1, 0.12))),
        )


def _changes(character: Character, tokens: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every token: change of the logarithm of its length, of its pitch, and its slope, in octaves."""
    table, t, k = vocabulary(), np.array(tokens), np.arange(len(tokens))
    silent = np.isin(t, list(silent_tokens()))
    pause = silent & (t != table[" "])
    end = np.array([k[pause & (k >= n)].min(initial=t.size - 1) for n in k])
    start = np.array([k[pause & (k <= n)].max(initial=0) for n in k])
    s = character.strengths
    final, initial = np.exp(-(end - k - 1) / 2.0), np.exp(-(k - start - 1) / 3.0)
    length = np.where(silent, s["pauses"] * np.where(pause, 0.8, 0.3), s["finals"] * 0.4 * final) + character.lengths[t]
    level = s["rise"] * 0.3 * final - s["low_start"] * 0.15 * initial + character.pitches[t]
    slope = s["rise"] * 0.15 * final
    if character.language == "zh":
        second, third = (np.convolve(t == table[mark], [1, 1, 0], mode="same") > 0 for mark in "↗↓")  # the mark and the vowel before it
        slope = slope - s["tones"] * 0.25 * second
        level = level + s["tones"] * 0.15 * third
    else:
        stressed = np.convolve(t == table["ˈ"], [0, 1, 1], mode="same") > 0
        slope = slope + s["tones"] * 0.3 * stressed
        level = level - s["tones"] * 0.08 * stressed
    return length, np.where(silent, 0, level), np.where(silent, 0, slope)


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """One recording, and what somebody would predict who knew the community's habits exactly and nothing of this speaker's own."""

    studied: Studied
    ideal_frames: torch.Tensor
    ideal_f0_hz: torch.Tensor


@torch.no_grad()
def speak(character: Character, several: list[Text], language: LanguagePart, heads: ProsodyHeads, *, seed: int) -> list[Spoken]:
    """What is measured of a speaker who reads some texts, studied (in float16: thousands of them are kept)."""
    rng = np.random.default_rng([seed, 78])
    half = torch.from_numpy(character.style)[None, 128:]
    spoken = []
    for text in several:
        encoded = language.predictor.text_encoder(text.encoded[None], half)
        plain = language.predictor.durations(encoded)[0].numpy()
        length, level, slope = _changes(character, text.tokens)
        durations = _measured_durations(plain * character.pace * np.exp(length), rng)
        shared = language.predictor.shared(stretch(encoded[0], torch.from_numpy(durations))[None])[0][0].T.contiguous()
        base = Studied(_nothing(text, character, durations), encoded[0], shared, half[0], torch.zeros(0))
        base_f0 = heads.predict(batch_of([base]), torch.zeros(1, RAW_SIZE))[1][0]
        owner = np.repeat(np.arange(len(durations)), 2 * durations)
        within = np.concatenate([(np.arange(2 * d) + 0.5) / (2 * d) - 0.5 for d in durations])
        change = smooth(level[owner] + slope[owner] * within)
        usual = _changes(dataclasses.replace(character, strengths=dict.fromkeys(TRAITS, 1.07), **_NO_HABITS), text.tokens)  # mean strength
        ideal = smooth(usual[1][owner] + usual[2][owner] * within)
        spoken.append((text, durations, encoded[0], shared, base_f0, change, plain * np.exp(usual[0]), ideal))
    made = [each[4].numpy() for each in spoken]
    median = np.median(np.concatenate(made)[np.concatenate(made) > LEAST_HZ])
    curves = [_measured_f0(f0, each[5], character, median, rng) for f0, each in zip(made, spoken, strict=True)]
    pitch = f0_map(curves, made)
    made_of = []
    for (text, durations, encoded, shared, base_f0, _, frames, ideal), curve in zip(spoken, curves, strict=True):
        reading = Reading.of(tokens=text.tokens, style=character.style, durations=durations, f0_hz=curve, f0_map=pitch)
        studied = Studied(reading, encoded.half(), shared.half(), half[0], base_f0)
        f0 = base_f0 * 2 ** torch.from_numpy(ideal / pitch.range_scale).float()
        made_of.append(Spoken(studied, torch.from_numpy(frames).float(), f0))
    return made_of


def smooth(change: np.ndarray) -> np.ndarray:
    """Over 110 ms."""
    window = np.hanning(11)[1:-1]
    return np.convolve(np.pad(change, 4, mode="edge"), window / window.sum(), mode="valid")


def _nothing(text: Text, character: Character, durations: np.ndarray) -> Reading:
    return Reading(text.tokens, character.style[128:], durations, np.zeros(2 * int(durations.sum()), np.float32))


def _measured_durations(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    ends = np.rint(np.cumsum(np.maximum(frames, 1)) + rng.normal(0, 0.3, frames.size))
    ends[0] = max(ends[0], 1)
    for n in range(1, ends.size):
        ends[n] = max(ends[n], ends[n - 1] + 1)
    return np.diff(np.concatenate([[0], ends])).astype(np.int64)


def _measured_f0(f0: np.ndarray, change: np.ndarray, character: Character, median: float, rng: np.random.Generator) -> np.ndarray:
    voiced = (f0 > LEAST_HZ) & (rng.random(f0.size) > 0.1)
    octaves = character.range_scale * np.log2(np.maximum(f0, LEAST_HZ) / median) + change + character.median_shift + np.log2(median)
    octaves += rng.normal(0, 0.02, f0.size) + rng.choice([-1, 0, 1], f0.size, p=[0.0025, 0.995, 0.0025])
    return np.where(voiced, np.clip(2**octaves, LEAST_HZ + 1, 800), 0).astype(np.float32)
