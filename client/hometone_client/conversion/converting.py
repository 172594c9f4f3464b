"""Speaks a recording again in another voice: its words, its timing and its intonation, and the voice's timbre (requirement 13).

For each piece of the recording (`source`):

1. sound -> what is said (`content.posterior`, the encoder of the article's variational autoencoder); it holds neither pitch nor timbre;
2. F0, moved from the register of the person who speaks to that of the voice (`pitch`), then as the listener wishes;
3. energy, brought to the level that the base expects of this voice: the 80th percentile of N in speech agrees with that of a sentence that
   the base itself reads in this style; nothing where nobody speaks;
4. decoder and the voice's breath; what the decoder makes of content that was heard is a little softer than what it makes of a text's, so
   the sound is brought to the energy that was asked for; tone filter, gain and limiter exactly as in `speaking.synthesizer`;
5. the sound takes its old place in time: each frame of 600 samples stays where it was, pauses are digital silence.

What it may see: sound and voice parameters, in memory. What it must never do: import torch, open a socket, write a file, keep a recording.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.base.analysis import ENERGY_OFFSET, energy_curve
from hometone_client.base.prosody import VOICED_HZ, Prosody
from hometone_client.base.runtime import CONTENT_HOP, BaseRuntime
from hometone_client.content.posterior import PosteriorEncoder
from hometone_client.conversion.pitch import Floats, Register, carried
from hometone_client.conversion.source import LOUD_PERCENTILE, SILENT_ENERGY, Piece, Source, laid_out
from hometone_client.speaking import Sessions, SpeakingSettings, finishing, intonation
from hometone_client.speaking.aspiration import aspirated
from hometone_client.takes.campaigns import campaigns
from hometone_client.voices.parameters import VoiceParameters

LOUDEST_SHIFT: Final = 6.0
"""N is moved by at most 26 dB: what is fainter than that is not spoken loudly."""
_LOUDER: Final = 1.0  # N: at most 4.3 dB up or down
_READ: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionSettings:
    """How a recording is to be spoken again.

    Attributes:
        noise_scale: 0 to 2; how far what is said is sampled around what was heard, and the noise in the voice's source (requirement 15).
        pitch_semitones: -12 to 12, from the voice's own register.
        keep_pitch_range: Keep intonation in semitones exactly; otherwise its spread goes towards the voice's, by a quarter at most.
        seed: Makes all noise repeatable.

    Raises:
        UsageError: A value lies outside its range.
    """

    noise_scale: float = 0.667
    pitch_semitones: float = 0.0
    keep_pitch_range: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        SpeakingSettings(noise_scale=self.noise_scale, pitch_semitones=self.pitch_semitones, seed=self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is known of a voice before it speaks.

    Attributes:
        register: Where its melody lies: an own voice's by its F0 map, a stock voice's as it reads a sentence.
        loud: 80th percentile of N while it speaks.
    """

    register: Register
    loud: float

    @classmethod
    def of(cls, voice: VoiceParameters, *, runtime: BaseRuntime, sessions: Sessions) -> "Target":
        """Let the base read three sentences in the voice's style, without speaking them: Chinese ones or else English ones."""
        language = next((tag.partition("-")[0] for tag in voice.languages), "en")
        known = {each.language: each for each in campaigns().values()}
        chosen = known.get(language, known["en"])
        read = [
            runtime.prosody(utterance.tokens, voice.style)
            for sentence in chosen.sentences[:_READ]
            for utterance in sessions.frontend.utterances(sentence, language=chosen.language)
        ]
        f0_hz = np.concatenate([prosody.f0_hz for prosody in read])
        energy = np.concatenate([prosody.energy[_from_voice_to_voice(prosody.f0_hz)] for prosody in read])
        loud = float(np.percentile(energy, LOUD_PERCENTILE))
        return cls(register=Register.of(voice.f0_map(f0_hz)), loud=loud)


class Converter:
    """One voice, ready to say again what others said; safe to use from one thread at a time."""

    def __init__(
        self,
        models: Path,
        voice: VoiceParameters,
        *,
        threads: int = 1,
        sessions: Sessions | None = None,
        encoder: PosteriorEncoder | None = None,
    ) -> None:
        """Load the voice.

        Args:
            models: The model folder.
            voice: Who speaks.
            threads: Threads of the content encoder, and of the decoder where it is not shared.
            sessions: Loaded graphs to share with other voices.
            encoder: A loaded content encoder to share; it knows no voice.

        Raises:
            ModelError: Something is missing, or the voice belongs to another base.
        """
        shared = sessions or Sessions(models, threads=threads)
        self._voice = voice
        self._runtime = shared.runtime(voice)
        self._encoder = encoder or PosteriorEncoder(models, threads=threads)
        self.target = Target.of(voice, runtime=self._runtime, sessions=shared)

    def convert(self, source: Source, settings: ConversionSettings | None = None) -> Iterator[Floats]:
        """Speak a recording again, piece by piece; nothing is computed ahead.

        Args:
            source: From `source.read_source`.
            settings: The listener's wishes.

        Yields:
            float32 [n] at 24,000 Hz, magnitude at most 0.98, in order: altogether exactly as long as the recording.
        """
        chosen = settings or ConversionSettings()
        spoken = (
            (
                piece.first_frame * CONTENT_HOP,
                self.spoken(piece, register=source.register, loud=source.loud, settings=chosen, number=number),
            )
            for number, piece in enumerate(source.pieces)
        )
        return laid_out(spoken, total=source.total)

    def spoken(
        self, piece: Piece, *, register: Register, loud: float, settings: ConversionSettings, number: int = 0, first: int = 0
    ) -> Floats:
        """Speak one piece: float32 [600 (T - first)], silent outside its gate.

        Args:
            piece: What was said.
            register: Of the person who said it.
            loud: N of her loud frames.
            settings: The listener's wishes.
            number: Of the piece; one seed gives each another noise.
            first: From which frame on it is spoken; those before are only heard.
        """
        drawn: tuple[int, int] | tuple[None, None] = (None, None)
        if settings.seed is not None:
            one, other = np.random.SeedSequence([settings.seed, number]).generate_state(2)
            drawn = (int(one), int(other))
        posterior = self._encoder.posterior(piece.samples, finishing.SAMPLE_RATE_HZ)  # (1)
        f0_hz = carried(register, self.target.register, keep_range=settings.keep_pitch_range)(piece.f0_hz)  # (2)
        f0_hz = intonation.moved(f0_hz, semitones=settings.pitch_semitones, pitch_range=1.0)
        shift = np.clip(self.target.loud - loud, -LOUDEST_SHIFT, LOUDEST_SHIFT)
        energy = np.where(piece.spoken, np.maximum(piece.energy + np.float32(shift), SILENT_ENERGY), SILENT_ENERGY)  # (3)
        content = posterior.sample(settings.noise_scale, drawn[0])[:, :, first:]
        spoken = piece.spoken[2 * first :]
        prosody = Prosody(content, f0_hz[2 * first :], energy.astype(np.float32)[2 * first :], np.ones(content.shape[2], np.int64))
        sound = self._runtime.decode(  # (4)
            prosody, self._voice.style, noise_scale=settings.noise_scale, voiced_noise=self._voice.voiced_noise, seed=drawn[1]
        )
        sound = aspirated(sound, prosody.f0_hz, self._voice.breath, seed=drawn[1])
        sound = sound * as_loud_as_asked(sound, prosody.energy, spoken)
        sound = finishing.filtered(sound, self._voice.tone_filter, delay=self._voice.tone_delay)
        sound = finishing.limited(sound * np.float32(10.0 ** (self._voice.gain_db / 20.0)))
        return np.asarray(sound * piece.gate[first * CONTENT_HOP :], dtype=np.float32)  # (5)


def _from_voice_to_voice(f0_hz: Floats) -> slice:
    """A sentence without the silence around it."""
    voiced = np.flatnonzero(f0_hz > VOICED_HZ)
    return slice(int(voiced[0]), int(voiced[-1]) + 1) if voiced.size else slice(None)


def as_loud_as_asked(sound: Floats, energy: Floats, spoken: NDArray[np.bool_]) -> np.float32:
    """Factor that gives the decoder's sound, in its louder half, the energy that it was fed with, less what it always falls short of."""
    if not spoken.any():
        return np.float32(1.0)
    loud = spoken & (energy >= np.median(energy[spoken]))
    missing = float(np.median(energy[loud] - ENERGY_OFFSET - energy_curve(sound)[loud]))
    return np.float32(np.exp(np.clip(missing, -_LOUDER, _LOUDER) / 2.0))
