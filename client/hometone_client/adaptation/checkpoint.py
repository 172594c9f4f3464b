"""The state of an unfinished adaptation as bytes, for the vault: a closed lid loses a quarter of a minute.

The state belongs to certain takes and settings; for others it is ignored. It holds recordings and embeddings: it is only ever handed to a
store that seals it.
"""

import hashlib
import pickle
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Protocol

import numpy as np
import torch


class CheckpointStore(Protocol):
    """Where the bytes go: `hometone_client.speakers` seals them."""

    def load(self) -> bytes | None:
        """Return what was saved last, or None."""

    def save(self, state: bytes) -> None:
        """Keep the state, in place of the one before."""


class MemoryStore:
    """Keeps the state in memory only: for trials and benchmarks."""

    def __init__(self) -> None:
        self._state: bytes | None = None

    def load(self) -> bytes | None:
        """Return what was saved last, or None."""
        return self._state

    def save(self, state: bytes) -> None:
        """Keep the state."""
        self._state = state


def fingerprint(parts: Sequence[bytes]) -> str:
    """Name of the work a state belongs to."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def pack(work: str, state: dict[str, Any]) -> bytes:
    """Turn a state of tensors, numpy arrays and plain values into bytes."""
    buffer = BytesIO()
    torch.save({"work": work, "state": _tensors(state)}, buffer)
    return buffer.getvalue()


def unpack(work: str, data: bytes | None) -> dict[str, Any] | None:
    """Return the state if the bytes hold one of this very work, else None: then the work begins anew."""
    if not data:
        return None
    try:
        held = torch.load(BytesIO(data), weights_only=True)
        if held["work"] != work:
            return None
        state: dict[str, Any] = held["state"]
    except (RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError):
        return None
    return state


def _tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, dict):
        return {key: _tensors(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_tensors(v) for v in value)
    return value
