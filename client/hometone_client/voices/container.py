"""`VoiceParameters` <-> bytes: the voice format, versions 1 to 3 (docs/voice-format.md).

What it does: writes and reads safetensors bytes with one JSON metadata text. It reads bytes that may be hostile: whatever they are, the
answer is a valid `VoiceParameters` or a `ModelError`, and memory stays within a small multiple of the input.
What it may see: bytes in memory. What it must never do: touch a disk. A voice on disk is always sealed by `hometone_keys`; these bytes
exist only between unsealing and speaking.

Reading:

1. size: not above `BYTES_LIMIT`;
2. frame: safetensors' own parser checks offsets, overlaps, types and the header's size;
3. metadata: exactly one key, `hometone-voice`, a JSON object without unknown or missing fields; version 2 names a shared release,
   version 3 may name one and has breath and tremor;
4. tensors: float32 only, exactly the names that the format knows;
5. values: `VoiceParameters` checks shapes, ranges and finiteness.
"""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from hometone_client.voices.parameters import (
    DELTAS_LIMIT,
    DenseDelta,
    F0Map,
    LowRankDelta,
    SharedRelease,
    Tremor,
    VoiceParameters,
    WeightDelta,
)
from hometone_shared.errors import HometoneError, ModelError

METADATA_KEY: Final = "hometone-voice"
VERSION: Final = 3
#: A voice is written in the oldest version that can hold it: the same voice gives the same bytes as ever, and older programs read them.
_WITHOUT_RELEASE: Final = 1
_WITH_RELEASE: Final = 2
#: A voice that changed every weight of the base is about 330 MB.
BYTES_LIMIT: Final = 420_000_000
_METADATA_LIMIT: Final = 64_000

_STYLE: Final = "style"
_TONE: Final = "tone_filter"
_DELTA: Final = "delta/"
_THETA: Final = "shared/theta"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"

VoiceSource = bytes | bytearray | memoryview


class _F0Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    reference_hz: float
    target_hz: float
    range_scale: float


class _SharedFields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    number: int
    basis_sha256: str = Field(max_length=64)
    theta_sha256: str = Field(max_length=64)


class _Fields(BaseModel):
    """The metadata of version 1, exactly as in docs/voice-format.md."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    version: Literal[1]
    base_sha256: str = Field(max_length=64)
    recipe: str = Field(max_length=64)
    created: str = Field(max_length=20)
    languages: list[str] = Field(max_length=16)
    f0_map: _F0Fields
    length_scale: float
    gain_db: float
    voiced_noise: float


class _FieldsWithRelease(_Fields):
    """The metadata of version 2."""

    version: Literal[2]  # type: ignore[assignment]
    shared: _SharedFields


class _TremorFields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    rate_hz: float
    depth: float


class _FieldsWithBreath(_Fields):
    """The metadata of version 3; null stands for no tremor and for no release."""

    version: Literal[3]  # type: ignore[assignment]
    shared: _SharedFields | None
    breath: float
    tremor: _TremorFields | None


_KINDS: Final[Mapping[int, type[_Fields]]] = {_WITHOUT_RELEASE: _Fields, _WITH_RELEASE: _FieldsWithRelease, VERSION: _FieldsWithBreath}


def _refuse(what: str) -> ModelError:
    return ModelError(f"this is not a usable voice: {what}", hint="train the voice again, or restore it from a backup")


def to_bytes(voice: VoiceParameters) -> bytes:
    """Write a voice in the format above; the same voice always gives the same bytes."""
    tensors: dict[str, NDArray[np.float32]] = {_STYLE: voice.style, _TONE: voice.tone_filter}
    for name, delta in voice.weight_deltas.items():
        if isinstance(delta, DenseDelta):
            tensors[f"{_DELTA}{name}/dense"] = delta.array
        else:
            tensors[f"{_DELTA}{name}/a"] = delta.a
            tensors[f"{_DELTA}{name}/b"] = delta.b
    f0, shared = voice.f0_map, voice.shared
    fields = _Fields(
        version=_WITHOUT_RELEASE,
        base_sha256=voice.base_sha256,
        recipe=voice.recipe,
        created=voice.created.strftime(_TIME),
        languages=list(voice.languages),
        f0_map=_F0Fields(reference_hz=float(f0.reference_hz), target_hz=float(f0.target_hz), range_scale=float(f0.range_scale)),
        length_scale=float(voice.length_scale),
        gain_db=float(voice.gain_db),
        voiced_noise=float(voice.voiced_noise),
    )
    described = fields.model_dump()
    if shared is not None:
        tensors[_THETA] = shared.theta
        identity = _SharedFields(number=shared.number, basis_sha256=shared.basis_sha256, theta_sha256=shared.theta_sha256)
        described |= {"version": _WITH_RELEASE, "shared": identity.model_dump()}
    if voice.breath or voice.tremor is not None:
        tremor = voice.tremor and _TremorFields(rate_hz=float(voice.tremor.rate_hz), depth=float(voice.tremor.depth)).model_dump()
        described |= {"version": VERSION, "shared": described.get("shared"), "breath": float(voice.breath), "tremor": tremor}
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    written: bytes = save({name: tensors[name] for name in sorted(tensors)}, metadata={METADATA_KEY: text})
    return written


def from_bytes(source: VoiceSource) -> VoiceParameters:
    """Read a voice.

    Args:
        source: The container's bytes, from anywhere.

    Raises:
        ModelError: The bytes are not a valid voice of a known version. Nothing else is raised.
    """
    if len(source) > BYTES_LIMIT:  # (1)
        raise _refuse("it is larger than any voice")
    data = bytes(source)
    try:
        entries = deserialize(data)  # type: ignore[no-untyped-call]  # (2)
    except (SafetensorError, ValueError, OverflowError) as error:
        raise _refuse("the file is damaged or something else") from error
    fields = _fields(data)
    return _voice(fields, _tensors(entries))


def _fields(data: bytes) -> _Fields:
    """(3) Read the metadata; safetensors has already checked that the header is JSON of its schema."""
    header_bytes = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + header_bytes].decode("utf-8"))
        metadata = header.get("__metadata__")
        if not isinstance(metadata, dict) or set(metadata) != {METADATA_KEY} or len(metadata[METADATA_KEY]) > _METADATA_LIMIT:
            raise _refuse("it does not say that it is one")
        content = json.loads(metadata[METADATA_KEY])
    except (ValueError, RecursionError, TypeError, AttributeError) as error:
        raise _refuse("its description cannot be read") from error
    version = content.get("version") if isinstance(content, dict) else None
    if type(version) is not int:
        raise _refuse("its version is missing")
    if version > VERSION:
        raise ModelError("this voice was made by a newer Hometone", hint="update Hometone on this computer")
    try:
        return _KINDS.get(version, _Fields).model_validate(content)
    except ValidationError as error:
        # Without the values: they come from elsewhere.
        raise _refuse(f"its description has {error.error_count()} wrong fields") from None


def _tensors(entries: list[tuple[str, Mapping[str, object]]]) -> dict[str, NDArray[np.float32]]:
    """(4) Turn safetensors' raw entries into arrays."""
    if len(entries) > 2 * DELTAS_LIMIT + 3:
        raise _refuse("it holds more arrays than the base")
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, entry in entries:
        shape, raw = entry["shape"], entry["data"]
        if entry["dtype"] != "F32" or not isinstance(shape, list) or not isinstance(raw, bytes | bytearray | memoryview):
            raise _refuse("an array is not float32")
        if not 1 <= len(shape) <= 4:
            raise _refuse("an array has an impossible shape")
        tensors[name] = np.frombuffer(raw, dtype="<f4").astype(np.float32).reshape(shape)
    return tensors


def _deltas(tensors: dict[str, NDArray[np.float32]]) -> dict[str, WeightDelta]:
    parts: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name, array in tensors.items():
        parameter, _, part = name.removeprefix(_DELTA).rpartition("/")
        if not name.startswith(_DELTA) or not parameter:
            raise _refuse("it holds an array of an unknown name")
        parts.setdefault(parameter, {})[part] = array
    deltas: dict[str, WeightDelta] = {}
    for parameter, arrays in parts.items():
        if arrays.keys() == {"dense"}:
            deltas[parameter] = DenseDelta(arrays["dense"])
        elif arrays.keys() == {"a", "b"}:
            deltas[parameter] = LowRankDelta(arrays["a"], arrays["b"])
        else:
            raise _refuse("a weight change is incomplete")
    return deltas


def _shared(fields: _Fields, tensors: dict[str, NDArray[np.float32]]) -> SharedRelease | None:
    told = fields.shared if isinstance(fields, _FieldsWithRelease | _FieldsWithBreath) else None
    if told is None:
        return None
    if _THETA not in tensors:
        raise _refuse("its shared release is missing")
    release = SharedRelease(number=told.number, basis_sha256=told.basis_sha256, theta=tensors.pop(_THETA))
    if release.theta_sha256 != told.theta_sha256:
        raise _refuse("its shared release is not the one it was made on")
    return release


def _voice(fields: _Fields, tensors: dict[str, NDArray[np.float32]]) -> VoiceParameters:
    """(5) Check the values by building the voice."""
    if not {_STYLE, _TONE} <= tensors.keys():
        raise _refuse("its style or its tone is missing")
    style, tone = tensors.pop(_STYLE), tensors.pop(_TONE)
    try:
        created = dt.datetime.strptime(fields.created, _TIME).replace(tzinfo=dt.UTC)
    except ValueError:
        raise _refuse("its date cannot be read") from None
    if created.strftime(_TIME) != fields.created:
        raise _refuse("its date cannot be read")
    breath, tremor = (fields.breath, fields.tremor) if isinstance(fields, _FieldsWithBreath) else (0.0, None)
    if isinstance(fields, _FieldsWithBreath) and not breath and tremor is None:
        raise _refuse("it is written in another version than its own")
    try:
        shared = _shared(fields, tensors)
        return VoiceParameters(
            style=style,
            base_sha256=fields.base_sha256,
            recipe=fields.recipe,
            created=created,
            languages=tuple(fields.languages),
            weight_deltas=_deltas(tensors),
            f0_map=F0Map(reference_hz=fields.f0_map.reference_hz, target_hz=fields.f0_map.target_hz, range_scale=fields.f0_map.range_scale),
            length_scale=fields.length_scale,
            tone_filter=tone,
            gain_db=fields.gain_db,
            voiced_noise=fields.voiced_noise,
            breath=breath,
            tremor=None if tremor is None else Tremor(rate_hz=tremor.rate_hz, depth=tremor.depth),
            shared=shared,
        )
    except ModelError:
        raise
    except HometoneError as error:  # pragma: no cover - the parameters raise ModelError only
        raise _refuse("its values are impossible") from error
