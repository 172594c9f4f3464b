"""What one message between a coordinator and a laptop carries (docs/protocol.md, section 1: "body").

A body is one document and, where a stage sends one, a vector beside it (base64 inside a document would cost a third more). Its kind
is the message type. It must never hold anything that is not one of these three, whichever transport carries it; that is why transports
take a `Body` and nothing else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields, canonical, parse
from hometone_shared.records.plan import LARGEST_DIMENSION

REFUSAL: Final = "refusal"
RECORD: Final = "body"
"""Name of the one record in which a transport carries a body."""
LONGEST_VECTOR: Final = 4 * LARGEST_DIMENSION
"""Bytes: unsigned 32-bit integers, as many as a plan may have dimensions."""
_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Body:
    """One message's content.

    Attributes:
        kind: The message type: a lower-case letter, then such letters, digits and underscores, 40 at most. An answer has its request's
            kind, or `refusal`.
        document: What it says; checked field by field by whoever reads it.
        vector: Unsigned 32-bit integers, little-endian, or nothing.

    Raises:
        ProtocolError: The kind cannot be a message type, or the vector is too long or not whole integers.
    """

    kind: str
    document: Document
    vector: bytes = b""

    def __post_init__(self) -> None:
        """Check what every transport relies on."""
        if not isinstance(self.kind, str) or not _KIND.fullmatch(self.kind):
            raise ProtocolError("a message has a kind that cannot be")
        if not isinstance(self.vector, bytes) or len(self.vector) > LONGEST_VECTOR or len(self.vector) % 4:
            raise ProtocolError("a message carries a vector that cannot be")

    @classmethod
    def read(cls, kind: object, document: object, vector: object) -> Self:
        """Take a body from what a transport delivered: three values that nobody has looked at yet.

        Args:
            kind: Text.
            document: The canonical bytes of a document.
            vector: Bytes.

        Raises:
            ProtocolError: They are anything else.
        """
        if not isinstance(kind, str) or not isinstance(document, bytes) or not isinstance(vector, bytes):
            raise ProtocolError("a message does not hold a document and a vector")
        return cls(kind, parse(document), vector)

    @classmethod
    def from_entries(cls, entries: Mapping[str, object]) -> Self:
        """Take a body from the one record that a transport carries (docs/protocol.md, section 5).

        Raises:
            ProtocolError: It does not have exactly the entries `kind`, `document` and `vector`, or they are no body.
        """
        if set(entries) != {"document", "kind", "vector"}:
            raise ProtocolError("a message does not hold a kind, a document and a vector")
        return cls.read(entries["kind"], entries["document"], entries["vector"])

    def entries(self) -> dict[str, str | bytes]:
        """The body as one record, as `from_entries` reads it.

        Raises:
            ProtocolError: The document cannot be written down.
        """
        return {"document": self.document_bytes(), "kind": self.kind, "vector": self.vector}

    @classmethod
    def refusal(cls, code: str, message: str) -> Self:
        """The answer of somebody who does not take part.

        Args:
            code: One of the protocol's words, such as `budget` (section 8).
            message: One plain sentence, without anybody's data.
        """
        return cls(REFUSAL, {"code": code, "message": message})

    @property
    def refused(self) -> tuple[str, str] | None:
        """Code and message if this is a refusal.

        Raises:
            ProtocolError: It says that it is one, and does not read like one.
        """
        if self.kind != REFUSAL:
            return None
        fields = Fields(self.document)
        code, message = fields.text("code", longest=40), fields.text("message", longest=500)
        fields.done()
        return code, message

    def document_bytes(self) -> bytes:
        """The document as it is sent: its canonical form.

        Raises:
            ProtocolError: It cannot be written down.
        """
        return canonical(self.document)
