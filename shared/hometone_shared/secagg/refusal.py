"""Why a laptop takes no further part in a round (docs/protocol.md, section 8)."""

from collections.abc import Iterator
from contextlib import contextmanager

from hometone_shared.errors import ProtocolError


class Refusal(ProtocolError):  # noqa: N818 - the protocol's own word
    """A laptop refuses a round, or leaves it; sent to the coordinator as code and message.

    Attributes:
        code: One of the codes of docs/protocol.md, section 8, such as `roster` or `order`.
    """

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        """Keep the code beside the two texts of every error."""
        super().__init__(message, hint=hint)
        self.code = code


@contextmanager
def refusing(code: str) -> Iterator[None]:
    """Turn what cannot be read or verified into a refusal with this code; refusals that have one keep theirs."""
    try:
        yield
    except Refusal:
        raise
    except ProtocolError as error:
        raise Refusal(code, error.message, hint=error.hint) from error
