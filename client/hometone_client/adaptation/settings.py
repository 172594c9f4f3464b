"""How much care a voice is made with. Two tiers, each a set of numbers; docs/adaptation.md says what they cost and bring."""

from dataclasses import dataclass, field
from typing import Self

from hometone_client.adaptation.acoustic import AcousticSettings
from hometone_shared.errors import UsageError

RECIPE = "mixture-finetune-3"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationSettings:
    """Numbers of one tier.

    Attributes:
        acoustic: Fine-tuning of the acoustic part.
        strengths: How much of what was learnt is tried when the trade between likeness and intelligibility is chosen; the first whose
            words are clear enough is kept.
        aligned_s: Seconds of speech with known words that are aligned and learnt from.
        check_every: Steps between looks at the held-out takes (and between saves).
        held_out_crops: Crops of held-out recordings, and as many of their words as spoken, in a look.
        patience: Looks without improvement before it stops.
        trial_s: Seconds of speech synthesised for each strength.
    """

    acoustic: AcousticSettings = field(default_factory=AcousticSettings)
    strengths: tuple[float, ...] = (1.0, 0.6)
    aligned_s: float = 120.0
    check_every: int = 10
    held_out_crops: int = 3
    patience: int = 3
    trial_s: float = 22.0

    @classmethod
    def for_tier(cls, tier: str) -> Self:
        """Settings of `quick` (one to two minutes on two cores) or `standard` (at most 5 minutes).

        Raises:
            UsageError: There is no such tier.
        """
        if tier == "standard":
            return cls()
        if tier == "quick":
            return cls(
                acoustic=AcousticSettings(steps=12, rank=0),
                strengths=(1.0,),
                aligned_s=25.0,
                check_every=12,
                held_out_crops=1,
                trial_s=10.0,
            )
        raise UsageError(f"there is no tier called {tier}", hint="choose quick or standard")
