"""Keeps the loaded graphs of the voices spoken last, so that a second sentence does not wait for loading.

What it does: one `BaseRuntime` for each set of weights. Voices that change no weights (all stock voices, zero-shot ones) share the plain
base's. A voice that was made on a release of the shared model gets that release's weights, and its own changes on top. Where the
official base voice has taken the place of the packages' one, voices made before go on speaking through the latter. What it may see:
voice parameters while they are being merged; afterwards it keeps sessions only. What it must never do: outlive a revocation. Whoever
revokes or locks a voice calls `forget`, and a session is closed as soon as nobody speaks with it any more.
"""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Final

from hometone_client.base.parameters import base_hash
from hometone_client.base.runtime import BaseRuntime
from hometone_client.models import BASE, ensure, packages_base
from hometone_client.sharedmodel.basis import release_and_voice
from hometone_client.text import Frontend
from hometone_client.voices.parameters import VoiceParameters
from hometone_shared.errors import ModelError

_LIMIT: Final = 2  # each own voice's session holds up to 330 MB


class Sessions:
    """Loaded bases, the text frontend, and where they come from; safe to use from several threads."""

    def __init__(self, models: Path, *, threads: int | None = None, limit: int = _LIMIT) -> None:
        """Find the base in the model folder; nothing is loaded yet.

        Args:
            models: The model folder.
            threads: Threads within one operation; all physical cores by default.
            limit: How many different sets of weights are kept loaded.

        Raises:
            ModelError: The base is not there and cannot be assembled.
        """
        self._models = models
        self._folder = ensure(BASE, folder=models)
        self._threads = threads
        self._limit = limit
        self._loaded: OrderedDict[str, BaseRuntime] = OrderedDict()
        self._lock = Lock()
        self.base_sha256 = base_hash(self._folder)
        self.frontend = Frontend()

    def runtime(self, voice: VoiceParameters) -> BaseRuntime:
        """Return the graphs with the voice's weights in them.

        Raises:
            ModelError: The voice belongs to another base, or to a shared release in coordinates that this version does not know.
        """
        folder = self._folder_of(voice)
        key = voice.weights_digest()
        with self._lock:
            if key not in self._loaded:
                while len(self._loaded) >= self._limit:
                    self._loaded.popitem(last=False)
                replacements = release_and_voice(voice, folder) if voice.weight_deltas or voice.shared else None
                self._loaded[key] = BaseRuntime(folder, replacements=replacements, threads=self._threads)
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def _folder_of(self, voice: VoiceParameters) -> Path:
        """Return the base that a voice was made on: the one in use, or the one it took the place of."""
        if voice.base_sha256 == self.base_sha256:
            return self._folder
        before = packages_base(folder=self._models)
        if voice.base_sha256 == base_hash(before):
            return before
        raise ModelError("this voice was made for another base voice", hint="train the voice again on this computer")

    def forget(self) -> None:
        """Drop every loaded session; the next sentence loads again."""
        with self._lock:
            self._loaded.clear()
