"""Who has come in: one-time keys that open a session, sessions in memory, tokens that show that a form is ours (docs/pages.md, section 2).

1. A one-time key has 256 random bits, is good once and for ten minutes. Whoever can run the command as this user can make one.
2. A session has a random name, which is all that the cookie holds; here it is known by its SHA-256, so that looking it up tells nothing by
   its time.
3. Each session has a form token, compared in constant time. Other origins cannot read it.
4. A session ends after twelve hours, when its person leaves, or when there are too many and it was used least recently.

What it may see: random names, and whatever state the pages keep for a session. What it must never do: write anything down.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

KEY_GOOD_FOR_S: Final = 600.0
SESSION_GOOD_FOR_S: Final = 12 * 3600.0
MOST_SESSIONS: Final = 32
_MOST_KEYS: Final = 16
_LONGEST_NAME: Final = 128

StateT = TypeVar("StateT")


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


class OneTimeKeys:
    """Keys that open a session (1)."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """None yet.

        Args:
            clock: Seconds, never backwards.
        """
        self._clock = clock
        self._keys: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def new(self) -> str:
        """A new key; of many that wait the oldest is forgotten."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._keys) >= _MOST_KEYS:
                self._keys.pop(next(iter(self._keys)))
            self._keys[_digest(key)] = self._clock()
        return key

    def use(self, key: str) -> bool:
        """Whether this key opens a session; never again afterwards."""
        if len(key) > _LONGEST_NAME:
            return False
        with self._lock:
            made = self._keys.pop(_digest(key), None)
        return made is not None and self._clock() - made <= KEY_GOOD_FOR_S


@dataclass(slots=True, eq=False)
class Session(Generic[StateT]):
    """Somebody who has come in.

    Attributes:
        state: What the pages keep for it.
        made: When it began, by the clock of its `Sessions`.
        seen: When it was used last.
        form_token: What its forms have to bring along (3).
    """

    state: StateT
    made: float
    seen: float
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def is_form_of_ours(self, token: str) -> bool:
        """Whether a form brought the right token."""
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.form_token.encode())


class Sessions(Generic[StateT]):
    """The sessions of one server; safe to use from several threads."""

    def __init__(self, *, begin: Callable[[], StateT], end: Callable[[StateT], None], clock: Callable[[], float] = time.monotonic) -> None:
        """None yet.

        Args:
            begin: Makes what the pages keep for a session.
            end: Told when a session is over; locks whoever is unlocked in it.
            clock: Seconds, never backwards.
        """
        self._begin = begin
        self._end = end
        self._clock = clock
        self._sessions: dict[bytes, Session[StateT]] = {}
        self._lock = threading.Lock()

    def begin(self) -> tuple[str, Session[StateT]]:
        """A new session and its name, which only the cookie holds (2, 4)."""
        name = secrets.token_urlsafe(32)
        now = self._clock()
        session = Session(self._begin(), made=now, seen=now)
        with self._lock:
            over = self._over(now)
            while len(self._sessions) >= MOST_SESSIONS:
                least = min(self._sessions, key=lambda digest: self._sessions[digest].seen)
                over.append(self._sessions.pop(least))
            self._sessions[_digest(name)] = session
        self._finish(over)
        return name, session

    def find(self, name: str) -> Session[StateT] | None:
        """The session of that name, if it is not over."""
        if len(name) > _LONGEST_NAME:
            return None
        now = self._clock()
        with self._lock:
            over = self._over(now)
            session = self._sessions.get(_digest(name))
            if session is not None:
                session.seen = now
        self._finish(over)
        return session

    def end(self, name: str) -> None:
        """End a session, if there is one of that name."""
        with self._lock:
            session = self._sessions.pop(_digest(name), None)
        self._finish([] if session is None else [session])

    def each(self) -> tuple[Session[StateT], ...]:
        """Those that are not over."""
        with self._lock:
            over = self._over(self._clock())
            left = tuple(self._sessions.values())
        self._finish(over)
        return left

    def close(self) -> None:
        """End all."""
        with self._lock:
            over = list(self._sessions.values())
            self._sessions.clear()
        self._finish(over)

    def _over(self, now: float) -> list[Session[StateT]]:
        ended = [digest for digest, session in self._sessions.items() if now - session.made > SESSION_GOOD_FOR_S]
        return [self._sessions.pop(digest) for digest in ended]

    def _finish(self, over: list[Session[StateT]]) -> None:
        for session in over:
            self._end(session.state)
