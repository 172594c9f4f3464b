"""Are breath and tremor of a speaker taken over? Simulated from real takes (`simulated_voices`), beside what is spoken (requirement 25).

    python benchmarks/vocal_quality.py METADATA.csv --speaker NAME [--seconds 15] [--breath 0.2 0.4] [--tremor 6:0.03] [--json FILE]

Breath: for takes as they are, put together again by WORLD, breathy, in noise (20 dB) and narrow-band, the ratio of harmonics to noise of
takes and of the nearest mixture of stock voices before and after its breath is fitted, and what that does to DNSMOS. Tremor: rate and depth
that are found in the simulated takes, and in what is spoken with them. Nothing is kept of anybody. Voices here are mixtures: nothing is
learnt.
"""

import argparse
import csv
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import cheby2, sosfiltfilt
from simulated_voices import FRAME_MS, Floats, Taken

from hometone_client.adaptation import calibration, vocal_quality
from hometone_client.adaptation.mixture import nearest_mixture
from hometone_client.audio.resampling import resample
from hometone_client.base.runtime import SAMPLE_RATE_HZ, BaseRuntime
from hometone_client.embedding.ge2e import SpeakerEncoder, centroid
from hometone_client.evaluation.breath import correlations, ratio_db
from hometone_client.evaluation.dnsmos import Dnsmos
from hometone_client.evaluation.held_out import held_out_sentences, languages
from hometone_client.evaluation.tremor import tremor_figures, tremor_of_curves
from hometone_client.models import BASE, ensure
from hometone_client.speaking.aspiration import aspirated
from hometone_client.speaking.tremor import trembling
from hometone_client.text import Frontend

Voiced = tuple[Floats, Floats]
NOISE_DB, NARROW_HZ = 20.0, 3_400.0


def voiced(samples: Floats, taken: Taken) -> Voiced:
    """A take as adaptation holds it: 24 kHz, and F0 at 80 Hz where there is any."""
    return resample(samples, from_hz=taken.rate_hz, to_hz=SAMPLE_RATE_HZ), taken.f0_hz.astype(np.float32)


def ratio(sounds: Sequence[Voiced]) -> float:
    """Ratio of harmonics to noise over some sounds whose F0 is known, dB."""
    found = [correlations(sound, SAMPLE_RATE_HZ, f0, np.arange(f0.size) * FRAME_MS / 1000.0) for sound, f0 in sounds]
    return round(ratio_db(np.concatenate(found)), 2)


def noisy(samples: Floats, seed: int) -> Floats:
    """With white noise 20 dB below the whole take."""
    hiss = np.random.default_rng(seed).standard_normal(samples.size)
    return (samples + hiss * samples.std() * 10.0 ** (-NOISE_DB / 20.0)).astype(np.float32)


def narrow(samples: Floats, rate_hz: int) -> Floats:
    """As a telephone hears it."""
    return sosfiltfilt(cheby2(10, 50, NARROW_HZ * 1.15, fs=rate_hz, output="sos"), samples).astype(np.float32)


def main() -> None:
    """Simulate, fit, speak, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--speaker", required=True)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--sentences", type=int, default=2)
    parser.add_argument("--breath", type=float, nargs="*", default=[0.2, 0.4])
    parser.add_argument("--tremor", nargs="*", default=[], help="RATE:DEPTH, such as 6:0.03")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with arguments.table.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "enrol" and row["speaker"] == arguments.speaker]
    sounds: list[tuple[Floats, int]] = []
    for row in rows:
        if sum(samples.size / rate for samples, rate in sounds) < arguments.seconds:
            sounds.append(soundfile.read(arguments.table.parent / row["file"], dtype="float32"))
    taken = [Taken.of(*sound) for sound in sounds]
    encoder = SpeakerEncoder(ensure("ge2e"), threads=1)
    mixture = nearest_mixture(centroid([encoder.embed(*sound) for sound in sounds]), rows[0]["language"])
    language = rows[0]["language"] if rows[0]["language"] in languages() else "en"
    base, frontend = BaseRuntime(ensure(BASE), threads=1), Frontend()
    read = [
        base.prosody(utterance.tokens, mixture.style)
        for text in held_out_sentences(language)[: arguments.sentences]
        for utterance in frontend.utterances(text, language=language)
    ]
    f0_map = calibration.f0_map([each.f0_hz.astype(np.float32) for each in taken], [each.f0_hz for each in read])
    read = [replace(each, f0_hz=f0_map(each.f0_hz)) for each in read]
    result: dict[str, object] = {"speaker": arguments.speaker, "f0_map": f0_map.target_hz}
    if arguments.breath:
        made = [(base.decode(each, mixture.style, seed=1), each.f0_hz) for each in read]
        dnsmos = Dnsmos(ensure("dnsmos"), threads=1)
        kinds: dict[str, list[Floats]] = {
            "real": [samples for samples, _ in sounds],
            "plain WORLD": [each.plain() for each in taken],
            "noisy": [noisy(samples, i) for i, (samples, _) in enumerate(sounds)],
            "narrow": [narrow(*sound) for sound in sounds],
            **{f"breathy {added:g}": [each.breathy(added) for each in taken] for added in arguments.breath},
        }
        before = ratio(made)
        for kind, takes in kinds.items():
            material = [voiced(samples, each) for samples, each in zip(takes, taken, strict=True)]
            started = time.process_time()
            share = vocal_quality.breath(material, made)
            cpu_s = time.process_time() - started
            spoken = [(aspirated(sound, f0, share, seed=2), f0) for sound, f0 in made]
            opinion = [
                round(float(np.mean([dnsmos.score(sound, SAMPLE_RATE_HZ).overall for sound, _ in each])), 2) for each in (made, spoken)
            ]
            found = {
                "takes_db": ratio(material),
                "before_db": before,
                "after_db": ratio(spoken),
                "share": round(share, 3),
                "dnsmos": opinion,
                "cpu_s": round(cpu_s, 2),
            }
            result[kind] = found
            print(arguments.speaker, kind, found, flush=True)
    for each in arguments.tremor:
        rate_hz, depth = (float(part) for part in each.split(":"))
        takes = [(one.trembling(rate_hz=rate_hz, depth=depth, seed=i), one.rate_hz) for i, one in enumerate(taken)]
        figures = tremor_figures(takes)
        found = {"found_hz": figures.rate_hz, "found_depth": round(figures.depth, 4), "prominence": round(figures.prominence, 2)}
        found["threshold"] = round(figures.threshold, 2)
        if figures.present:
            tremor = vocal_quality.Tremor(rate_hz=figures.rate_hz, depth=figures.depth)
            shaken = [(trembling(one.f0_hz, tremor, seed=i), one.energy) for i, one in enumerate(read)]
            spoken_figures = tremor_of_curves(shaken, at_hz=figures.rate_hz)
            found |= {"spoken_depth": round(spoken_figures.depth, 4), "spoken_prominence": round(spoken_figures.prominence, 2)}
        result[f"tremor {each}"] = found
        print(arguments.speaker, "tremor", each, found, flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
