"""How much slower than its two plain graphs a voice speaks, and how soon its first sound comes.

1. Ratio: the same tokens once through `BaseRuntime` alone (prosody, decode; nothing else) and once through `Synthesizer.speak` with text
   frontend, weight changes, pitch map, tone filter, limiter and edges. Alternating runs in one process; the median of the pairwise ratios
   counts, so that another program on the machine disturbs both alike. Aim: at most 1.15.
2. First sound: time to the first piece of a long text, over the time of speaking its first sentence alone. Aim: at most 1.5.
3. Real-time factor and memory, for docs/results.md.

    python benchmarks/speaking.py [--runs 5] [--threads N] [--json]
"""

import argparse
import dataclasses
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import psutil

from hometone_client.base.parameters import load_parameters
from hometone_client.base.runtime import BaseRuntime
from hometone_client.models import BASE, ensure, model_folder
from hometone_client.speaking import Sessions, Synthesizer
from hometone_client.voices import F0Map, LowRankDelta, VoiceParameters, stock_parameters

TEXTS = {
    "en": "The weather is very good today, and I would like to go for a walk in the park. Would you come with me?",
    "zh": "今天天气很好，我想去公园散步。你要不要和我一起去？",
}
LONG = (
    "In the morning we walk to the river and look at the boats. Then we buy bread and flowers at the market. "
    "At noon the whole family sits down together. In the evening somebody tells a story, and everybody listens."
)


def adapted(stock: VoiceParameters) -> VoiceParameters:
    """A voice with everything that an own voice has: low-rank changes in every decoder convolution, pitch map, tone filter, gain."""
    generator = np.random.default_rng(1)
    deltas = {}
    for name, array in load_parameters(ensure(BASE)).items():
        if name.startswith(("decoder.encode.", "decoder.decode.")) and array.ndim == 3:
            a = 0.01 * generator.standard_normal((array.shape[0], 2))
            b = 0.01 * generator.standard_normal((2, *array.shape[1:]))
            deltas[name] = LowRankDelta(a.astype(np.float32), b.astype(np.float32))
    taps = np.hanning(513).astype(np.float32)
    return dataclasses.replace(
        stock,
        weight_deltas=deltas,
        f0_map=F0Map(reference_hz=200.0, target_hz=180.0, range_scale=1.1),
        tone_filter=taps / taps.sum(),
        gain_db=-1.0,
    )


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()

    sessions = Sessions(model_folder(), threads=chosen.threads, limit=4)
    plain = BaseRuntime(ensure(BASE), threads=chosen.threads)
    stock = stock_parameters("af_heart", base_sha256=sessions.base_sha256)
    figures: dict[str, float] = {}
    for kind, voice in (("stock", stock), ("adapted", adapted(stock))):
        synthesizer = Synthesizer(model_folder(), voice, sessions=sessions)
        for language, text in TEXTS.items():
            tokens = [utterance.tokens for utterance in sessions.frontend.utterances(text)]
            audio_s = [0.0]

            def graphs(tokens: list[tuple[int, ...]] = tokens, audio_s: list[float] = audio_s) -> None:
                audio_s[0] = 0.0
                for sentence in tokens:
                    audio_s[0] += plain.decode(plain.prosody(sentence, stock.style), stock.style).size / 24_000

            def ours(synthesizer: Synthesizer = synthesizer, text: str = text) -> None:
                for _ in synthesizer.speak(text):
                    pass

            graphs()
            ours()
            pairs = [(seconds(graphs), seconds(ours)) for _ in range(chosen.runs)]
            figures[f"ratio {kind} {language}"] = statistics.median(own / base for base, own in pairs)
            figures[f"real-time factor {kind} {language}"] = statistics.median(own for _, own in pairs) / audio_s[0]
        first_text = next(iter(sessions.frontend.utterances(LONG))).text

        def alone(synthesizer: Synthesizer = synthesizer, text: str = first_text) -> None:
            for _ in synthesizer.speak(text):
                pass

        def first(synthesizer: Synthesizer = synthesizer) -> None:
            next(synthesizer.speak(LONG))

        pairs = [(seconds(alone), seconds(first)) for _ in range(chosen.runs)]
        figures[f"first sound ratio {kind}"] = statistics.median(own / base for base, own in pairs)
        figures[f"first sound s {kind}"] = statistics.median(own for _, own in pairs)
    figures["memory MB, three models loaded"] = psutil.Process().memory_info().rss / 1e6
    if chosen.json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        print(f"{name:32s} {value:8.3f}")


if __name__ == "__main__":
    main()
