"""What the pages of one laptop work with, for as long as they are served: the vault, the voices that can speak, who has come in.

1. The vault is opened when somebody is there; a vault is made only by a first consent.
2. A browser's session has at most one person unlocked (`Browser`); she is locked after fifteen minutes without a request, when she says
   so, and when the session or the server ends. Whoever was forgotten meanwhile, here or by another process, is gone at the next request.
3. Everything that speaks takes its turn at one desk, which the local API shares.

What it may see: what its parts may see. What it must never do: keep a PIN, or write anything outside the vault.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, Self, TypeVar

from hometone_client.federation.newest_release import renew_voice
from hometone_client.lending.guests import lent_voice
from hometone_client.lending.known_log import watched_log
from hometone_client.speakers.choosing import own_voice
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.speaking import Sessions as LoadedVoices
from hometone_client.speaking import Synthesizer
from hometone_client.voices import Voice, VoiceParameters, VoiceRegistry
from hometone_client.web.state import Desk, Limits
from hometone_client.withdrawal.opening import opened_vault
from hometone_client.withdrawal.reconciliation import apply_ended
from hometone_keys import SpeakerEntry, Vault
from hometone_shared.command_line import Language
from hometone_shared.errors import UsageError, VaultError
from hometone_shared.pages.flash import Flash
from hometone_shared.pages.sessions import OneTimeKeys, Sessions

LOCKED_AFTER_S: Final = 900.0
LOOK_S: Final = 30.0
"""How often is looked whose time is over, where nobody asks for a page."""
STOCK_SHOWN: Final = tuple(
    f"stock:{name}" for name in ("zf_xiaoxiao", "zm_yunxi", "af_heart", "am_michael", "bf_emma", "ef_dora", "ff_siwis", "if_sara")
)
"""Of the base's voices the pages offer these; the API has them all."""


class Closes(Protocol):
    """Something that a page keeps for a person while she is unlocked, or that works in the background of the house."""

    def close(self) -> None:
        """Drop it: she is locked, or the session is over."""
        ...


KeptT = TypeVar("KeptT", bound=Closes)


@dataclass(slots=True, eq=False)
class Browser:
    """The state of one session.

    Attributes:
        language: Of its pages; None until the first request says.
        room: Who is unlocked.
        seen: When a request last needed her, by the monotonic clock.
        flash: What the next page says once, and gives back to its form.
    """

    language: Language | None = None
    room: SpeakerRoom | None = None
    seen: float = 0.0
    flash: Flash | None = None
    _kept: dict[type[Closes], Closes] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def kept(self, kind: type[KeptT], make: Callable[[], KeptT]) -> KeptT:
        """What a page keeps for the person who is unlocked, made when it is first asked for; it ends when she is locked."""
        with self._lock:
            found = self._kept.get(kind)
            if not isinstance(found, kind):
                found = make()
                self._kept[kind] = found
            return found

    def drop(self, kind: type[Closes]) -> None:
        """End what a page keeps."""
        with self._lock:
            found = self._kept.pop(kind, None)
        if found is not None:
            found.close()

    def lock(self) -> None:
        """Lock whoever is unlocked, and end what pages keep for her, what she typed last among it."""
        self.admit(None, seen=0.0)

    def admit(self, new: SpeakerRoom | None, *, seen: float) -> None:
        """Lock whoever is unlocked, and let somebody else in, in one step: of two who come at once, one is locked again.

        Args:
            new: Who is unlocked from now on; None for nobody.
            seen: When she asked for it.
        """
        with self._lock:
            kept, self._kept = list(self._kept.values()), {}
            room, self.room, self.seen, self.flash = self.room, new, seen, None
        for each in kept:
            each.close()
        if room is not None:
            room.vault.close()


class House:
    """One laptop, served as pages. A context manager: leaving it locks everybody and closes the vault."""

    def __init__(self, home: Path, *, models: Path, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is opened yet.

        Args:
            home: The laptop's `--home`.
            models: Folder of public weights.
            limits: Bounds of what is spoken.
            clock: Seconds, never backwards.
        """
        self.home = home
        self.models = models
        self.limits = limits or Limits()
        self.desk = Desk(places=self.limits.places, patience_s=self.limits.patience_s)
        self.keys = OneTimeKeys(clock=clock)
        self.browsers: Sessions[Browser] = Sessions(begin=Browser, end=self._leave, clock=clock)
        self._clock = clock
        self._lock = threading.RLock()
        self._open = ExitStack()
        self._vault: Vault | None = None
        self._loaded: LoadedVoices | None = None
        self._guests: dict[str, SpeakerRoom] = {}
        self._kept: dict[type[Closes], Closes] = {}
        self._log = watched_log(home)
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._lock_in_time, name="locking", daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def _lock_in_time(self) -> None:
        while not self._closing.wait(LOOK_S):
            self.lock_idle()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lock everybody, end what pages keep, and close the vault."""
        self._closing.set()
        self.browsers.close()
        with self._lock:
            kept, self._kept = list(self._kept.values()), {}
        for each in reversed(kept):
            each.close()  # without the lock: it may wait for a thread that still needs the vault
        with self._lock:
            for room in self._guests.values():
                room.vault.close()
            self._guests.clear()
            self._open.close()
            self._vault = None

    def kept(self, kind: type[KeptT], make: Callable[[], KeptT]) -> KeptT:
        """What pages keep for as long as they are served, for everybody: made when it is first asked for, closed at the end."""
        with self._lock:
            found = self._kept.get(kind)
            if not isinstance(found, kind):
                found = make()
                self._kept[kind] = found
            return found

    @property
    def has_vault(self) -> bool:
        """Whether anybody has, or ever had, a place here."""
        return self._vault is not None or Vault.exists(self.home)

    def vault(self, *, create: bool = False) -> Vault:
        """The open vault (1).

        Args:
            create: Make one where there is none; only for somebody who has just consented.

        Raises:
            UsageError: There is none.
            VaultError: It refuses.
        """
        with self._lock:
            if self._vault is None:
                if not create and not Vault.exists(self.home):
                    raise UsageError("there is no speaker on this computer yet", hint="begin with: hometone enroll NAME")
                self._vault = self._open.enter_context(opened_vault(self.home))
            return self._vault

    def people(self) -> tuple[SpeakerEntry, ...]:
        """Who has a voice here; lent copies are not among them."""
        return tuple(entry for entry in self.vault().speakers() if not entry.is_guest) if self.has_vault else ()

    def place(self, speaker_id: str) -> SpeakerEntry:
        """A person or lent copy by its random id.

        Raises:
            UsageError: There is none.
        """
        for entry in self.vault().speakers() if self.has_vault else ():
            if entry.speaker_id == speaker_id:
                return entry
        raise UsageError("there is nobody of that name here", hint="list the voices to see the names")

    def unlock(self, browser: Browser, speaker_id: str, pin: str) -> SpeakerRoom:
        """Unlock a person in a session; whoever was unlocked in it is locked (2).

        Raises:
            WrongSecretError: That is not her PIN.
            UsageError: There is no such person.
        """
        vault = self.vault()
        room = SpeakerRoom(vault.unlock(speaker_id, pin))
        try:
            apply_ended(self.home, vault, room)
            renew_voice(room, self.home)
        except BaseException:
            room.vault.close()
            raise
        self.admit(browser, room)
        return room

    def admit(self, browser: Browser, room: SpeakerRoom) -> None:
        """Let a session have somebody who is unlocked already: she has just enrolled."""
        was_unlocked = browser.room is not None
        browser.admit(room, seen=self._clock())
        if was_unlocked:
            self.forget_loaded()

    def _leave(self, browser: Browser) -> None:
        """A session is over: nobody is unlocked in it, and nothing of her voice stays loaded."""
        was_unlocked = browser.room is not None
        browser.lock()
        if was_unlocked:
            self.forget_loaded()

    def unlocked(self, browser: Browser) -> SpeakerRoom | None:
        """Who is unlocked in a session, if she is still there and her time is not over (2)."""
        room = self.present(browser)
        if room is not None:
            browser.seen = self._clock()
        return room

    def present(self, browser: Browser) -> SpeakerRoom | None:
        """As `unlocked`, for what a page asks by itself: it is no sign that she is still there."""
        room = browser.room
        if room is None:
            return None
        if self._clock() - browser.seen > LOCKED_AFTER_S or not room.is_open:
            browser.lock()
            self.forget_loaded()
            return None
        return room

    @property
    def loaded(self) -> LoadedVoices:
        """The graphs that speak; found at the first call.

        Raises:
            ModelError: The base is not there.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = LoadedVoices(self.models)
            return self._loaded

    def forget_loaded(self) -> None:
        """Drop whatever was loaded of voices; somebody was locked, forgotten or changed."""
        with self._lock:
            if self._loaded is not None:
                self._loaded.forget()

    def synthesizer(self, voice: VoiceParameters) -> Synthesizer:
        """A voice, ready to speak."""
        return Synthesizer(self.models, voice, sessions=self.loaded)

    def voices(self, browser: Browser | None, *, way: Way, stock: tuple[str, ...] = STOCK_SHOWN) -> tuple[Voice, ...]:
        """What a session may speak with now: the person who is unlocked, lent voices, some stock voices.

        Args:
            browser: The session; None for programs, which have nobody unlocked.
            way: What for; it is counted in her account at each use.
            stock: Which stock voices.
        """
        own = [] if browser is None or (room := self.unlocked(browser)) is None or not room.has_voice else [own_voice(room, way=way)]
        registry = VoiceRegistry(base_sha256=self.loaded.base_sha256)
        return (*own, *self.lent(way=way), *(registry.get(name) for name in stock))

    def lent(self, *, way: Way) -> tuple[Voice, ...]:
        """The voices that were lent to this computer, whether or not they may speak now."""
        return tuple(lent_voice(room, log=self._log, way=way) for room in self._guest_rooms())

    def _guest_rooms(self) -> tuple[SpeakerRoom, ...]:
        if not self.has_vault:
            return ()
        with self._lock:
            vault = self.vault()
            here = [entry.speaker_id for entry in vault.speakers() if entry.is_guest]
            gone = [each for each, room in self._guests.items() if each not in here or not room.is_open]
            for each in gone:
                self._guests.pop(each).vault.close()
            if gone:
                self.forget_loaded()
            for each in here:
                if each not in self._guests:
                    try:
                        self._guests[each] = SpeakerRoom(vault.unlock_for_work(each))
                    except (VaultError, UsageError):
                        continue  # erased in this moment, or damaged: it does not speak
            return tuple(self._guests[each] for each in here if each in self._guests)

    def chosen(self, browser: Browser | None, voice_id: str, *, way: Way) -> Voice:
        """One of `voices` by its id.

        Raises:
            UsageError: It is not there any more.
        """
        for voice in self.voices(browser, way=way):
            if voice.id == voice_id:
                return voice
        raise UsageError("there is no voice of that name", hint="hometone voices lists them all")

    def after_contact(self) -> None:
        """After each contact with the coordinator: voices that a new release or a withdrawal has changed are loaded anew (2)."""
        changed = False
        for session in self.browsers.each():
            room = session.state.room
            if room is not None and (not room.is_open or renew_voice(room, self.home)):
                changed = True
        if changed:
            self.forget_loaded()
        self.lock_idle()

    def lock_idle(self) -> None:
        """Lock whoever's time is over, although nobody asks; called now and then (2)."""
        for session in self.browsers.each():
            try:
                self.present(session.state)
            except Exception:  # whatever it is, she is locked
                session.state.lock()

    @staticmethod
    def now() -> dt.datetime:
        """The time, UTC."""
        return dt.datetime.now(dt.UTC)
