"""One listener's session: questions one after the other, sounds by tokens that tell nothing, answers, and whether it counts.

1. A question shows random tokens and what is asked. Neither whose voice it is nor what kind of clip leaves this class.
2. A sound is read out of its owner's place when it is asked for, and her consent is looked at each time. When she has taken it back, or her
   things are gone, all that is hers leaves the session, answers too, and the others go on.
3. An answer is taken once there was time to hear everything to its end. It can be changed until the next question is shown.
4. At the end the session is screened. If it counts, each owner's part goes into her place; the rest is forgotten.

What it may see: one speaker's unlocked things at a time. What it must never do: keep anything of the listener beyond the session, or
tell him what he has judged.
"""

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Final

from hometone_client.listening.clips import clip_wav
from hometone_client.listening.headphones import HeadphoneCheck
from hometone_client.listening.ratings import Listener, Rating, keep_listener
from hometone_client.listening.screening import Reason, screen
from hometone_client.listening.trials import Rater, Trial
from hometone_client.listening.voices import Now, now_utc, opened_for_listening
from hometone_keys import Vault
from hometone_shared.errors import ConsentError, HometoneError, StorageError, UsageError
from hometone_shared.records.panel import Panel, Scale

_TOKEN_BYTES: Final = 12
_PATIENCE_S: Final = 0.25
"""Players begin a little before the last byte has arrived and round lengths down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a listener is shown.

    Attributes:
        token: By which it is answered.
        scale: What is asked; its lowest and highest are the answers.
        sounds: Tokens of one or two sounds, in the order in which they are heard. For likeness the first is the known recording.
        number: Which question it is, from 1.
        total: How many there are.
        value: What was answered so far; None for nothing.
    """

    token: str
    scale: Scale
    sounds: tuple[str, ...]
    number: int
    total: int
    value: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a session ended.

    Attributes:
        accepted: Whether it counts.
        reasons: Why not.
        voices: In how many places answers were stored.
    """

    accepted: bool
    reasons: tuple[Reason, ...]
    voices: int = 0


class _Asked:
    """A question with its tokens and what became of it."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        self.sounds = {secrets.token_urlsafe(_TOKEN_BYTES): clip for clip in trial.clips}
        self.handed_out: dict[str, float] = {}
        self.value: int | None = None

    def missing_s(self, now_s: float) -> float:
        """How long it takes at least until everything was heard to its end."""
        seconds = sum(clip.seconds for clip in self.sounds.values())
        if len(self.handed_out) < len(self.sounds):
            return seconds
        return max(0.0, min(self.handed_out.values()) + seconds - _PATIENCE_S - now_s)


class Sitting:
    """A session; safe to use from several threads."""

    def __init__(
        self,
        panel: Panel,
        rater: Rater,
        trials: Sequence[Trial],
        *,
        vault: Vault,
        now: Now = now_utc,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin.

        Args:
            panel: What is asked.
            rater: Who listens.
            trials: The questions (`trials.draw`).
            vault: The open vault; it has to stay open.
            now: Gives the time, for consent.
            monotonic: Seconds of a clock that nobody sets.
        """
        self.token = secrets.token_urlsafe(16)
        self.headphones = HeadphoneCheck()
        self.began_s = monotonic()
        self._panel = panel
        self._rater = rater
        self._asked = [_Asked(trial) for trial in trials]
        self._vault = vault
        self._now = now
        self._monotonic = monotonic
        self._at = 0
        self._verdict: Verdict | None = None
        self._to_keep: dict[str, Listener] = {}
        self._stored = 0
        self._lock = RLock()

    @property
    def panel(self) -> Panel:
        """What is asked."""
        return self._panel

    @property
    def progress(self) -> tuple[int, int]:
        """How many questions are answered, and how many there are."""
        with self._lock:
            return sum(asked.value is not None for asked in self._asked), len(self._asked)

    @property
    def is_over(self) -> bool:
        """Whether it was finished."""
        return self._verdict is not None

    def question(self) -> Question | None:
        """The first question without an answer; None when all have one."""
        with self._lock:
            for number, asked in enumerate(self._asked):
                if asked.value is None:
                    self._at = number
                    return self._shown(number)
            return None

    def back(self) -> Question | None:
        """The question before the one that is shown, to answer it again; None at the beginning."""
        with self._lock:
            if self._verdict is not None or self._at == 0:
                return None
            self._at -= 1
            return self._shown(self._at)

    def sound(self, token: str) -> bytes:
        """A sound of this session, a WAV file.

        Raises:
            UsageError: This session has no such sound, or not any more.
            ConsentError: Its owner has taken it back; what is hers has left the session.
            StorageError: The disk refuses.
        """
        with self._lock:
            asked = next((each for each in self._asked if token in each.sounds), None)
            if asked is None or self._verdict is not None:
                raise UsageError("there is no such sound in this test", hint="go on with the next question")
            speaker, clip = asked.trial.speaker_id, asked.sounds[token]
            try:
                with opened_for_listening(self._vault, speaker, now=self._now) as room:
                    data = clip_wav(room.vault, clip.name)
            except StorageError:
                raise
            except HometoneError as error:  # (2)
                self._drop(speaker)
                raise ConsentError("this voice is not in the test any more", hint="go on with the next question") from error
            asked.handed_out.setdefault(token, self._monotonic())
            return data

    def answer(self, token: str, value: int) -> None:
        """Answer a question; once more changes the answer.

        Raises:
            UsageError: This session has no such question, that is not on the scale, or not everything was heard to its end yet.
        """
        with self._lock:
            asked = next((each for each in self._asked if each.token == token), None)
            if asked is None or self._verdict is not None:
                raise UsageError("there is no such question in this test", hint="go on with the next question")
            scale = asked.trial.scale
            if type(value) is not int or not scale.lowest <= value <= scale.highest:
                raise UsageError(
                    f"the answer is a number from {scale.lowest} to {scale.highest}", hint="choose one of those that are shown"
                )
            if asked.missing_s(self._monotonic()) > 0:
                raise UsageError("please listen to the end first", hint="play everything once, then answer")
            asked.value = value

    def finish(self) -> Verdict:
        """End the session: screen it, and store it if it counts. Once more gives the same verdict.

        Raises:
            StorageError: The disk refuses; the next call goes on where it was.
        """
        with self._lock:
            if self._verdict is not None:
                return self._verdict
            answered = [(asked.trial, asked.value) for asked in self._asked if asked.value is not None]
            if not self._to_keep:
                if len(answered) < len(self._asked) or not answered:  # it may still go on
                    return Verdict(accepted=False, reasons=(Reason.UNFINISHED,))
                reasons = screen(answered)
                if reasons:
                    return self._ended(Verdict(accepted=False, reasons=reasons))
                self._to_keep = self._parts(answered)
            for speaker in list(self._to_keep):  # (4)
                self._stored += self._keep(speaker, self._to_keep[speaker])
                del self._to_keep[speaker]
            return self._ended(Verdict(accepted=True, reasons=(), voices=self._stored))

    def _ended(self, verdict: Verdict) -> Verdict:
        self._verdict = verdict
        self._asked = []
        return verdict

    def _parts(self, answered: Iterable[tuple[Trial, int]]) -> dict[str, Listener]:
        """Each owner's part of a session that counts."""
        by_voice: defaultdict[str, list[Rating]] = defaultdict(list)
        for trial, value in answered:
            if not trial.is_trap:
                clip = trial.clip
                rating = Rating(
                    scale=trial.scale, role=clip.role, language=clip.language, sentence=clip.sentence, value=trial.stored(value)
                )
                by_voice[trial.speaker_id].append(rating)
        return {
            speaker: Listener(
                panel=self._panel.number,
                made=self._panel.made,
                headphones=self.headphones.worn,
                knows=self._rater.knows,
                ratings=tuple(ratings),
            )
            for speaker, ratings in by_voice.items()
        }

    def _keep(self, speaker: str, listener: Listener) -> bool:
        try:
            with opened_for_listening(self._vault, speaker, now=self._now) as room:
                keep_listener(room.vault, listener)
        except StorageError:
            raise
        except HometoneError:  # she has taken it back meanwhile
            return False
        return True

    def _shown(self, number: int) -> Question:
        asked = self._asked[number]
        return Question(
            token=asked.token,
            scale=asked.trial.scale,
            sounds=tuple(asked.sounds),
            number=number + 1,
            total=len(self._asked),
            value=asked.value,
        )

    def _drop(self, speaker: str) -> None:
        self._asked = [asked for asked in self._asked if asked.trial.speaker_id != speaker]
        self._at = 0
