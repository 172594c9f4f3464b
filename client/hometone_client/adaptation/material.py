"""What a voice is learnt from: the recordings as phrases, and lines as the base would speak them at the speaker's pitch.

1. Every recording is analysed; the language part reads its words in the nearest mixture of stock voices, in the same time.
2. The map from the mixture's F0 to the speaker's follows from the two sets of F0 curves.
3. The base speaks the words at that pitch and pace; the recording is aligned to it.
4. Where nobody knows the words, or the base does not speak the language, the lines are sentences of our own: timbre and tone can be learnt
   from them all the same.
5. Pace and tone follow from lines and recordings.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from hometone_client.adaptation import calibration
from hometone_client.adaptation.enrolment import LONGEST_PHRASE_S, SHORTEST_SPEECH_S, Enrolment, EnrolmentTake
from hometone_client.adaptation.preparation import EDGE_S, Phrase, aligned_phrase, analyse, speakable, unaligned_phrase
from hometone_client.base.analysis import Floats
from hometone_client.base.prosody import Prosody
from hometone_client.base.runtime import CONTENT_HOP, SAMPLE_RATE_HZ, BaseRuntime
from hometone_client.embedding.content import ContentEncoder
from hometone_client.speaking.finishing import trimmed
from hometone_client.takes.campaigns import campaigns
from hometone_client.text import Frontend
from hometone_client.text.utterance import MAX_TOKENS, silent_tokens, vocabulary
from hometone_client.voices.parameters import F0Map
from hometone_shared.errors import TextError, UsageError

PACE_ROUNDS, PACE_TOLERANCE, PACE_DAMPING = 4, 0.01, 0.7


@dataclass(frozen=True, slots=True)
class Words:
    """What is said, as text and as phoneme tokens without padding (none when it is not known or cannot be read)."""

    text: str
    language: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Words as the unadapted base speaks them in the nearest mixture, at the speaker's pitch.

    Attributes:
        words: What.
        prosody: How; F0 is the speaker's by `F0Map`.
        sound: float32 [n] at 24 kHz.
    """

    words: Words
    prosody: Prosody
    sound: Floats

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return float(self.sound.shape[0] / SAMPLE_RATE_HZ)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """All that learning works on.

    Attributes:
        phrases: Every recording.
        aligned: Those whose words are known; empty when lines are sentences of our own.
        lines: One for each of `aligned`, in the same order, or sentences of our own.
        f0_map: From the mixture's pitch to the speaker's.
        length_scale: The speaker's pace over the mixture's.
        tone_filter: float32 [odd], from the mixture's long-term spectrum to the recordings'.
    """

    phrases: list[Phrase]
    aligned: list[Phrase]
    lines: list[Line]
    f0_map: F0Map
    length_scale: float
    tone_filter: Floats

    @property
    def words_known(self) -> bool:
        """Whether there is speech whose words are known."""
        return bool(self.aligned)


def gather(
    enrolment: Enrolment,
    *,
    base: BaseRuntime,
    frontend: Frontend,
    content: ContentEncoder,
    aligned_s: float,
    told: Callable[[float], None],
) -> Material:
    """Make recordings ready to learn from.

    Args:
        enrolment: From `enrolment.listen`.
        base: The unadapted base voice.
        frontend: Reads texts.
        content: Whisper's encoder.
        aligned_s: Seconds of speech with known words that are aligned; what comes after serves for timbre alone.
        told: Called with the fraction done.
    """
    style = enrolment.mixture.style
    with ThreadPoolExecutor(2) as pool:  # (1) Harvest runs on one core and leaves the interpreter to others
        recordings = []
        for recording in pool.map(lambda take: analyse(*take.sound), enrolment.takes):
            recordings.append(recording)
            told(0.3 * len(recordings) / len(enrolment.takes))
    words = [words_of(frontend, take) for take in enrolment.takes]
    spoken: dict[int, Sequence[int]] = {}
    for i, recording in enumerate(recordings):
        if speakable(words[i].tokens, recording) and sum(recordings[j].frames for j in spoken) * CONTENT_HOP < aligned_s * SAMPLE_RATE_HZ:
            spoken[i] = words[i].tokens
    lasting = sum(recordings[i].frames - 2 * EDGE_S * SAMPLE_RATE_HZ / CONTENT_HOP for i in spoken)
    read, length_scale = read_in_time(base, style, spoken, lasting)
    f0_curves = [recording.f0_hz for recording in recordings]
    f0_map = calibration.f0_map(f0_curves, [prosody.f0_hz for prosody in read.values()]) if read else F0Map()  # (2)
    phrases: list[Phrase] = []
    aligned: dict[int, Line] = {}
    for i, recording in enumerate(recordings):  # (3)
        if i in read:
            line = _line(words[i], read[i], f0_map, base=base, style=style)
            phrase = aligned_phrase(recording, words[i].tokens, predicted=line.prosody, reference=line.sound, content=content)
            if phrase.aligned:
                aligned[i] = line
        phrases.append(phrase if i in read else unaligned_phrase(recording))
        told(0.3 + 0.7 * len(phrases) / len(recordings))
    known = sum(phrases[i].seconds for i in aligned) >= SHORTEST_SPEECH_S
    lines = list(aligned.values())
    if known:
        longer = how_much_longer([phrases[i] for i in aligned], lines)  # (5)
        same = {i: spoken[i] for i in aligned}
        _, length_scale = read_in_time(base, style, same, frames_of({i: read[i] for i in aligned}) * longer, length_scale=length_scale)
    else:
        length_scale = 1.0
        own = [(each, base.prosody(each.tokens, style)) for each in own_words(frontend, enrolment.language)]  # (4)
        f0_map = calibration.f0_map(f0_curves, [prosody.f0_hz for _, prosody in own])
        lines = [_line(each, prosody, f0_map, base=base, style=style) for each, prosody in own]
    tone = calibration.tone_towards(enrolment.spectrum, [line.sound for line in lines], bandwidth_hz=enrolment.bandwidth_hz)
    return Material(phrases, [phrases[i] for i in aligned] if known else [], lines, f0_map, length_scale, tone)


def read_in_time(
    base: BaseRuntime, style: Floats, spoken: Mapping[int, Sequence[int]], frames: float, *, length_scale: float = 1.0
) -> tuple[dict[int, Prosody], float]:
    """Words as the language part reads them in a given time, by number, and the length scale for it.

    Durations are whole frames and at least one: a scale of 1.29 instead of 1.25 made speech 5.6 % longer. The scale is therefore found by
    reading, within limits.

    Args:
        base: The unadapted base voice.
        style: float32 [256].
        spoken: Phoneme tokens without padding, by number.
        frames: Wanted time of all of them together without the silence around each, at 40 Hz.
        length_scale: To start from.
    """
    read: dict[int, Prosody] = {}
    for _ in range(PACE_ROUNDS):
        read = {i: base.prosody(tokens, style, length_scale=length_scale) for i, tokens in spoken.items()}
        wanted = calibration.bounded_pace(length_scale * (frames / max(1, frames_of(read))) ** PACE_DAMPING)
        if abs(wanted / length_scale - 1) < PACE_TOLERANCE:
            break
        length_scale = wanted
    return read, length_scale


def how_much_longer(phrases: Sequence[Phrase], lines: Sequence[Line]) -> float:
    """How much longer the speaker takes for the same words than some lines: the geometric mean of two ratios.

    One is the time of the phonemes by alignment, which ends where the words end; the other the time of the speech that the voice detector
    hears. In recordings the detector takes breath and room at the edges for speech, in clean synthesis it does not, and alignment knows
    nothing of the short pauses that make speech sound slow. On six speakers the two were 8 to 18 % apart (docs/adaptation.md, lesson 12).
    """
    silent = list(silent_tokens())
    articulated = [np.isin(phrase.tokens, silent, invert=True) for phrase in phrases]
    spoken = sum(int(phrase.durations[here].sum()) for phrase, here in zip(phrases, articulated, strict=True))
    read = sum(int(line.prosody.durations[here].sum()) for line, here in zip(lines, articulated, strict=True))
    real, made = (
        calibration.heard_time([(sound, SAMPLE_RATE_HZ) for sound in sounds])
        for sounds in ([phrase.samples for phrase in phrases], [trimmed(line.sound) for line in lines])
    )
    return float(np.sqrt(spoken / max(read, 1) * real / max(made, 1e-3)))


def frames_of(read: Mapping[int, Prosody]) -> int:
    """Time of some utterances together without the silence around each, in frames at 40 Hz."""
    return sum(int(prosody.durations[1:-1].sum()) for prosody in read.values())


def words_of(frontend: Frontend, take: EnrolmentTake) -> Words:
    """Text and tokens of a take; no tokens when its words are not known or cannot be read."""
    text = take.text or ""
    if not text or take.seconds > LONGEST_PHRASE_S:
        return Words(text, take.language, ())
    space = vocabulary()[" "]
    try:
        parts = [utterance.tokens for utterance in frontend.utterances(text, language=take.language)]
    except (TextError, UsageError):  # words that cannot be read, or a language that the base does not speak
        return Words(text, take.language, ())
    joined = tuple(token for part in parts for token in (*part, space))[:-1]
    return Words(text, take.language, joined if len(joined) <= MAX_TOKENS else ())


def own_words(frontend: Frontend, language: str) -> list[Words]:
    """Campaign sentences of the language, or of English where there is no campaign."""
    by_language = {campaign.language: campaign for campaign in campaigns().values()}
    campaign = by_language.get(language, by_language["en"])
    return [
        Words(utterance.text, campaign.language, utterance.tokens)
        for sentence in campaign.sentences
        for utterance in frontend.utterances(sentence, language=campaign.language)
    ]


def _line(words: Words, prosody: Prosody, f0_map: F0Map, *, base: BaseRuntime, style: Floats) -> Line:
    at_pitch = dataclasses.replace(prosody, f0_hz=f0_map(prosody.f0_hz))
    return Line(words, at_pitch, base.decode(at_pitch, style, seed=0))


def some(lines: Sequence[Line], seconds: float, *, shortest_s: float = 1.6) -> list[Line]:
    """Lines of at least a second and a half, from the end, until there are enough seconds; all where none is that long."""
    found: list[Line] = []
    for line in reversed(lines):
        if line.seconds >= shortest_s and sum(each.seconds for each in found) < seconds:
            found.append(line)
    return found or list(lines)
