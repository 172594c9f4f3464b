"""Which weights of the base the shared model may move, and how: the raw coordinates, before they are scaled, turned and ordered.

Two kinds of blocks, in a fixed order:

* cores (LoRA-XS, arXiv 2405.17604, section 3): a weight W of the base becomes W + A C B; A and B are frozen and public, the square C moves;
* shifts: vectors that are added to a bias (or to the last projection) number by number.

All belong to the two heads of the prosody predictor that say how long phonemes last and how F0 moves. What both heads read (text encoder,
duration encoder, the shared LSTM), the energy head and the decoder do not move: energy must stay the base's own (docs/adaptation.md) and
timbre is personal. One convolution of the F0 head, F0.2.conv1, is left out: its inputs are so large that F0 is a thousand times more
sensitive to it than to any other, and every step was either too short for the rest or too long for it.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Final

RANK: Final = 24
LSTM: Final = "predictor.lstm"
PROJECTION: Final = "predictor.duration_proj.linear_layer"


@dataclass(frozen=True, slots=True)
class Core:
    """A square of coordinates between two frozen factors.

    Attributes:
        name: The base's parameter.
        rows: Outputs: A is [rows, RANK].
        columns: Inputs, and the kernel of a convolution: B is [RANK, *columns].
        direction: Which half of an LSTM weight, 0 forward or 1 backward; None elsewhere.
    """

    name: str
    rows: int
    columns: tuple[int, ...]
    direction: int | None = None

    @property
    def key(self) -> str:
        """Name of the block."""
        return self.name if self.direction is None else f"{self.name}.{self.direction}"

    @property
    def size(self) -> int:
        """How many coordinates."""
        return RANK * RANK


@dataclass(frozen=True, slots=True)
class Shift:
    """Coordinates that are added to the base's parameter.

    Attributes:
        name: The base's parameter.
        shape: Its shape, or of the part that moves (the input biases of both directions, of an LSTM).
    """

    name: str
    shape: tuple[int, ...]

    @property
    def key(self) -> str:
        """Name of the block."""
        return self.name

    @property
    def size(self) -> int:
        """How many coordinates."""
        size = 1
        for axis in self.shape:
            size *= axis
        return size


CORES: Final = (
    Core("predictor.F0.0.conv1.weight", 512, (512, 3)),
    Core("predictor.F0.0.conv2.weight", 512, (512, 3)),
    Core("predictor.F0.1.conv1.weight", 256, (512, 3)),
    Core("predictor.F0.1.conv2.weight", 256, (256, 3)),
    Core("predictor.F0.1.conv1x1.weight", 256, (512, 1)),
    Core("predictor.F0.2.conv2.weight", 256, (256, 3)),
    Core(f"{LSTM}.W", 1024, (640,), direction=0),
    Core(f"{LSTM}.W", 1024, (640,), direction=1),
    Core(f"{PROJECTION}.weight", 50, (512,)),
)
SHIFTS: Final = (
    *(
        Shift(f"predictor.F0.{block}.norm{norm}.fc.bias", (2 * channels,))
        for block, norms in enumerate(((512, 512), (512, 256), (256, 256)))
        for norm, channels in enumerate(norms, start=1)
    ),
    Shift("predictor.F0_proj.weight", (1, 256, 1)),
    Shift(f"{LSTM}.B", (2, 1024)),
    Shift(f"{PROJECTION}.bias", (50,)),
)
BLOCKS: Final[tuple[Core | Shift, ...]] = (*CORES, *SHIFTS)
_ENDS: Final = tuple(accumulate(block.size for block in BLOCKS))
RAW_SIZE: Final = _ENDS[-1]
SLICES: Final = {block.key: slice(end - block.size, end) for block, end in zip(BLOCKS, _ENDS, strict=True)}
"""Where every block lies in a vector of raw coordinates; cores are row by row."""
