"""What keeps a laptop, or something that looks like one, from asking too much: small bodies that come quickly, and few attempts.

What it may see: a peer's address, in memory, for a minute. What it must never do: write one down.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import anyio
from starlette.requests import ClientDisconnect, Request

from hometone_shared.errors import ProtocolError

LONGEST_BODY: Final = 16 * 1024
BODY_TIMEOUT_S: Final = 10.0
_MOST_PEERS: Final = 10_000


def peer_of(request: Request) -> str:
    """Who asks, for counting."""
    return request.client.host if request.client else ""


async def bounded_body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        ProtocolError: It is too long, comes too slowly, or breaks off.
    """
    body = bytearray()
    try:
        with anyio.fail_after(BODY_TIMEOUT_S):
            async for part in request.stream():
                body += part
                if len(body) > LONGEST_BODY:
                    raise ProtocolError("a request is too long")
    except TimeoutError as error:
        raise ProtocolError("a request did not arrive in time") from error
    except ClientDisconnect as error:
        raise ProtocolError("a request broke off") from error
    return bytes(body)


@dataclass(slots=True)
class _Bucket:
    left: float
    filled_s: float


class Attempts:
    """Token buckets: so many attempts a minute for each peer, and so many for all together."""

    def __init__(self, *, peer_per_minute: int = 30, all_per_minute: int = 300, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with full buckets.

        Args:
            peer_per_minute: For one address; a whole community centre may have one.
            all_per_minute: For all addresses.
            clock: Seconds, never going back.
        """
        self._clock = clock
        self._peer_per_minute = peer_per_minute
        self._all_per_minute = all_per_minute
        self._all = _Bucket(all_per_minute, clock())
        self._peers: OrderedDict[str, _Bucket] = OrderedDict()

    def allow(self, peer: str) -> bool:
        """Count an attempt; whether it may go on."""
        now = self._clock()
        bucket = self._peers.pop(peer, None) or _Bucket(self._peer_per_minute, now)
        self._peers[peer] = bucket
        while len(self._peers) > _MOST_PEERS or (now - next(iter(self._peers.values())).filled_s > 60 and len(self._peers) > 1):
            self._peers.popitem(last=False)
        return _take(bucket, per_minute=self._peer_per_minute, now=now) and _take(self._all, per_minute=self._all_per_minute, now=now)


def _take(bucket: _Bucket, *, per_minute: int, now: float) -> bool:
    bucket.left = min(float(per_minute), bucket.left + (now - bucket.filled_s) * per_minute / 60)
    bucket.filled_s = now
    if bucket.left < 1:
        return False
    bucket.left -= 1
    return True
