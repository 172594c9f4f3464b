"""How well a recording is spoken again in another voice: words, timbre, melody, timing, quality, time and memory.

Sources: held-out takes of real speakers (English, Spanish), and Mandarin sentences that stock voices speak. Targets: stock voices.
For each pair:

1. words: WER (Mandarin: CER) of the recogniser on source and conversion; the bar is 5 points above the source, for Mandarin 8 %;
2. timbre: GE2E cosine to the centroid of the target's own synthesis, beside that of its own utterances to the centroid of the others (the
   bar is 0.05 below that), and to the centroid of the source speaker;
3. melody: distance of the median F0 from the target's in semitones, and correlation of the contours in semitones where both are voiced;
4. timing: the shift at which the envelopes of both agree best, and by how much the lengths differ;
5. DNSMOS of both; CPU seconds per second of source; peak memory.

Results are appended to a file line by line, and what is in it is not computed again. No sound is kept.

With `--live FILE` the command itself runs between a microphone that hears the file and a loudspeaker that remembers (PulseAudio, no
hardware), and the delay of what comes out is measured against what went in.

    python benchmarks/conversion.py --speech /path/to/speech [--takes 5] [--noise-scale 0.667] [--results FILE] [--json]
    PYTHONPATH=. python benchmarks/conversion.py --live sample/allison/enrol-03.flac [--targets am_michael] [--by-phrase]
"""

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from hometone_client.audio.decoding import decode
from hometone_client.base.analysis import energy_curve, f0_curve
from hometone_client.base.runtime import SAMPLE_RATE_HZ
from hometone_client.conversion.converting import ConversionSettings, Converter
from hometone_client.conversion.pitch import Register, voiced_where_loud, without_octave_errors
from hometone_client.conversion.source import prepared
from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.evaluation.dnsmos import Dnsmos
from hometone_client.evaluation.error_rates import count_errors
from hometone_client.evaluation.held_out import held_out_sentences
from hometone_client.evaluation.recognition import WhisperTranscriber
from hometone_client.models import model_folder
from hometone_client.speaking import Sessions, SpeakingSettings, Synthesizer
from hometone_client.voices import stock_parameters

Floats = NDArray[np.float32]
Row = dict[str, Any]
_STEP = 120  # samples, 5 ms
_FARTHEST = 40  # steps


@dataclass(frozen=True, slots=True)
class Take:
    """A source: who, which language, what is said, float32 [n] at its own rate."""

    speaker: str
    language: str
    name: str
    text: str
    samples: Floats
    rate: int


def real_takes(folder: Path, speakers: list[str], *, number: int) -> list[Take]:
    found = []
    with (folder / "metadata.csv").open(encoding="utf-8") as table:
        rows = [
            row for row in csv.DictReader(table) if row["split"] == "heldout" and row["speaker"] in speakers and float(row["seconds"]) > 2.0
        ]
    for speaker in speakers:
        for row in [row for row in rows if row["speaker"] == speaker][:number]:
            take = decode(folder / row["file"])
            found.append(Take(speaker, row["language"], Path(row["file"]).stem, row["text"], take.samples, take.sample_rate_hz))
    return found


def spoken(sessions: Sessions, voice: str, text: str, *, language: str) -> Floats:
    stock = stock_parameters(voice, base_sha256=sessions.base_sha256)
    speaker = Synthesizer(model_folder(), stock, sessions=sessions)
    return np.concatenate([each.samples for each in speaker.speak(text, language=language, settings=SpeakingSettings(seed=1))])


def synthetic_takes(sessions: Sessions, voices: list[str], *, number: int) -> list[Take]:
    sentences = held_out_sentences("zh")[:number]
    return [
        Take(voice, "zh", f"{voice}-{index}", text, spoken(sessions, voice, text, language="zh"), SAMPLE_RATE_HZ)
        for voice in voices
        for index, text in enumerate(sentences)
    ]


def melody(samples: Floats) -> Floats:
    f0_hz, energy = f0_curve(samples), energy_curve(samples)
    curve = voiced_where_loud(f0_hz, energy, loud=float(np.percentile(energy[energy > np.median(energy)], 80)))
    return without_octave_errors(curve, median_hz=Register.of(curve).median_hz)


def contour_correlation(first: Floats, second: Floats) -> float:
    size = min(first.size, second.size)
    both = (first[:size] > 0) & (second[:size] > 0)
    return float(np.corrcoef(np.log2(first[:size][both]), np.log2(second[:size][both]))[0, 1]) if both.sum() > 10 else float("nan")


def shift_ms(first: Floats, second: Floats) -> float:
    """How much later the envelope of the second is, ms."""

    def envelope(samples: Floats) -> NDArray[np.float64]:
        frames = samples[: samples.size // _STEP * _STEP].reshape(-1, _STEP).astype(np.float64)
        level = np.log(np.sqrt(np.mean(frames**2, axis=1)) + 0.01 * np.abs(samples).max())
        return np.asarray(level - level.mean())

    one, other = envelope(first), envelope(second)
    size = min(one.size, other.size)
    one, other = one[:size], other[:size]
    fits = {
        step: float(one[max(0, -step) : size - max(0, step)] @ other[max(0, step) : size - max(0, -step)])
        for step in range(-_FARTHEST, _FARTHEST + 1)
    }
    return max(fits, key=lambda step: fits[step]) * 1000 * _STEP / SAMPLE_RATE_HZ


class Bench:
    def __init__(self, sessions: Sessions, *, threads: int) -> None:
        models = model_folder()
        self.sessions = sessions
        self.threads = threads
        self.hear = WhisperTranscriber(models / "whisper-base", threads=threads)
        self.embed = SpeakerEncoder(models / "ge2e", threads=threads).embed
        self.dnsmos = Dnsmos(models / "dnsmos", threads=threads)

    def source(self, take: Take) -> Row:
        heard = count_errors(take.text, self.hear(take.samples, take.rate, take.language), take.language)
        return {
            "errors": heard.errors,
            "units": heard.length,
            "dnsmos": self.dnsmos.score(take.samples, take.rate).overall,
            "embedding": [round(float(value), 5) for value in self.embed(take.samples, take.rate)],
        }

    def target(self, voice: str, language: str, *, number: int) -> Row:
        made = [spoken(self.sessions, voice, text, language=language) for text in held_out_sentences(language)[:number]]
        return {"embeddings": [[round(float(value), 5) for value in self.embed(samples, SAMPLE_RATE_HZ)] for samples in made]}

    def pair(self, take: Take, voice: str, settings: ConversionSettings, converters: dict[str, Converter]) -> Row:
        if voice not in converters:
            stock = stock_parameters(voice, base_sha256=self.sessions.base_sha256)
            converters[voice] = Converter(model_folder(), stock, sessions=self.sessions, threads=self.threads)
        converter = converters[voice]
        wall, cpu = time.perf_counter(), time.process_time()
        source = prepared(take.samples, take.rate)
        sound = np.concatenate(list(converter.convert(source, settings)))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        heard = count_errors(take.text, self.hear(sound, SAMPLE_RATE_HZ, take.language), take.language)
        at_24k = np.asarray(np.concatenate([np.zeros(0, np.float32), _at_24k(take)]), dtype=np.float32)
        before, after = melody(at_24k), melody(sound)
        return {
            "errors": heard.errors,
            "units": heard.length,
            "dnsmos": self.dnsmos.score(sound, SAMPLE_RATE_HZ).overall,
            "embedding": [round(float(value), 5) for value in self.embed(sound, SAMPLE_RATE_HZ)],
            "f0_error_st": 12 * float(np.log2(Register.of(after).median_hz / converter.target.register.median_hz)),
            "contour": contour_correlation(before, after),
            "shift_ms": shift_ms(at_24k, sound),
            "length_ms": 1000 * (sound.size - at_24k.size) / SAMPLE_RATE_HZ,
            "cpu_per_s": cpu / source.duration_s,
            "wall_per_s": wall / source.duration_s,
        }


def _at_24k(take: Take) -> Floats:
    from hometone_client.audio.resampling import resample

    return resample(take.samples, from_hz=take.rate, to_hz=SAMPLE_RATE_HZ)


def centroid(embeddings: list[list[float]]) -> NDArray[np.float64]:
    mean = np.mean(embeddings, axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def error_rate(some: list[Row]) -> float:
    return float(sum(row["errors"] for row in some) / sum(row["units"] for row in some))


def summary(rows: dict[str, Row]) -> list[Row]:
    """A line for each speaker and target, from everything that was measured."""
    lines = []
    pairs = sorted({(*key.split("|")[1:3], key.split("|")[4]) for key in rows if key.startswith("pair|")})
    for speaker, voice, setting in pairs:
        made = {key: row for key, row in rows.items() if key.startswith(f"pair|{speaker}|{voice}|") and key.endswith(f"|{setting}")}
        names = [key.split("|")[3] for key in made]
        sources = [rows[f"source|{speaker}|{name}"] for name in names]
        language = str(next(iter(made.values()))["language"])
        own = rows[f"target|{voice}|{language}"]["embeddings"]
        middle = centroid(own)
        apart = [float(np.dot(each, centroid([other for other in own if other is not each]))) for each in own]
        theirs = centroid([row["embedding"] for row in sources])

        values = list(made.values())
        lines.append(
            {
                "source": speaker,
                "target": voice,
                "noise": setting,
                "takes": len(values),
                "WER source": error_rate(sources),
                "WER": error_rate(values),
                "own": statistics.mean(apart),
                "to target": statistics.mean(float(np.dot(row["embedding"], middle)) for row in values),
                "to source": statistics.mean(float(np.dot(row["embedding"], theirs)) for row in values),
                "target to source": float(np.dot(middle, theirs)),
                "F0 st": statistics.median(float(row["f0_error_st"]) for row in values),
                "contour": statistics.mean(float(row["contour"]) for row in values),
                "shift ms": max((float(row["shift_ms"]) for row in values), key=abs),
                "length ms": max((float(row["length_ms"]) for row in values), key=abs),
                "DNSMOS source": statistics.mean(float(row["dnsmos"]) for row in sources),
                "DNSMOS": statistics.mean(float(row["dnsmos"]) for row in values),
                "CPU-s/s": statistics.median(float(row["cpu_per_s"]) for row in values),
                "wall/s": statistics.median(float(row["wall_per_s"]) for row in values),
            }
        )
    return lines


def live(file: Path, voice: str, *, by_phrase: bool, seconds: float = 40.0) -> Row:
    """Play a recording to the running command and see when and what it plays."""
    from tests.sound_devices import RATE_HZ, sound_devices

    take = decode(file)
    with sound_devices() as devices, tempfile.TemporaryDirectory() as folder:
        heard = Path(folder) / "heard.wav"
        soundfile.write(heard, take.samples, take.sample_rate_hz, subtype="PCM_16")
        line = [sys.executable, "-m", "hometone_client.cli", "convert", "--live", "--voice", voice, "--seconds", f"{seconds:g}"]
        line += ["--no-audible-label", *(["--by-phrase"] if by_phrase else [])]
        command = subprocess.Popen(
            line, env=os.environ | devices.environment | {"HOMETONE_LANG": "en"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        said = []
        for words in command.stderr or ():
            said.append(words.removeprefix("hometone: ").strip())
            if "speak now" in words or "say a phrase" in words:
                break
        time.sleep(1.0)
        mark = devices.loudspeaker.mark()
        devices.microphone.play(heard)
        out, rest = command.communicate(timeout=20 * seconds)
        said += rest.splitlines()
        tape = devices.loudspeaker.recorded(since=mark)
    loud = np.flatnonzero(np.abs(tape) > 0.02)
    begins = np.flatnonzero(np.abs(take.samples) > 0.02)[0] / take.sample_rate_hz
    return {
        "said": said + out.splitlines(),
        "first sound after s": float(loud[0] / RATE_HZ - begins) if loud.size else None,
        "played s": float(np.count_nonzero(np.abs(tape) > 1e-4) / RATE_HZ),
        "source s": take.duration_s,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, help="folder with metadata.csv; without it only synthetic Mandarin sources are used")
    parser.add_argument("--speakers", nargs="*", default=["ast_en_allison", "ast_es_allison", "foq_en_joe"])
    parser.add_argument("--mandarin", nargs="*", default=["zf_xiaoxiao", "zm_yunxi"], help="stock voices that speak Mandarin sources")
    parser.add_argument("--targets", nargs="*", default=["am_michael", "bf_emma", "zm_yunyang"])
    parser.add_argument("--takes", type=int, default=5)
    parser.add_argument("--own", type=int, default=4, help="sentences of a target's own synthesis")
    parser.add_argument("--noise-scale", type=float, nargs="*", default=[0.667])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("conversion.jsonl"))
    parser.add_argument("--only-table", action="store_true")
    parser.add_argument("--live", type=Path, help="a recording to play to the running command")
    parser.add_argument("--by-phrase", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()

    if chosen.live:
        print(json.dumps(live(chosen.live, chosen.targets[0], by_phrase=chosen.by_phrase), indent=1))
        return
    rows: dict[str, Row] = {}
    if chosen.results.exists():
        rows = {row.pop("key"): row for row in map(json.loads, chosen.results.read_text(encoding="utf-8").splitlines())}
    if not chosen.only_table:
        measure(chosen, rows)
    lines = summary(rows)
    if chosen.json:
        print(json.dumps({"rows": lines, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}, indent=1))
        return
    for number, line in enumerate(lines):
        if number == 0:
            print("  ".join(f"{name:>14s}" for name in line))
        print("  ".join(f"{value:14.3f}" if isinstance(value, float) else f"{value!s:>14s}" for value in line.values()))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def measure(chosen: argparse.Namespace, rows: dict[str, Row]) -> None:
    sessions = Sessions(model_folder(), threads=chosen.threads, limit=1)
    bench = Bench(sessions, threads=chosen.threads)
    takes = real_takes(chosen.speech, chosen.speakers, number=chosen.takes) if chosen.speech else []
    takes += synthetic_takes(sessions, chosen.mandarin, number=chosen.takes) if chosen.mandarin else []
    converters: dict[str, Converter] = {}

    def keep(key: str, row: Row) -> None:
        rows[key] = row
        with chosen.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key} | row) + "\n")

    takes.sort(key=lambda take: take.name[-1:])  # every speaker early
    for take in takes:
        if (key := f"source|{take.speaker}|{take.name}") not in rows:
            keep(key, bench.source(take))
        for voice in chosen.targets:
            if (key := f"target|{voice}|{take.language}") not in rows:
                keep(key, bench.target(voice, take.language, number=chosen.own))
            for scale in chosen.noise_scale:
                if (key := f"pair|{take.speaker}|{voice}|{take.name}|{scale}") not in rows:
                    keep(
                        key,
                        {"language": take.language} | bench.pair(take, voice, ConversionSettings(noise_scale=scale, seed=1), converters),
                    )


if __name__ == "__main__":
    main()
