"""The parameters of one voice: everything that differs from the base, and nothing that says whose voice it is.

What it does: holds and checks the values; merges weight changes with the base's weights; moves an F0 curve.
What it may see: arrays. What it must never do: read or write files (`container` makes bytes of it, the vault seals those).

A `VoiceParameters` that exists is valid: every shape, type, range and size is checked when it is made, so that what speaks need not ask.
"""

import datetime as dt
import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import ModelError

STYLE_SIZE: Final = 256
SAMPLE_RATE_HZ: Final = 24_000
#: Longest tone filter: 85 ms, enough to shape a long-term spectrum in bands of 20 Hz.
TONE_TAPS_LIMIT: Final = 2_049
#: Together the weight changes may be as large as the base itself (82 M values), which only a mistake would reach.
VALUES_LIMIT: Final = 100_000_000
DELTAS_LIMIT: Final = 2_048
RANK_LIMIT: Final = 1_024
DIMENSIONS_LIMIT: Final = 4
#: A shared release moves at most as many coordinates as a round may have (docs/protocol.md, section 3).
COORDINATES_LIMIT: Final = 1 << 22
RELEASES_LIMIT: Final = 1_000_000
LENGTH_SCALE_RANGE: Final = (0.5, 2.0)
GAIN_RANGE_DB: Final = (-24.0, 24.0)
#: Amplitude of the noise under voiced sound. The base's own is 0.003 (SineGen of Kokoro); 0.1 is a whisper.
VOICED_NOISE_RANGE: Final = (0.0, 0.1)
VOICED_NOISE_OF_BASE: Final = 0.003
#: Share of the power of voiced sound that is exchanged for noise; 0.9 is a whisper.
BREATH_RANGE: Final = (0.0, 0.9)
#: A tremor of the voice: swings a second, and how far as a share of F0 (half a semitone is 0.03).
TREMOR_RATE_RANGE_HZ: Final = (3.0, 10.0)
TREMOR_DEPTH_RANGE: Final = (0.0, 0.1)
#: Where an F0 may lie: from creaky deep voices to children shouting.
F0_RANGE_HZ: Final = (40.0, 1_100.0)
#: Below this the base means "no voice here"; it is the source's own threshold.
VOICED_ABOVE_HZ: Final = 10.0

_PARAMETER_NAME: Final = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+){0,15}")
_LANGUAGE_TAG: Final = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_RECIPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")

FloatArray = NDArray[np.float32]


def _refuse(what: str) -> ModelError:
    return ModelError(f"this voice cannot be used: {what}", hint="train the voice again, or restore it from a backup")


def _sealed_array(array: object, *, what: str) -> FloatArray:
    """Return a read-only contiguous float32 copy, or refuse what is not a finite float32 array."""
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        raise _refuse(f"{what} is not a float32 array")
    if not 1 <= array.ndim <= DIMENSIONS_LIMIT or array.size == 0 or array.size > VALUES_LIMIT:
        raise _refuse(f"{what} has an impossible size")
    copy: FloatArray = np.array(array, dtype=np.float32, order="C")
    if not np.isfinite(copy).all():
        raise _refuse(f"{what} holds values that are not numbers")
    copy.flags.writeable = False
    return copy


def _check_number(value: object, *, what: str, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not low <= value <= high:
        raise _refuse(f"{what} is not a number between {low:g} and {high:g}")


@dataclass(frozen=True, slots=True, eq=False)
class DenseDelta:
    """A change of a base parameter, value by value: merged weight = base + `array`.

    Attributes:
        array: float32 in the base's own layout (`base.parameters`: linear weights are [in, out]).
    """

    array: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "array", _sealed_array(self.array, what="a weight change"))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the base parameter that this fits."""
        return self.array.shape

    def merged(self, base: NDArray[np.floating]) -> FloatArray:
        """Return base + delta as float32.

        Raises:
            ModelError: The shapes differ: the voice was made for another base.
        """
        if base.shape != self.shape:
            raise _refuse("it was made for another base voice")
        return (base.astype(np.float32) + self.array).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class LowRankDelta:
    """A change of low rank (LoRA, Hu et al. 2021, section 4.1): merged weight = base + (a @ b), reshaped.

    Attributes:
        a: float32 [m, r], m being the parameter's first axis in the base's own layout (out of a convolution, in of a linear weight).
        b: float32 [r, ...], the parameter's further axes; those of a convolution are its inputs and its kernel.
    """

    a: FloatArray
    b: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "a", _sealed_array(self.a, what="a weight change"))
        object.__setattr__(self, "b", _sealed_array(self.b, what="a weight change"))
        if self.a.ndim != 2 or self.b.ndim < 2 or self.a.shape[1] != self.b.shape[0] or self.a.shape[1] > RANK_LIMIT:
            raise _refuse("the two factors of a weight change do not fit together")
        if math.prod(self.shape) > VALUES_LIMIT:
            raise _refuse("a weight change has an impossible size")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the base parameter that this fits."""
        return (self.a.shape[0], *self.b.shape[1:])

    def merged(self, base: NDArray[np.floating]) -> FloatArray:
        """Return base + a @ b as float32 (b flattened to [r, ...] first).

        Raises:
            ModelError: The shapes differ: the voice was made for another base.
        """
        if base.shape != self.shape:
            raise _refuse("it was made for another base voice")
        product = self.a @ self.b.reshape(self.b.shape[0], -1)
        return (base.astype(np.float32) + product.reshape(self.shape)).astype(np.float32)


WeightDelta = DenseDelta | LowRankDelta


@dataclass(frozen=True, slots=True, kw_only=True)
class F0Map:
    """How the base's F0 curve becomes the speaker's, on a logarithmic axis.

    f0' = target_hz * (f0 / reference_hz) ** range_scale, on voiced frames. The default changes nothing.

    Attributes:
        reference_hz: Median F0 of the base in this style.
        target_hz: Median F0 of the speaker.
        range_scale: Speaker's spread over the base's spread, both in octaves.
    """

    reference_hz: float = 200.0
    target_hz: float = 200.0
    range_scale: float = 1.0

    def __post_init__(self) -> None:
        low, high = F0_RANGE_HZ
        _check_number(self.reference_hz, what="the base's pitch", low=low, high=high)
        _check_number(self.target_hz, what="the speaker's pitch", low=low, high=high)
        _check_number(self.range_scale, what="the range of the pitch", low=0.1, high=4.0)

    def __call__(self, f0_hz: FloatArray) -> FloatArray:
        """Move an F0 curve; unvoiced frames (at or below 10 Hz) stay as they are.

        Args:
            f0_hz: float32 [n], Hz.

        Returns:
            float32 [n]; voiced frames lie within `F0_RANGE_HZ`, or no further outside than before. Never rounded to fewer bits: a rounded
            F0 is heard as roughness (design notes, lesson 1).
        """
        if self.reference_hz == self.target_hz and self.range_scale == 1.0:
            return f0_hz
        voiced = f0_hz > VOICED_ABOVE_HZ
        safe = np.where(voiced, f0_hz, np.float32(self.reference_hz)).astype(np.float64)
        moved = self.target_hz * (safe / self.reference_hz) ** self.range_scale
        # The base glides through low values where voicing begins and ends; those frames are not lifted to the bound.
        moved = np.clip(moved, np.minimum(F0_RANGE_HZ[0], safe), np.maximum(F0_RANGE_HZ[1], safe))
        return np.where(voiced, moved, f0_hz).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tremor:
    """A tremor of F0 (`speaking.tremor`).

    Attributes:
        rate_hz: Swings a second.
        depth: Amplitude as a share of F0.
    """

    rate_hz: float
    depth: float

    def __post_init__(self) -> None:
        _check_number(self.rate_hz, what="the rate of its tremor", low=TREMOR_RATE_RANGE_HZ[0], high=TREMOR_RATE_RANGE_HZ[1])
        _check_number(self.depth, what="the depth of its tremor", low=TREMOR_DEPTH_RANGE[0], high=TREMOR_DEPTH_RANGE[1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedRelease:
    """The release of the shared model that a voice was made on; the voice carries it, so that it goes on speaking as it did.

    Attributes:
        number: Of the release, from 1; 0 would be the base itself and is written as no release.
        basis_sha256: The public basis whose coordinates these are, lower-case hexadecimal.
        theta: float32 [d], the coordinates.
    """

    number: int
    basis_sha256: str
    theta: FloatArray

    def __post_init__(self) -> None:
        if isinstance(self.number, bool) or not isinstance(self.number, int) or not 1 <= self.number <= RELEASES_LIMIT:
            raise _refuse("the number of its shared release is impossible")
        if not isinstance(self.basis_sha256, str) or not _SHA256.fullmatch(self.basis_sha256):
            raise _refuse("it does not say in which coordinates its shared release is")
        object.__setattr__(self, "theta", _sealed_array(self.theta, what="its shared release"))
        if self.theta.ndim != 1 or self.theta.size > COORDINATES_LIMIT:
            raise _refuse("its shared release has an impossible size")

    @property
    def theta_sha256(self) -> str:
        """SHA-256 of the coordinates as little-endian float32, hexadecimal."""
        return hashlib.sha256(self.theta.astype("<f4").tobytes()).hexdigest()


def _identity_filter() -> FloatArray:
    return np.ones(1, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoiceParameters:
    """A voice, complete together with the base whose hash it names.

    Attributes:
        style: float32 [256]: [0:128] goes to the decoder, [128:256] to the prosody predictor.
        base_sha256: SHA-256 of the base weights that the changes belong to, lower-case hexadecimal.
        recipe: Name and version of the procedure that made the voice, such as "finetune-3" or "stock-1".
        created: When, in UTC, to the second.
        languages: BCP 47 tags of the languages that the speaker was recorded in, most used first.
        weight_deltas: {name of the base's parameter: its change}.
        f0_map: The speaker's pitch.
        length_scale: The speaker's own pace; above 1 is slower. A listener's wish multiplies it.
        tone_filter: float32 [taps] FIR at 24,000 Hz, linear phase (symmetric) or minimum phase.
        gain_db: Level change after the filter, dB.
        voiced_noise: Amplitude of the noise under voiced sound in the decoder's source, before a listener's `noise_scale`.
        breath: Share of the power of voiced sound that is exchanged for noise behind the decoder (`speaking.aspiration`).
        tremor: Of F0; None is a steady voice.
        shared: The release of the shared model that it was made on; None means the base itself.
    """

    style: FloatArray
    base_sha256: str
    recipe: str
    created: dt.datetime
    languages: tuple[str, ...] = ()
    weight_deltas: Mapping[str, WeightDelta] = field(default_factory=dict)
    f0_map: F0Map = field(default_factory=F0Map)
    length_scale: float = 1.0
    tone_filter: FloatArray = field(default_factory=_identity_filter)
    gain_db: float = 0.0
    voiced_noise: float = VOICED_NOISE_OF_BASE
    breath: float = 0.0
    tremor: Tremor | None = None
    shared: SharedRelease | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "style", _sealed_array(self.style, what="the style"))
        if self.style.shape != (STYLE_SIZE,):
            raise _refuse(f"the style is not {STYLE_SIZE} values")
        object.__setattr__(self, "tone_filter", _sealed_array(self.tone_filter, what="the tone filter"))
        if self.tone_filter.ndim != 1 or self.tone_filter.size > TONE_TAPS_LIMIT:
            raise _refuse(f"the tone filter is not 1 to {TONE_TAPS_LIMIT} taps")
        if not isinstance(self.base_sha256, str) or not _SHA256.fullmatch(self.base_sha256):
            raise _refuse("it does not say which base voice it belongs to")
        if not isinstance(self.recipe, str) or not _RECIPE.fullmatch(self.recipe):
            raise _refuse("it does not say how it was made")
        if not isinstance(self.created, dt.datetime) or self.created.utcoffset() != dt.timedelta(0) or self.created.microsecond:
            raise _refuse("its date is not in UTC, to the second")
        if not isinstance(self.f0_map, F0Map):
            raise _refuse("its pitch is missing")
        if self.shared is not None and not isinstance(self.shared, SharedRelease):
            raise _refuse("its shared release is of an unknown kind")
        if (
            not isinstance(self.languages, tuple)
            or len(self.languages) > 16
            or not all(isinstance(tag, str) and _LANGUAGE_TAG.fullmatch(tag) for tag in self.languages)
        ):
            raise _refuse("its languages are not language tags")
        _check_number(self.length_scale, what="its pace", low=LENGTH_SCALE_RANGE[0], high=LENGTH_SCALE_RANGE[1])
        _check_number(self.gain_db, what="its level", low=GAIN_RANGE_DB[0], high=GAIN_RANGE_DB[1])
        _check_number(self.voiced_noise, what="its breath", low=VOICED_NOISE_RANGE[0], high=VOICED_NOISE_RANGE[1])
        _check_number(self.breath, what="its breath", low=BREATH_RANGE[0], high=BREATH_RANGE[1])
        if self.tremor is not None and not isinstance(self.tremor, Tremor):
            raise _refuse("its tremor is of an unknown kind")
        self._check_deltas()

    def _check_deltas(self) -> None:
        deltas = dict(self.weight_deltas)
        if len(deltas) > DELTAS_LIMIT:
            raise _refuse("it changes more weights than the base has")
        values = 0
        for name, delta in deltas.items():
            if not isinstance(name, str) or len(name) > 200 or not _PARAMETER_NAME.fullmatch(name):
                raise _refuse("a weight change has an impossible name")
            if not isinstance(delta, DenseDelta | LowRankDelta):
                raise _refuse("a weight change is of an unknown kind")
            values += math.prod(delta.shape)
        if values > VALUES_LIMIT:
            raise _refuse("its weight changes are larger than the base")
        object.__setattr__(self, "weight_deltas", MappingProxyType(deltas))

    @property
    def tone_delay(self) -> int:
        """Delay of the tone filter in samples, to be taken out again.

        A symmetric filter delays by half its length; of a minimum-phase one the largest tap marks the onset.
        """
        if np.allclose(self.tone_filter, self.tone_filter[::-1], rtol=1e-4, atol=1e-7):
            return (self.tone_filter.size - 1) // 2
        return int(np.argmax(np.abs(self.tone_filter)))

    def merged_weights(
        self, base_parameter: Callable[[str], NDArray[np.floating]], *, release: Mapping[str, WeightDelta] | None = None
    ) -> dict[str, FloatArray]:
        """Merge the changes with the base's weights, ready for `BaseRuntime(replacements=...)`.

        Args:
            base_parameter: Gives a base parameter by name; raises KeyError for names it does not have.
            release: What the voice's shared release changes (`sharedmodel.basis`); the voice's own changes are added to it.

        Returns:
            {name: float32 array of the base parameter's shape}, the changed ones only.

        Raises:
            ModelError: A name or a shape does not exist in this base.
        """
        merged: dict[str, FloatArray] = {}
        for deltas in (release or {}, self.weight_deltas):
            for name, delta in deltas.items():
                try:
                    base = merged[name] if name in merged else base_parameter(name)
                except KeyError as error:
                    raise _refuse("it was made for another base voice") from error
                merged[name] = delta.merged(base)
        return merged

    def weights_digest(self) -> str:
        """Return the SHA-256 of base, shared release and weight changes: voices that share it can share one loaded model."""
        hasher = hashlib.sha256(self.base_sha256.encode())
        if self.shared is not None:
            hasher.update(repr(("shared", self.shared.basis_sha256, self.shared.theta_sha256)).encode())
        for name in sorted(self.weight_deltas):
            delta = self.weight_deltas[name]
            for array in (delta.array,) if isinstance(delta, DenseDelta) else (delta.a, delta.b):
                hasher.update(repr((name, array.shape)).encode() + array.astype("<f4").tobytes())
        return hasher.hexdigest()

    def digest(self) -> str:
        """Return the SHA-256 of everything that changes the sound (dates and names of recipes do not)."""
        f0 = self.f0_map
        numbers = [f0.reference_hz, f0.target_hz, f0.range_scale, self.length_scale, self.gain_db, self.voiced_noise]
        if self.breath or self.tremor is not None:  # voices that have neither keep the digest they always had
            numbers += [self.breath, self.tremor.rate_hz if self.tremor else 0.0, self.tremor.depth if self.tremor else 0.0]
        hasher = hashlib.sha256(repr((self.weights_digest(), tuple(float(number) for number in numbers))).encode())
        for array in (self.style, self.tone_filter):
            hasher.update(repr(array.shape).encode() + array.astype("<f4").tobytes())
        return hasher.hexdigest()
