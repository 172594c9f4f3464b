"""How far what was heard is from what was to be said, in sounds and not in letters.

A recogniser writes homophones, figures and names as it likes: 医院 as 以冤, "eight" as "8", "Wi-Fi" as "WiFi". None of that is an error of
speaking. So both sides are read by the same frontend, and the phonemes are compared:

1. Stress, tones, length, spaces and marks go: a recogniser that writes homophones tells nothing about them.
2. Sounds are aligned by Levenshtein distance.
3. Three figures: errors per sound; the longest stretch that is missing (a word was swallowed, a part skipped, the end cut off); the longest
   stretch too much (something was said twice).

What it may see: phonemes of one sentence, in memory.
"""

from dataclasses import dataclass, field
from typing import Final

_NO_SOUND: Final = frozenset(" ˈˌːˑ→↗↓↘ʲ̩̃̊'-;:,.!?—…\"()“”")


@dataclass(frozen=True, slots=True)
class SoundErrors:
    """The distance of two sequences of sounds.

    Attributes:
        length: Sounds that were to be heard.
        errors: Substitutions, deletions and insertions.
        missing: Longest stretch of sounds that were to be heard and were not, less what was heard in their place.
        extra: Longest stretch of sounds that were heard and were not to be, less what they took the place of.
        right: For each sound that was to be heard, whether it was.
    """

    length: int
    errors: int
    missing: int
    extra: int
    right: tuple[bool, ...] = field(default=(), repr=False)

    @property
    def rate(self) -> float:
        """Errors per sound that was to be heard; can exceed 1."""
        return self.errors / self.length if self.length else float(self.errors > 0)

    def together_with(self, other: "SoundErrors") -> "SoundErrors":
        """Two hearings of the same sentence: what either heard was said; what both heard too much was too much."""
        right = tuple(one or two for one, two in zip(self.right, other.right, strict=True))
        wrong = right.count(False)
        runs = "".join("." if heard else "x" for heard in right).split(".")
        return SoundErrors(
            length=self.length, errors=wrong, missing=max(map(len, runs), default=0), extra=min(self.extra, other.extra), right=right
        )


def sounds(phonemes: str) -> tuple[str, ...]:
    """The sounds of a phoneme string of the base (1)."""
    return tuple(symbol for symbol in phonemes if symbol not in _NO_SOUND)


def sound_errors(wanted: tuple[str, ...], heard: tuple[str, ...]) -> SoundErrors:
    """Align two sequences of sounds (2, 3).

    Args:
        wanted: What was to be heard.
        heard: What was heard.
    """
    if not wanted or not heard:
        return SoundErrors(len(wanted), max(len(wanted), len(heard)), len(wanted), len(heard), (False,) * len(wanted))
    import jiwer

    # Sounds stand as words: the same aligner as for error rates, in C++.
    aligned = jiwer.process_words(" ".join(wanted), " ".join(heard))
    missing = extra = errors = lost = gained = 0
    right = [False] * len(wanted)
    for chunk in aligned.alignments[0]:
        reference, hypothesis = chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx
        if chunk.type == "equal":
            lost = gained = 0
            right[chunk.ref_start_idx : chunk.ref_end_idx] = [True] * reference
            continue
        errors += max(reference, hypothesis)
        lost, gained = lost + reference, gained + hypothesis
        missing, extra = max(missing, lost - gained), max(extra, gained - lost)
    return SoundErrors(len(wanted), errors, missing, extra, tuple(right))
