"""How well edits do what they say, and what they cost: pitch, pace, single words, pauses, joins (requirements 14 and 16).

Everything is measured on the sound, F0 with WORLD's Harvest, against the same voice and seed without the edit:

1. pitch: +-4 semitones on whole sentences. Median F0 error over frames voiced in both; GE2E similarity to the centroid of the voice (of its
   other sentences, or of the takes) edited less plain; word or character errors edited less plain. Aims: 0.3, -0.03, 1 point.
2. pace: length_scale 0.7 to 1.5: the file's length and the heard length (first to last sound) over the plain one's. Aim: 3 %.
3. words: one word 4 semitones higher and, in another run, at 0.7 of its rate: F0 inside and outside it, length of all other words.
4. pauses: <break time="..."/> after every second word: silence 40 dB below the loudest 5 ms. Aim: 30 ms.
5. joins: loudest 2 ms above 8 kHz near an edit's edges over the loudest of the plain sentence, dB: a click is far above 0.

    python benchmarks/editing.py [--voices af_heart zf_xiaobei] [--takes FOLDER] [--parts pitch pace words pauses] [--sentences 3] [--json]

`--takes` is a folder of one speaker's recordings (WAV, FLAC): the mixture of stock voices nearest to her is judged too.
"""

import argparse
import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyworld
import soundfile

from hometone_client.adaptation.mixture import nearest_mixture
from hometone_client.base.styles import stock_language
from hometone_client.editing.controls import Controls
from hometone_client.embedding.ge2e import SpeakerEncoder, centroid, similarity
from hometone_client.evaluation.error_rates import count_errors, pool
from hometone_client.evaluation.recognition import WhisperTranscriber
from hometone_client.models import ensure, model_folder
from hometone_client.speaking import Sessions, SpeakingSettings, SpokenSentence, Synthesizer
from hometone_client.voices import F0Map, VoiceParameters, stock_parameters

RATE = 24_000
TEXTS = {
    "en": (
        "The weather is very good today, and I would like to walk in the park.",
        "When the train arrived, nobody was waiting on the platform.",
        "She sells fresh bread and flowers at the market every morning.",
        "Please bring me a glass of water and the red book.",
    ),
    "zh": (
        "今天天气很好，我想去公园散步。",
        "火车到站的时候，站台上没有人。",
        "奶奶每天早上都在院子里浇花。",
        "请给我一杯水和那本红色的书。",
    ),
}
PACES = (0.7, 0.85, 1.2, 1.5)
PAUSES_S = (0.1, 0.25, 0.5, 1.0)


def f0_of(samples: np.ndarray) -> np.ndarray:
    return pyworld.harvest(samples.astype(np.float64), RATE, f0_floor=60.0, f0_ceil=700.0, frame_period=5.0)[0]


def semitones(edited: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """F0 moved, at 5 ms, NaN where one of both is unvoiced."""
    new, old = f0_of(edited), f0_of(plain)
    size = min(new.size, old.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = 12 * np.log2(new[:size] / old[:size])
    return np.where((new[:size] > 0) & (old[:size] > 0), moved, np.nan)


def silences(samples: np.ndarray) -> list[tuple[float, float]]:
    """Beginning and length of silences of more than 40 ms inside the sound, seconds."""
    power = np.mean(samples[: samples.size // 120 * 120].reshape(-1, 120).astype(np.float64) ** 2, axis=1)
    loud = np.flatnonzero(power > power.max() * 1e-4)
    gaps = np.diff(loud) - 1
    return [(float(loud[i] + 1) * 0.005, float(gaps[i]) * 0.005) for i in np.flatnonzero(gaps > 8)]


def heard_s(samples: np.ndarray) -> float:
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() / 100)
    return float(loud[-1] - loud[0]) / RATE


def hiss(samples: np.ndarray) -> np.ndarray:
    """Loudness above 8 kHz in windows of 2 ms, dB."""
    spectrum = np.fft.rfft(samples.astype(np.float64))
    spectrum[: int(8_000 / RATE * samples.size)] = 0.0
    high = np.fft.irfft(spectrum, samples.size)
    return 10 * np.log10(np.mean(high[: high.size // 48 * 48].reshape(-1, 48) ** 2, axis=1) + 1e-12)


class Judge:
    def __init__(self, voice: VoiceParameters, language: str, sessions: Sessions, *, takes: Iterable[np.ndarray] = ()) -> None:
        self.synthesizer = Synthesizer(model_folder(), voice, sessions=sessions)
        self.language = language
        self.encoder = SpeakerEncoder(ensure("ge2e"))
        self.takes = list(takes)

    def said(self, text: str, **wishes: object) -> SpokenSentence:
        settings = SpeakingSettings(seed=1, **wishes)  # type: ignore[arg-type]
        (sentence,) = self.synthesizer.speak(text, language=self.language, settings=settings)
        return sentence

    def pitch(self, texts: tuple[str, ...], transcriber: WhisperTranscriber | None) -> dict[str, float]:
        sounds = {move: [self.said(text, pitch_semitones=move).samples for text in texts] for move in (0.0, -4.0, 4.0)}
        embedded = {move: [self.encoder.embed(sound, RATE) for sound in found] for move, found in sounds.items()}
        centres = [centroid(self.takes or embedded[0.0][:i] + embedded[0.0][i + 1 :]) for i in range(len(texts))]

        def likeness(move: float) -> float:
            return float(np.mean([similarity(vector, centre) for vector, centre in zip(embedded[move], centres, strict=True)]))

        def errors(move: float) -> float:
            counts = (
                count_errors(text, transcriber(sound, RATE, self.language), self.language)
                for text, sound in zip(texts, sounds[move], strict=True)
            )
            return pool(counts).rate

        figures = {"similarity plain": likeness(0.0)}
        if transcriber is not None:
            figures["error rate plain"] = errors(0.0)
        for move in (-4.0, 4.0):
            moved = [semitones(new, old) for new, old in zip(sounds[move], sounds[0.0], strict=True)]
            figures[f"F0 error {move:+.0f} st, median"] = float(np.nanmedian(np.concatenate(moved)) - move)
            figures[f"F0 error {move:+.0f} st, worst sentence"] = max((float(np.nanmedian(m) - move) for m in moved), key=abs)
            figures[f"similarity change {move:+.0f} st"] = likeness(move) - figures["similarity plain"]
            if transcriber is not None:
                figures[f"error rate change {move:+.0f} st"] = errors(move) - figures["error rate plain"]
        return figures

    def pace(self, texts: tuple[str, ...]) -> dict[str, float]:
        usual = [self.said(text).samples for text in texts]
        figures = {}
        for scale in PACES:
            sounds = [self.said(text, length_scale=scale).samples for text in texts]
            whole = [new.size / old.size / scale - 1 for new, old in zip(sounds, usual, strict=True)]
            heard = [heard_s(new) / heard_s(old) / scale - 1 for new, old in zip(sounds, usual, strict=True)]
            figures[f"length_scale {scale:g}: file, worst %"] = 100 * max(whole, key=abs)
            figures[f"length_scale {scale:g}: heard, worst %"] = 100 * max(heard, key=abs)
        return figures

    def words(self, texts: tuple[str, ...]) -> dict[str, float]:
        inside, outside, others, clicks = [], [], [], []
        for text in texts:
            plain = self.said(text)
            plan = self.synthesizer.plan(text, language=self.language)
            number = longest_word(plan)
            start, stop = heard_at(plain, number)

            def with_word(plan: dict = plan, number: int = number, **wanted: float) -> Controls:
                words = [entry | wanted if entry["word"] == number else entry for entry in plan["words"]]
                return Controls.from_object(plan | {"words": words})

            higher = self.said(text, controls=with_word(pitch_semitones=4.0)).samples
            moved = semitones(higher, plain.samples)
            at = np.arange(moved.size) * 0.005
            inside.append(float(np.nanmedian(moved[(at > start + 0.06) & (at < stop - 0.06)])) - 4.0)
            outside.append(float(np.nanmedian(np.abs(moved[(at < start - 0.08) | (at > stop + 0.08)]))))
            size = min(higher.size, plain.samples.size)
            near = np.abs(np.arange(size // 48) * 0.002 - start) < 0.03
            near |= np.abs(np.arange(size // 48) * 0.002 - stop) < 0.03
            clicks.append(float(hiss(higher[:size])[near].max() - hiss(plain.samples[:size]).max()))
            slower = self.synthesizer.plan(text, language=self.language, settings=SpeakingSettings(controls=with_word(rate=0.7)))
            pairs = zip(plan["words"], slower["words"], strict=True)
            others.append(max(abs(a["said"]["duration_s"] - b["said"]["duration_s"]) for a, b in pairs if a["word"] != number))
        return {
            "word +4 st: F0 error inside, worst": max(inside, key=abs),
            "word +4 st: F0 moved outside, worst": max(outside),
            "word +4 st: clicks, worst dB": max(clicks),
            "word at 0.7: other words' change, worst ms": 1000 * max(others),
        }

    def pauses(self, texts: tuple[str, ...]) -> dict[str, float]:
        errors, clicks = [], []
        for seconds in PAUSES_S:
            for text in texts[:2]:
                marked, expected = with_breaks(text, self.language, seconds)
                sound = self.said(marked, input_type="ssml").samples
                found = silences(sound)
                errors += [min(abs(length - seconds) for _, length in found) if found else seconds] * (expected > 0)
                exact = [length for _, length in found if abs(length - seconds) <= 0.03]
                errors += [1.0] * max(0, expected - len(exact))  # a pause that is not there
                plain = hiss(self.said(text).samples).max()
                high = hiss(sound)
                edges = [int(edge / 0.002) for begin, length in found for edge in (begin, begin + length)]
                clicks += [float(high[max(0, edge - 5) : edge + 5].max() - plain) for edge in edges]
        return {"pause error, worst ms": 1000 * max(errors), "pauses: clicks, worst dB": max(clicks)}


def longest_word(plan: dict) -> int:
    """The longest word that no mark follows: before a mark, a vowel lasts on into silence, where Harvest finds what it likes."""
    spoken = [any(map(str.isalnum, entry["said"]["text"])) for entry in plan["words"]]
    inner = [entry for i, entry in enumerate(plan["words"][:-1]) if i and spoken[i] and spoken[i + 1]]
    return max(inner, key=lambda entry: entry["said"]["duration_s"])["word"]


def heard_at(sentence: SpokenSentence, number: int) -> tuple[float, float]:
    """When a word is heard: the times of its phonemes, of which every token has one but those that were trimmed away."""
    word = sentence.utterance.words[number]
    tokens = [time for time in sentence.timings if time.symbol]
    skipped = len(sentence.utterance.tokens) - len(tokens)
    return tokens[word.start - skipped].start_s, tokens[word.stop - 1 - skipped].end_s


def with_breaks(text: str, language: str, seconds: float) -> tuple[str, int]:
    mark = f'<break time="{seconds}s"/>'
    if language == "zh":
        cut = len(text) // 3
        return f"<speak>{text[:cut]}{mark}{text[cut:]}</speak>", 1
    words = text.split(" ")
    marked = " ".join(word + (mark if i in {2, 5} else "") for i, word in enumerate(words))
    return f'<speak xml:lang="en">{marked}</speak>', 2


def mixture_voice(folder: Path, sessions: Sessions, encoder: SpeakerEncoder) -> tuple[VoiceParameters, list[np.ndarray]]:
    takes = [
        soundfile.read(path, dtype="float32") for path in sorted(path for path in folder.iterdir() if path.suffix in {".wav", ".flac"})[:12]
    ]
    embedded = [encoder.embed(samples if samples.ndim == 1 else samples.mean(axis=1), rate) for samples, rate in takes]
    style = nearest_mixture(centroid(embedded), "en").style
    plain = stock_parameters("af_heart", base_sha256=sessions.base_sha256)
    voice = dataclasses.replace(plain, style=style, languages=("en",), f0_map=F0Map(reference_hz=180.0, target_hz=189.0))
    return voice, embedded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voices", nargs="*", default=["af_heart", "am_michael", "zf_xiaobei", "zm_yunxi"])
    parser.add_argument("--takes", type=Path)
    parser.add_argument("--parts", nargs="+", default=["pitch", "pace", "words", "pauses"])
    parser.add_argument("--sentences", type=int, default=4)
    parser.add_argument("--no-recognition", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()

    sessions = Sessions(model_folder(), threads=chosen.threads)
    transcriber = None
    if "pitch" in chosen.parts and not chosen.no_recognition:
        transcriber = WhisperTranscriber(ensure("whisper-base"), threads=chosen.threads)
    judges = {}
    for name in chosen.voices:
        voice = stock_parameters(name, base_sha256=sessions.base_sha256)
        judges[name] = Judge(voice, stock_language(name).partition("-")[0], sessions)
    if chosen.takes:
        voice, takes = mixture_voice(chosen.takes, sessions, SpeakerEncoder(ensure("ge2e")))
        judges["mixture"] = Judge(voice, "en", sessions, takes=takes)
    figures: dict[str, dict[str, float]] = {}
    for name, judge in judges.items():
        texts = TEXTS[judge.language][: chosen.sentences]
        figures[name] = {}
        if "pitch" in chosen.parts:
            figures[name] |= judge.pitch(texts, transcriber)
        for part in ("pace", "words", "pauses"):
            if part in chosen.parts:
                figures[name] |= getattr(judge, part)(texts)
        if not chosen.json:
            for what, value in figures[name].items():
                print(f"{name:14s} {what:44s} {value:9.3f}", flush=True)
    if chosen.json:
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
