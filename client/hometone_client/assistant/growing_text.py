"""A text that arrives in pieces, as language models write it: hands out what is certainly a whole sentence, keeps the rest.

A full stop may be that of an abbreviation or of a number, which only what follows tells. A sentence is therefore whole when the next one
has begun.
"""

from hometone_client.text.sentences import sentences
from hometone_shared.errors import UsageError


class GrowingText:
    """The text of one streamed request; never longer than it may be."""

    def __init__(self, *, longest: int) -> None:
        """Begin with nothing.

        Args:
            longest: How many characters may come in all.
        """
        self._longest = longest
        self._come = 0
        self._waiting = ""

    def add(self, piece: str) -> str:
        """Take the next piece; returns the sentences that are whole now, often nothing.

        Raises:
            UsageError: The text has become too long.
        """
        self._come += len(piece)
        if self._come > self._longest:
            raise UsageError(f"the text is longer than {self._longest} characters", hint="send it in parts")
        self._waiting += piece
        found = list(sentences(self._waiting))
        if len(found) < 2:
            return ""
        cut = len(self._waiting.rstrip()) - len(found[-1].text)
        whole, self._waiting = self._waiting[:cut], self._waiting[cut:]
        return whole

    def rest(self) -> str:
        """What is left, when nothing more comes."""
        left, self._waiting = self._waiting, ""
        return left
