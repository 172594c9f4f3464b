"""Which questions one listener gets, and in which order (docs/listening.md, section 5).

1. Every session has some hidden references and as many anchors, by which listeners are checked, of voices in turn.
2. The other questions go round the scales, each time to the voice that was asked about least. Which sentence comes first is drawn for each
   session and moves on from voice to voice, as in a Latin square: over sessions every voice speaks every sentence about as often, and no
   sentence belongs to a voice.
3. Naturalness and preference are asked of clips in languages that the listener grew up with, dialects of those who grew up with that very
   one; likeness of anybody. Mixed sentences are for whoever grew up with Chinese.
4. The order is drawn; the same voice does not come twice in a row as long as another one is left.
5. Traps lie one in each equal stretch of the list, never first.

Chance is the operating system's. What it may see: what clips are, not how they sound. What it must never do: put into a question for
the listener what would tell him whose voice it is or what kind of clip (that is `sitting`'s to keep).
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hometone_client.listening.clips import Clip, Role
from hometone_client.listening.voices import HeardVoice
from hometone_shared.records.panel import MIXED, Panel, Scale

LEAST_CONTROLS: Final = 2
"""Hidden references, and as many anchors, at least."""
_CONTROL_SHARE: Final = 8
_MIXED_IS_FOR: Final = "zh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rater:
    """What a listener said about himself; it is kept for as long as his session lasts.

    Attributes:
        native: Languages and dialects that he grew up with, as tags.
        knows: Whether he knows somebody whose voice is in the test.
        language: Language of the traps, `zh` or `en`: that of the page.
    """

    native: frozenset[str]
    knows: bool
    language: str = "zh"

    def grew_up_with(self, language: str, *, exactly: bool = False) -> bool:
        """Whether a clip's language is his; a dialect counts as its language, too, unless it must be the very one."""
        if language == MIXED:
            return self.grew_up_with(_MIXED_IS_FOR)
        if exactly:
            return language in self.native
        return language.partition("-")[0] in {tag.partition("-")[0] for tag in self.native}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One question.

    Attributes:
        scale: What is asked.
        speaker_id: Whose clips.
        clip: What is judged.
        other: What it is compared with: the known recording, or the baseline; None for a single clip.
        flipped: Of a preference: whether hers comes first.
    """

    scale: Scale
    speaker_id: str
    clip: Clip
    other: Clip | None = None
    flipped: bool = False

    @property
    def clips(self) -> tuple[Clip, ...]:
        """What is heard, in this order; the known recording comes first."""
        if self.other is None:
            return (self.clip,)
        return (self.clip, self.other) if self.flipped else (self.other, self.clip)

    @property
    def is_trap(self) -> bool:
        """Whether the clip says what to answer."""
        return self.clip.role is Role.TRAP

    def stored(self, value: int) -> int:
        """An answer as it is kept: a preference above 0 is for her voice."""
        return -value if self.flipped else value


def draw(panel: Panel, voices: Sequence[HeardVoice], rater: Rater, *, chance: random.Random) -> tuple[Trial, ...]:
    """The questions of one session.

    Args:
        panel: The panel.
        voices: What can be heard now; each is complete.
        rater: Who listens.
        chance: The operating system's generator; another one in tests.

    Returns:
        At most `panel.trials` and `panel.traps`; none if nothing can be asked of this listener.
    """
    order = list(voices)
    chance.shuffle(order)
    lines = [_Line(_questions(scale, order, rater, chance)) for scale in Scale if scale in panel.scales]
    if not any(line.left for line in lines):
        return ()
    share = max(LEAST_CONTROLS, panel.trials // _CONTROL_SHARE)
    had = Counter({voice.speaker_id: 0 for voice in order})
    controls = [_Line(_controls(role, order, chance)) for role in (Role.REFERENCE, Role.ANCHOR)]
    trials = [line.take(had) for line in controls for _ in range(min(share, line.left))]  # (1)
    chance.shuffle(lines)
    while any(line.left for line in lines) and len(trials) < panel.trials:  # (2)
        lines.append(lines.pop(0))
        if lines[-1].left:
            trials.append(lines[-1].take(had))
    trials = [replace(trial, flipped=chance.random() < 0.5) if trial.scale is Scale.PREFERENCE else trial for trial in trials]
    return tuple(_with_traps(_arranged(trials, chance), _traps(order, panel.traps, rater, chance), chance))


class _Line:
    """Questions of one kind, by voice."""

    def __init__(self, questions: dict[str, list[Trial]]) -> None:
        self._questions = questions
        self._had: Counter[str] = Counter()

    @property
    def left(self) -> int:
        """How many there are still."""
        return sum(map(len, self._questions.values()))

    def take(self, had: Counter[str]) -> Trial:
        """The next one, of the voice that had fewest of this kind, and of those the one that had fewest at all."""
        speaker = min((name for name, found in self._questions.items() if found), key=lambda name: (self._had[name], had[name]))
        self._had[speaker] += 1
        had[speaker] += 1
        return self._questions[speaker].pop(0)


def _controls(role: Role, order: Sequence[HeardVoice], chance: random.Random) -> dict[str, list[Trial]]:
    """Naturalness of recordings, each clip once."""
    return {
        voice.speaker_id: [
            Trial(scale=Scale.NATURALNESS, speaker_id=voice.speaker_id, clip=clip)
            for clip in chance.sample(voice.of(role), len(voice.of(role)))
        ]
        for voice in order
    }


def _questions(scale: Scale, order: Sequence[HeardVoice], rater: Rater, chance: random.Random) -> dict[str, list[Trial]]:
    """All that can be asked on a scale, sentences moving on from voice to voice."""
    start = chance.random()
    lines: dict[str, list[Trial]] = {}
    for number, voice in enumerate(order):
        found = list(_of_voice(scale, voice, rater))
        first = (int(start * len(found)) + number) % len(found) if found else 0
        lines[voice.speaker_id] = found[first:] + found[:first]
    return lines


def _of_voice(scale: Scale, voice: HeardVoice, rater: Rater) -> Iterator[Trial]:  # (3)
    synthetic = voice.of(Role.SYNTHETIC)
    chosen: list[tuple[Clip, Clip | None]]
    if scale is Scale.NATURALNESS:
        chosen = [(clip, None) for clip in synthetic if rater.grew_up_with(clip.language)]
    elif scale is Scale.DIALECT:
        chosen = [(clip, None) for clip in synthetic if clip.language != MIXED and rater.grew_up_with(clip.language, exactly=True)]
    elif scale is Scale.SIMILARITY:
        known = voice.of(Role.KNOWN)[0]
        chosen = [(clip, known) for clip in (*synthetic, *voice.of(Role.REFERENCE))]
    else:
        baselines = {clip.sentence: clip for clip in voice.of(Role.BASELINE)}
        mixed = [clip for clip in synthetic if clip.language == MIXED and clip.sentence in baselines]
        chosen = [(clip, baselines[clip.sentence]) for clip in mixed if rater.grew_up_with(MIXED)]
    for clip, other in chosen:
        yield Trial(scale=scale, speaker_id=voice.speaker_id, clip=clip, other=other)


def _arranged(trials: Sequence[Trial], chance: random.Random) -> list[Trial]:  # (4)
    """In an order that is drawn, each voice next to others."""
    left: defaultdict[str, list[Trial]] = defaultdict(list)
    for trial in chance.sample(trials, len(trials)):
        left[trial.speaker_id].append(trial)
    placed: list[Trial] = []
    last = ""
    while left:
        others = [speaker for speaker in left if speaker != last] or list(left)
        total = sum(map(len, left.values()))
        # A voice with half of what is left and more has to come now, or it would follow itself at the end.
        urgent = [speaker for speaker in others if 2 * len(left[speaker]) > total]
        last = urgent[0] if urgent else chance.choices(others, [len(left[speaker]) for speaker in others])[0]
        placed.append(left[last].pop())
        if not left[last]:
            del left[last]
    return placed


def _traps(order: Sequence[HeardVoice], count: int, rater: Rater, chance: random.Random) -> list[Trial]:
    spoken = [(voice.speaker_id, clip) for voice in order for clip in voice.of(Role.TRAP)]
    own = [pair for pair in spoken if pair[1].language == rater.language] or spoken
    chosen = chance.sample(own, min(count, len(own)))
    return [Trial(scale=Scale.NATURALNESS, speaker_id=speaker, clip=clip) for speaker, clip in chosen]


def _with_traps(trials: list[Trial], traps: list[Trial], chance: random.Random) -> list[Trial]:  # (5)
    placed: list[Trial] = []
    for number, trap in enumerate(traps):
        begin, end = (len(trials) * edge // len(traps) for edge in (number, number + 1))
        place = chance.randint(begin + 1, end) if end > begin else end
        placed += [*trials[begin:place], trap, *trials[place:end]]
    return placed if traps else trials
