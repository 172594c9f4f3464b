"""Speaks a text in a voice, sentence by sentence.

What it does, for each sentence, only when the listener asks for it:

1. text -> utterances (`hometone_client.text`), lazily; a very long first sentence is cut at a clause, so that the first sound comes soon;
2. a language that the voice was not recorded in is read as the base's own voices read it, where they do so better (`base.readers`);
3. tokens and the prosody half of the style -> durations, F0, energy at the speaker's pace (the article's "GPT"); languages are joined
   (`joins`);
4. F0: first the speaker's own map, then the listener's wish (`intonation`), then pace and edits (`editing`); energy stays the base's;
5. the voice's tremor; decoder -> sound, with the voice's breath and the wished noise (the article's "SoVITS");
6. tone filter, gain, limiter, edges and the pause that the text asks for (`finishing`);
7. when each phoneme sounds in what came out, and the shape of the mouth (`timing`);
8. pauses as long as an editor asked for (`editing.sounding`).

What it may see: text and voice parameters, in memory. What it must never do: import torch, open a socket, write a file, keep a text.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.base.prosody import Prosody
from hometone_client.base.readers import reader
from hometone_client.base.runtime import DEFAULT_NOISE_SCALE, BaseRuntime
from hometone_client.editing.applying import applied
from hometone_client.editing.expression import Edits
from hometone_client.editing.marking import Rest, marked
from hometone_client.editing.plan import plan
from hometone_client.editing.reading import edited
from hometone_client.editing.sounding import gained, paused, places
from hometone_client.speaking import finishing, intonation
from hometone_client.speaking.aspiration import aspirated
from hometone_client.speaking.joins import joined
from hometone_client.speaking.sessions import Sessions
from hometone_client.speaking.settings import SpeakingSettings
from hometone_client.speaking.timing import PhonemeTiming, timings
from hometone_client.speaking.tremor import trembling
from hometone_client.text import Utterance
from hometone_client.voices.parameters import F0Map, VoiceParameters

SAMPLE_RATE_HZ: Final = 24_000

# The first sentence is cut when it is longer than this: 120 tokens are about 8 s of speech, 3 to 4 s of work on two cores.
_FIRST_TOKENS: Final = 120
_SHORTEST_PART: Final = 30
_CLAUSE_END: Final = re.compile(r"[,;:—…!?.]+[”\")]* ?")
_CLAUSE_PAUSE_S: Final = 0.05  # as inside other long sentences; edges add 200 ms


@dataclass(frozen=True, slots=True, eq=False)
class SpokenSentence:
    """One sentence as sound.

    Attributes:
        samples: float32 [n] at 24,000 Hz, magnitude at most 0.98, the pause after it included: sentences are simply put one behind another.
        utterance: What was spoken. Parts of a long first sentence all carry the whole sentence's text.
        timings: When each phoneme sounds, from the first sample to the last without a gap.
    """

    samples: NDArray[np.float32]
    utterance: Utterance
    timings: tuple[PhonemeTiming, ...] = ()


Proof = Callable[[Callable[[SpeakingSettings], SpokenSentence], SpeakingSettings], SpokenSentence]
"""Says one sentence with the wishes that it is given, once or several times, and gives back the best."""


@cache
def audible_labels() -> dict[str, str]:
    """Spoken labels by language: the sentence that says that the voice is synthetic (requirement 58)."""
    text = resources.files("hometone_client.speaking").joinpath("data", "audible_label.json").read_text(encoding="utf-8")
    return {str(language): str(phrase) for language, phrase in json.loads(text).items()}


class Synthesizer:
    """One voice, ready to speak; safe to use from one thread at a time."""

    def __init__(self, models: Path, voice: VoiceParameters, *, threads: int | None = None, sessions: Sessions | None = None) -> None:
        """Load the voice.

        Args:
            models: The model folder.
            voice: Who speaks.
            threads: Threads within one operation; all physical cores by default.
            sessions: Loaded graphs to share with other voices; its own by default (then `models` and `threads` are those of `sessions`).

        Raises:
            ModelError: The base is missing, or the voice belongs to another one.
        """
        shared = sessions or Sessions(models, threads=threads)
        self._voice = voice
        self._frontend = shared.frontend
        self._runtime: BaseRuntime = shared.runtime(voice)

    def speak(
        self,
        text: str,
        *,
        language: str | None = None,
        settings: SpeakingSettings | None = None,
        audible_label: bool = False,
        proof: Proof | None = None,
    ) -> Iterator[SpokenSentence]:
        """Speak a text, one sentence for each step of the iterator; nothing is computed ahead.

        Args:
            text: What to say.
            language: How Latin words are to be read ("en", "es", ...); the frontend decides by default.
            settings: The listener's wishes.
            audible_label: Say first, in the text's language and in this voice, that the voice is synthetic.
            proof: Is handed every sentence to be said, and says it until it is understood (`prooflistening.Proofreader`).

        Yields:
            The sentences in order.

        Raises:
            TextError: The text, or a part of it, cannot be read aloud.
            UsageError: SSML or controls that are not understood.
        """
        chosen = settings or SpeakingSettings()
        utterances = self._utterances(text, language=language, settings=chosen, audible_label=audible_label)
        for number, (utterance, edits) in enumerate(utterances):

            def say(wishes: SpeakingSettings, said: tuple[Utterance, Edits] = (utterance, edits), place: int = number) -> SpokenSentence:
                return self._spoken(*said, settings=wishes, number=place)

            yield say(chosen) if proof is None else proof(say, chosen)

    def plan(self, text: str, *, language: str | None = None, settings: SpeakingSettings | None = None) -> dict[str, Any]:
        """Return how this voice would say a text, as a document of controls that changes nothing (`editing.plan`).

        Raises:
            TextError: The text, or a part of it, cannot be read aloud.
            UsageError: SSML or controls that are not understood.
        """
        chosen = settings or SpeakingSettings()
        found = edited(text, frontend=self._frontend, language=language, input_type=chosen.input_type, controls=chosen.controls)
        return plan((utterance, self._decided(utterance, edits, settings=chosen)[1]) for utterance, edits in found)

    def _utterances(
        self, text: str, *, language: str | None, settings: SpeakingSettings, audible_label: bool
    ) -> Iterator[tuple[Utterance, Edits]]:
        utterances = edited(text, frontend=self._frontend, language=language, input_type=settings.input_type, controls=settings.controls)
        first = next(utterances, None)
        if first is None:
            return
        if audible_label:
            labels = audible_labels()
            spoken_in = first[0].language.partition("-")[0]
            spoken_in = spoken_in if spoken_in in labels else "en"
            yield from ((label, Edits()) for label in self._frontend.utterances(labels[spoken_in], language=spoken_in))
        # What is edited counts its tokens from the sentence's beginning, and is not cut.
        yield from chain([first] if first[1] else ((part, Edits()) for part in bounded(first[0])), utterances)

    def _decided(self, utterance: Utterance, edits: Edits, *, settings: SpeakingSettings) -> tuple[VoiceParameters, Prosody]:
        voice = in_language(self._voice, utterance.language)  # (2)
        prosody = self._runtime.prosody(utterance.tokens, voice.style, length_scale=voice.length_scale)  # (3)
        prosody = joined(prosody, utterance)
        f0_hz = intonation.moved(voice.f0_map(prosody.f0_hz), semitones=settings.pitch_semitones, pitch_range=settings.pitch_range)  # (4)
        return voice, applied(replace(prosody, f0_hz=f0_hz), edits, length_scale=settings.length_scale)

    def _spoken(self, utterance: Utterance, edits: Edits, *, settings: SpeakingSettings, number: int) -> SpokenSentence:
        utterance, edits, rests = marked(utterance, edits)
        voice, prosody = self._decided(utterance, edits, settings=settings)
        seed = None if settings.seed is None else _derived(settings.seed, number)
        if settings.noise_scale == 0.0:  # nothing is left to chance
            seed = _derived(settings.seed or 0, number)
        prosody = replace(prosody, f0_hz=trembling(prosody.f0_hz, voice.tremor, seed=None if seed is None else _derived(seed, 1)))
        samples = self._runtime.decode(  # (5)
            prosody,
            voice.style,
            noise_scale=settings.noise_scale,
            voiced_noise=voice.voiced_noise,
            seed=seed,
        )
        breath = voice.breath * min(1.0, settings.noise_scale / DEFAULT_NOISE_SCALE)
        samples = aspirated(samples, prosody.f0_hz, breath, seed=None if seed is None else _derived(seed, 2))
        samples = finishing.filtered(samples, voice.tone_filter, delay=voice.tone_delay)  # (6)
        samples = gained(samples, prosody.durations, edits)
        samples = finishing.limited(samples * np.float32(10.0 ** (voice.gain_db / 20.0)))
        kept = finishing.kept(samples)
        pause_s = utterance.pause_after_s if edits.pause_after_s is None else edits.pause_after_s
        finished = finishing.edged(samples[kept], pause_s=pause_s * voice.length_scale * settings.length_scale)
        times = timings(prosody.durations, utterance.tokens, sound=samples, kept=kept, total=finished.size)  # (7)
        if rests or edits.before_s is not None or edits.after_s is not None:
            finished, times = _rested(finished, times, prosody, edits, rests=rests, begin=kept.start)  # (8)
        return SpokenSentence(samples=finished, utterance=utterance, timings=times)


def _derived(seed: int, number: int) -> int:
    """A seed for one of several parts; parts of different numbers have nothing in common."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _rested(
    samples: NDArray[np.float32],
    times: tuple[PhonemeTiming, ...],
    prosody: Prosody,
    edits: Edits,
    *,
    rests: tuple[Rest, ...],
    begin: int,
) -> tuple[NDArray[np.float32], tuple[PhonemeTiming, ...]]:
    """Sound and times with the pauses that were asked for; `begin` is the decoder's sample that the sound begins with."""
    found = places(rests, prosody.durations, begin=begin, size=samples.size)
    samples, moves = paused(samples, found, before_s=edits.before_s, after_s=edits.after_s)
    moved = tuple(replace(time, start_s=moves.time(time.start_s), end_s=moves.time(time.end_s)) for time in times)
    return samples, tuple(time for time in moved if time.end_s > time.start_s)


def in_language(voice: VoiceParameters, language: str) -> VoiceParameters:
    """The voice as it reads a language: unchanged in those it was recorded in, and where the base has no reader.

    Timbre, pitch and tone stay the speaker's; durations and the shape of F0 become the reader's. The speaker's pace was measured against
    another reader in another language, so that only half of it is taken over (the root of the scale). Stock voices, whose own pitch no map
    holds, stay as they are.
    """
    wanted, pitch = language.partition("-")[0], voice.f0_map
    reads = reader(wanted)
    if reads is None or pitch.reference_hz == pitch.target_hz or wanted in {tag.partition("-")[0] for tag in voice.languages}:
        return voice
    f0_map = F0Map(reference_hz=reads.f0_hz, target_hz=pitch.target_hz)
    return replace(voice, style=reads.reading(voice.style), f0_map=f0_map, length_scale=math.sqrt(voice.length_scale))


def bounded(utterance: Utterance) -> Iterator[Utterance]:
    """Cut a long first sentence at the ends of clauses, so that its first part is at most about 120 tokens.

    The rest stays in one piece: the listener is hearing the first part while it is computed, and fewer cuts keep the melody whole.
    A sentence without a clause end in the right place is not cut.
    """
    if len(utterance.tokens) <= _FIRST_TOKENS or len(utterance.phonemes) != len(utterance.tokens):
        yield utterance
        return
    ends = [match.end() for match in _CLAUSE_END.finditer(utterance.phonemes)]
    fitting = [end for end in ends if _SHORTEST_PART <= end <= min(_FIRST_TOKENS, len(utterance.tokens) - _SHORTEST_PART)]
    if not fitting:
        yield utterance
        return
    cut = fitting[-1]
    first = utterance.phonemes[:cut].rstrip()
    yield replace(
        utterance,
        phonemes=first,
        tokens=utterance.tokens[: len(first)],
        pause_after_s=_CLAUSE_PAUSE_S,
        words=tuple(word for word in utterance.words if word.stop <= cut),
    )
    yield replace(
        utterance,
        phonemes=utterance.phonemes[cut:],
        tokens=utterance.tokens[cut:],
        words=tuple(replace(word, start=word.start - cut, stop=word.stop - cut) for word in utterance.words if word.start >= cut),
    )
