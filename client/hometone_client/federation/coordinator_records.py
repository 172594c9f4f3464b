"""Asks a coordinator for its records over HTTPS: the only module of the federation's records that opens a connection.

1. Only TLS, and only with a certificate of the coordinator's own pinned authority: no other authority of the machine counts, no proxy and
   no setting of the environment is used, no redirect is followed. The one exception is `introduction`, which asks a stranger for its
   authority and its descriptor before anything is known; nothing it gives is trusted before it was compared with an invitation.
2. Answers are bounded in size and time, and are never unpacked.
3. What comes is parsed and typed, and still distrusted: signatures and proofs are the caller's.

What it may see: public records, and, on their way out, a request to join, registrations, tombstones, receipts and cosignatures. What it
must never do: send anything else, or show a text that the other side wrote.
"""

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import httpx

from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.log.merkle import HASH_BYTES, LONGEST_PROOF
from hometone_shared.records.canonical import Document, Fields, canonical, checked_b64, checked_hexadecimal, parse
from hometone_shared.records.coordinator import LONGEST_CERTIFICATE, checked_address
from hometone_shared.records.signing import Envelope

Transport = httpx.BaseTransport

PREFIX: Final = "/hometone/v1"
CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 20.0
ANSWER_TIMEOUT_S: Final = 120.0
VECTOR_TIMEOUT_S: Final = 600.0
_LONGEST_ANSWER: Final = 64 * 1024
_LONGEST_ENTRIES: Final = 8 * 1024 * 1024
_LONGEST_PANEL: Final = 1 << 20
_MOST_ENTRIES: Final = 1000

_REFUSED: Final = {
    "unknown": ("the coordinator does not know this invitation", "ask for a new one"),
    "used": ("this invitation was used already", "an invitation is for one laptop; ask for a new one"),
    "expired": ("this invitation has ended", "ask for a new one"),
    "refused": (
        "the coordinator does not let this laptop in",
        "it was taken off the list, or its node key was used before; ask the coordinator",
    ),
    "busy": ("too many laptops are joining at once", "try again in a minute"),
    "missing": ("the coordinator does not have what was asked for", ""),
    "malformed": ("the coordinator does not understand this laptop", "both may need the newest Hometone"),
    "internal": ("the coordinator has a problem", "tell the people who run it"),
}
_NO_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({})
_REFUSED_WITHDRAWING: Final = {
    "unknown": ("the coordinator does not know whom or which laptop this is about", "compare code and coordinator with the paper"),
    "used": ("the coordinator has this from another laptop already", "nothing more is needed there"),
    "replayed": ("the coordinator has a newer withdrawal of this voice", "nothing more is needed"),
    "elsewhere": ("this was made for another coordinator", "ask the one whose address is on the paper"),
    "refused": ("this voice was withdrawn; what has ended stays ended", "whoever comes back is enrolled anew"),
    "busy": ("too many ask at once", "try again in a minute"),
}


class RecordsRefusedError(FederationError):
    """The coordinator has said no.

    Attributes:
        code: Why, one of docs/log.md; empty if it said nothing that can be read.
    """

    def __init__(self, code: str, message: str, *, hint: str) -> None:
        """Keep the code beside the words."""
        super().__init__(message, hint=hint)
        self.code = code


class CoordinatorRecords:
    """Records of one coordinator. A context manager.

    Raises:
        FederationError: From every method: the coordinator cannot be reached, refuses, or is too slow.
        ProtocolError: From every method: the answer is not what was asked for, or the certificate is not under the pinned authority.
    """

    def __init__(
        self, address: str, *, authority_pem: bytes, transport: Transport | None = None, connect_timeout_s: float = CONNECT_TIMEOUT_S
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            address: `host:port`.
            authority_pem: The pinned authority's certificate.
            transport: Another way to the coordinator, for tests.
            connect_timeout_s: How long to wait for a connection.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # (1) verifies, checks the name, and knows no authority yet
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(cadata=authority_pem.decode("ascii"))
        except (ValueError, ssl.SSLError) as error:
            raise ProtocolError("the certificate of the coordinator's authority cannot be read") from error
        self._client = _client(address, context=context, transport=transport, connect_timeout_s=connect_timeout_s)

    def checkpoint(self) -> bytes:
        """The newest signed head, as it came."""
        return self._get("/log/checkpoint", longest=_LONGEST_ANSWER)

    def cosigned_checkpoint(self) -> bytes:
        """The newest signed head that a witness has cosigned, as it came; the newest of all if none has."""
        return self._get("/log/checkpoint/cosigned", longest=_LONGEST_ANSWER)

    def entries(self, first: int, last: int) -> list[Envelope]:
        """Entries from `first` to `last`, both included."""
        found: list[Envelope] = []
        while first <= last:
            end = min(last, first + _MOST_ENTRIES - 1)
            fields = Fields(parse(self._get(f"/log/entries?first={first}&last={end}", longest=_LONGEST_ENTRIES)))
            some = [Envelope.from_document(item) for item in fields.items("entries", most=end - first + 1)]
            fields.done()
            if not some:
                raise ProtocolError("the coordinator keeps entries of its log back")
            found += some
            first += len(some)
        return found

    def consistency(self, first: int, second: int) -> list[bytes]:
        """Proof that the log of `second` entries begins with that of `first`, unchecked."""
        return _proof(self._get(f"/log/consistency?first={first}&second={second}", longest=_LONGEST_ANSWER))

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Proof that the entry `index` is in the log of `size` entries, unchecked."""
        return _proof(self._get(f"/log/inclusion?index={index}&size={size}", longest=_LONGEST_ANSWER))

    def release(self, number: int) -> Envelope:
        """The record of a release, unchecked."""
        return Envelope.from_bytes(self._get(f"/releases/{number}", longest=_LONGEST_ANSWER))

    def vector(self, number: int, *, size_bytes: int) -> bytes:
        """The vector of a release, unchecked; more than `size_bytes` are refused."""
        return self._get(f"/releases/{number}/vector", longest=size_bytes, timeout_s=VECTOR_TIMEOUT_S)

    def panel(self) -> bytes:
        """The newest listening panel, as it came; unchecked."""
        return self._get("/panel", longest=_LONGEST_PANEL)

    def join(self, body: bytes) -> Document:
        """Send a request to join."""
        return parse(_answer(self._client, "POST", "/join", body=body, longest=_LONGEST_ANSWER, timeout_s=ANSWER_TIMEOUT_S))

    def register_speaker(self, request: Envelope) -> Document:
        """Ask for a pseudonym to be registered; the answer is unchecked.

        Raises:
            RecordsRefusedError: The coordinator says no.
        """
        return self._post("/speakers", {"request": request.to_document()})

    def deliver_tombstone(self, tombstone: Envelope) -> Document:
        """Hand over a tombstone; the answer is unchecked.

        Raises:
            RecordsRefusedError: The coordinator says no.
        """
        return self._post("/tombstones", {"tombstone": tombstone.to_document()})

    def file_receipt(self, receipt: Envelope) -> Document:
        """Hand over a holder's receipt; the answer is unchecked.

        Raises:
            RecordsRefusedError: The coordinator says no.
        """
        return self._post("/receipts", {"receipt": receipt.to_document()})

    def withdrawal(self, pseudonym: str) -> bytes:
        """The receipt bundle of somebody who has withdrawn, unchecked (docs/withdrawal.md, section 7)."""
        return self._get(f"/withdrawals/{checked_hexadecimal(pseudonym, name='a pseudonym', characters=32)}", longest=_LONGEST_ENTRIES)

    def add_cosignature(self, note: bytes) -> None:
        """Hand over a head with a witness's cosignature below it.

        Raises:
            RecordsRefusedError: The coordinator says no.
        """
        self._post("/log/cosignatures", {"note": note.decode()})

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        """Use it for a block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def _post(self, path: str, document: Document) -> Document:
        body = canonical(document)
        limits: dict[str, Any] = {"longest": _LONGEST_ANSWER, "timeout_s": ANSWER_TIMEOUT_S}
        return parse(_answer(self._client, "POST", path, body=body, refused=_REFUSED_WITHDRAWING, **limits))

    def _get(self, path: str, *, longest: int, timeout_s: float = ANSWER_TIMEOUT_S) -> bytes:
        return _answer(self._client, "GET", path, longest=longest, timeout_s=timeout_s)


def introduction(
    address: str, *, transport: Transport | None = None, connect_timeout_s: float = CONNECT_TIMEOUT_S
) -> tuple[bytes, Envelope]:
    """What a stranger says about itself: its authority's certificate (PEM) and its descriptor.

    Nobody has vouched for the connection. The caller compares both with an invitation before it believes anything.

    Raises:
        FederationError: It cannot be reached.
        ProtocolError: The answers cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the authority is what is being asked for
    with _client(address, context=context, transport=transport, connect_timeout_s=connect_timeout_s) as client:
        authority = _answer(client, "GET", "/ca", longest=LONGEST_CERTIFICATE, timeout_s=ANSWER_TIMEOUT_S)
        descriptor = _answer(client, "GET", "/descriptor", longest=_LONGEST_ANSWER, timeout_s=ANSWER_TIMEOUT_S)
    return authority, Envelope.from_bytes(descriptor)


def _client(address: str, *, context: ssl.SSLContext, transport: Transport | None, connect_timeout_s: float) -> httpx.Client:
    return httpx.Client(
        base_url=f"https://{checked_address(address)}{PREFIX}",
        verify=context,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(READ_TIMEOUT_S, connect=connect_timeout_s),
        headers={"Accept-Encoding": "identity", "User-Agent": "hometone"},
        transport=transport,
    )


def _answer(
    client: httpx.Client,
    method: str,
    path: str,
    *,
    longest: int,
    timeout_s: float,
    body: bytes | None = None,
    refused: Mapping[str, tuple[str, str]] = _NO_WORDS,
) -> bytes:
    ends_s = time.monotonic() + timeout_s
    with _refusals(), client.stream(method, path, content=body) as response:
        if "content-encoding" in response.headers:  # (2)
            raise ProtocolError("the coordinator's answer is packed")
        limit = longest if response.status_code == httpx.codes.OK else _LONGEST_ANSWER
        data = bytearray()
        for part in response.iter_raw():
            data += part
            if len(data) > limit:
                raise ProtocolError("the coordinator's answer is too long")
            if time.monotonic() > ends_s:
                raise FederationError("the coordinator answers too slowly", hint="try again later")
        if response.status_code != httpx.codes.OK:
            raise _refusal(bytes(data), refused)
        return bytes(data)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        if _is_certificate_error(error):
            raise ProtocolError(
                "the certificate shown at this address is not the coordinator's", hint="somebody may be in between; ask the coordinator"
            ) from error
        raise FederationError(
            "the coordinator cannot be reached", hint="check the network, and whether the coordinator is running"
        ) from error


def _is_certificate_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _refusal(data: bytes, words: Mapping[str, tuple[str, str]]) -> RecordsRefusedError:
    """An error in this laptop's own words; those of the other side are not shown."""
    try:
        fields = Fields(Fields(parse(data)).take("error"))
        code = fields.text("code")
    except ProtocolError:
        code = ""
    message, hint = {**_REFUSED, **words}.get(code, _REFUSED["internal"])
    return RecordsRefusedError(code, message, hint=hint)


def _proof(data: bytes) -> list[bytes]:
    fields = Fields(parse(data))
    parts = [checked_b64(part, name="a proof of the log", size=HASH_BYTES) for part in fields.items("proof", most=LONGEST_PROOF)]
    fields.done()
    return parts
