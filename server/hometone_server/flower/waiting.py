"""Puts questions to the SuperLink: one after the other, and again when there is something to answer.

Two properties of Flower 1.41 make rounds slow, and both are met here, in front of it, without changing a byte of what is said.

1. Its SQLite database has one writer, and every call writes. Two calls at once make one of them sleep for up to 100 ms (SQLite's busy
   handler), again and again. So each call takes its turn. Bodies are read before, and answers are sent after, so that no slow network ever
   holds a turn.
2. It knows polling only: laptops ask for messages and a ServerApp for answers, and every question costs several milliseconds of the one
   processor, mostly for nothing. A question may bring the header `hometone-wait: SECONDS`. An empty answer is then held back, and the same
   question is put once more when a bell rings: that of the laptops after the ServerApp has uploaded something, that of the coordinator
   after a laptop has. Flower decides about it each time; who sends no such header notices nothing. A bell rings a little after the last
   upload and not after each, because a message is made of several objects.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

WAIT_HEADER: Final = "hometone-wait"
LONGEST_WAIT_S: Final = 25.0
_QUIET_S: Final = 0.012
_MOST_DELAY_S: Final = 0.1
_MOST_WAITING_BYTES: Final = 1 << 30


class Bell:
    """Wakes everybody who waits for it; belongs to one event loop."""

    def __init__(self) -> None:
        """Silent."""
        self._rung = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._latest = 0.0
        self._closed = False

    def ring_soon(self) -> None:
        """Ring after a moment without another call of this, at the latest after a tenth of a second."""
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._latest = loop.time() + _MOST_DELAY_S
        else:
            self._timer.cancel()
        self._timer = loop.call_at(min(loop.time() + _QUIET_S, self._latest), self._ring)

    def close(self) -> None:
        """Ring now, and never let anybody wait again: the process ends."""
        self._closed = True
        self._rung.set()

    def ticket(self) -> asyncio.Event | None:
        """What to wait for from this moment on; `None` when the process ends."""
        return None if self._closed else self._rung

    def _ring(self) -> None:
        self._timer = None
        self._rung.set()
        if not self._closed:
            self._rung = asyncio.Event()


def wanted_wait_s(scope: Scope) -> float:
    """Seconds that a question wants to be held at most; 0 when it does not say, or says nonsense."""
    for name, value in scope["headers"]:
        if name == WAIT_HEADER.encode():
            try:
                wait_s = float(value)
            except ValueError:
                return 0.0
            return min(wait_s, LONGEST_WAIT_S) if math.isfinite(wait_s) and wait_s > 0 else 0.0
    return 0.0


class Turns:
    """One call at a time for Flower, and a limit for what waits."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._turn = asyncio.Semaphore(1)
        self._waiting_bytes = 0

    async def put(
        self,
        application: Application,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        most: int,
        bell: Bell | None = None,
        wait_s: float = 0.0,
    ) -> None:
        """Put a question until the answer has a body or is no success, the time is up, the bell is closed, or nobody listens any more.

        Args:
            application: Flower's.
            scope: Of the question.
            receive: Gives its body, then says when the other side hangs up.
            send: Takes the answer.
            most: Bytes that the body may have; longer ones are answered 413.
            bell: What to wait for between two tries.
            wait_s: Seconds; 0 asks once.
        """
        announced = [value for name, value in scope["headers"] if name == b"content-length"]
        if any(not value.isdigit() or int(value) > most for value in announced):
            await answer(send, status=413, text=b"too large")
            return
        body = bytearray()
        try:
            while True:
                part = await receive()
                if part["type"] != "http.request":
                    return
                more = part.get("body", b"")
                body += more
                self._waiting_bytes += len(more)
                if len(body) > most:
                    await answer(send, status=413, text=b"too large")
                    return
                if self._waiting_bytes > _MOST_WAITING_BYTES:
                    await answer(send, status=503, text=b"too busy")
                    return
                if not part.get("more_body", False):
                    break
            parts = await self._asked(application, scope, bytes(body), receive, bell=bell, wait_s=wait_s)
        finally:
            self._waiting_bytes -= len(body)
        for part in parts:
            await send(part)

    async def _asked(
        self, application: Application, scope: Scope, body: bytes, receive: Receive, *, bell: Bell | None, wait_s: float
    ) -> list[Message]:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        hung_up: asyncio.Future[Message] | None = None
        try:
            while True:
                ticket = bell.ticket() if bell is not None else None
                async with self._turn:
                    parts = await _once(application, dict(scope), body)
                left_s = until - loop.time()
                if ticket is None or left_s <= 0 or any(part.get("body") for part in parts) or parts[0].get("status") != 200:
                    return parts
                hung_up = hung_up or asyncio.ensure_future(receive())
                rung = asyncio.ensure_future(ticket.wait())
                await asyncio.wait((rung, hung_up), timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
                rung.cancel()
                if hung_up.done():
                    return []
        finally:
            if hung_up is not None:
                hung_up.cancel()


async def answer(send: Send, *, status: int, text: bytes) -> None:
    """Answer without Flower."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def _once(application: Application, scope: Scope, body: bytes) -> list[Message]:
    asked = False
    parts: list[Message] = []

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await asyncio.get_running_loop().create_future()  # nobody hangs up on one try
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(part: Message) -> None:
        parts.append(part)

    await application(scope, receive, send)
    return parts
