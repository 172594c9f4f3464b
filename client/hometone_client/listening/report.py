"""What listeners said about one voice, for its owner: means with 95 % intervals over listeners, beside what recognisers and predictors say.

Each listener counts once on each scale, with the mean of his answers, so that who answered more does not weigh more (ITU-T P.800.2). The
interval is Student's: mean +- t(0.975, n - 1) s / sqrt(n), clipped to the scale; it is about other listeners of the same kind. What it may
see: one speaker's unlocked things. What it must never do: show what a single listener answered.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any, Final

from hometone_client.listening.clips import FIGURES, Clip, Role, clips_of
from hometone_client.listening.ratings import Listener, listeners, means, newest_listeners
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import UsageError
from hometone_shared.privacy.ratios import Interval
from hometone_shared.records.panel import Scale

ALL_LANGUAGES: Final = "all"
LEAST_SHOWN: Final = 2
"""One listener has no interval, and his mean would be his answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A mean over listeners.

    Attributes:
        scale: What was asked.
        role: Of what: her voice, a recording of hers, or that made worse.
        language: Language of the clips, or `all`.
        listeners: How many.
        mean: With its 95 % interval.
    """

    scale: Scale
    role: Role
    language: str
    listeners: int
    mean: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Means of what was measured on the same clips.

    Attributes:
        role: Of which clips.
        language: Their language, or `all`.
        clips: How many there are.
        figures: Figure -> mean; of `clips.FIGURES`, only what was measured.
    """

    role: Role
    language: str
    clips: int
    figures: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelReport:
    """All that an owner is shown.

    Attributes:
        panel: Number of the panel.
        listeners: How many sessions counted in which she was judged.
        with_headphones: How many of them wore headphones, as found by ear.
        who_know: How many of them said that they know somebody of the voices.
        opinions: Means, by scale, role and language.
        measurements: Beside them, what was measured.
    """

    panel: str
    listeners: int
    with_headphones: int
    who_know: int
    opinions: tuple[Opinion, ...]
    measurements: tuple[Measurement, ...]

    def opinion(self, scale: Scale, role: Role = Role.SYNTHETIC, *, language: str = ALL_LANGUAGES) -> Opinion | None:
        """One of the means; None where too few were asked."""
        wanted = (scale, role, language)
        return next((each for each in self.opinions if (each.scale, each.role, each.language) == wanted), None)

    def to_record(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def student_interval(values: Sequence[float], *, low: float, high: float) -> Interval:
    """Mean and 95 % interval of independent values (Student 1908).

    Args:
        values: At least two.
        low: The least that a mean can be.
        high: The most.
    """
    from scipy.special import stdtrit

    mean = fmean(values)
    half = float(stdtrit(len(values) - 1, 0.975)) * stdev(values, mean) / math.sqrt(len(values))
    return Interval(mean, max(low, mean - half), min(high, mean + half))


def panel_report(room: SpeakerRoom, *, panel: str | None = None) -> PanelReport:
    """What listeners said about her.

    Args:
        room: Her things, unlocked with her PIN.
        panel: Number of the panel; the newest in which anybody has judged her by default.

    Raises:
        UsageError: Nobody has judged her.
        DamagedVaultError: What listeners answered is damaged.
    """
    heard = newest_listeners(room.vault) if panel is None else listeners(room.vault, panel)
    if not heard:
        raise UsageError("nobody has judged this voice yet", hint="let people take the listening test on this computer")
    return PanelReport(
        panel=heard[0].panel,
        listeners=len(heard),
        with_headphones=sum(listener.headphones is True for listener in heard),
        who_know=sum(listener.knows for listener in heard),
        opinions=tuple(_opinions(heard)),
        measurements=tuple(_measurements(clips_of(room.vault, heard[0].panel))),
    )


def _opinions(heard: Sequence[Listener]) -> list[Opinion]:
    tags = sorted({rating.language for listener in heard for rating in listener.ratings})
    found = []
    for scale in Scale:
        for role in Role:
            for language in (ALL_LANGUAGES, *tags):
                values = means(heard, scale, role, language=None if language == ALL_LANGUAGES else language)
                if len(values) >= LEAST_SHOWN:
                    mean = student_interval(values, low=scale.lowest, high=scale.highest)
                    found.append(Opinion(scale=scale, role=role, language=language, listeners=len(values), mean=mean))
    return found


def _measurements(clips: Sequence[Clip]) -> list[Measurement]:
    found = []
    for role in Role:
        of_role = [clip for clip in clips if clip.role is role and clip.figures]
        for language in (ALL_LANGUAGES, *sorted({clip.language for clip in of_role})):
            chosen = [clip for clip in of_role if language in {ALL_LANGUAGES, clip.language}]
            figures = {
                figure: fmean(values)
                for figure in FIGURES
                if (values := [clip.figures[figure] for clip in chosen if figure in clip.figures])
            }
            if figures:
                found.append(Measurement(role=role, language=language, clips=len(chosen), figures=figures))
    return found
