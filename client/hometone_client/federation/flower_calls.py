"""A laptop's calls to a coordinator's Fleet API: the lower half of `flower_node`, and with it the only room of the client that knows flwr.

What it does: signs every call as Flower expects it, sends it over TLS to the one pinned authority, tries again while the coordinator is
away, and says in words why a laptop is not let in. Flower 1.41's Fleet client makes the requests. Its connection helper is not used, since
it ends the process on some answers (`os.kill`, `flwr_exit`), and its HTTP client is replaced, since it follows redirects with signed
headers.

Flower does not let a laptop say that it is there while it believes that it still is, which is so for a minute after a laptop was killed or
lost the network. A laptop therefore remembers Flower's number for it, and says first that it was gone.

What it may see: the private node key, to sign the time with. What it must never do: trust another authority, or keep a call for later.
"""

import contextlib
import datetime as dt
import email.utils
import logging
import os
import queue
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hometone_client.federation.small_files import read_small_file, replace_small_file
from hometone_shared.errors import FederationError, ProtocolError, StorageError
from hometone_shared.records.plan import MOST_AHEAD_S, MOST_BEHIND_S

if TYPE_CHECKING:
    from flwr.proto.fleet_pb2 import PullMessagesResponse
    from flwr.proto.node_pb2 import Node
    from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext
    from flwr.supernode.fleet_http_client import FleetHttpClient

"""What Flower lets pass: `SYSTEM_TIME_TOLERANCE` and `TIMESTAMP_TOLERANCE`."""
HOLD_S: Final = 20.0
"""How long the gateway may hold the question for messages; less than the time after which a read is given up."""
_HOLD_HEADER: Final = "hometone-wait"
_PULL: Final = "/flwr.proto.Fleet/PullMessages"
_KEY_HEADER, _TIME_HEADER, _SIGNATURE_HEADER = "flwr-public-key", "flwr-timestamp", "flwr-signature"
_TIMEOUT_S: Final = 30.0
_QUICK_S: Final = 2.0
_STOP_LOOK_S: Final = 0.25
_BEAT_S: Final = 15.0
_BEAT_INTERVAL_S: Final = 30.0
"""What the coordinator is told; it takes a laptop for gone after twice that."""
_AWAY_PATIENCE_S: Final = 120.0
_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.05, 1.0
_TRIES_AT_THE_END: Final = 4
"""Once stopped, an answer that is ready is still worth half a second."""
_PASSING: Final = frozenset({502, 503, 504})
_CERTIFICATE_DATES: Final = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


class AwayError(Exception):
    """The coordinator cannot be reached at the moment."""


class RunOverError(Exception):
    """The coordinator does not want this any more: the run that it belongs to has ended."""


class FleetCalls:
    """The connection of one laptop."""

    def __init__(self, *, address: str, authority_pem: bytes, node_key: EllipticCurvePrivateKey, number_file: Path | None = None) -> None:
        """Prepare; nothing is sent yet. Arguments as for `NodeConnection`.

        Raises:
            ProtocolError: The authority's certificate cannot be read.
        """
        self._address = address
        self._key = node_key
        self._number_file = number_file
        self._number: int | None = None
        # As the stock node writes it: SubjectPublicKeyInfo in PEM.
        self._public_key = node_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            self._context.load_verify_locations(cadata=authority_pem.decode("ascii"))
        except (ssl.SSLError, ValueError) as error:
            raise ProtocolError("the coordinator's certificate authority cannot be read") from error
        self.clock_ahead_s = 0.0
        """How far this laptop's clock is ahead of the coordinator's, give or take half a second."""
        self.node: Node
        """Who this laptop is to Flower, from `activate` on."""
        self._client: FleetHttpClient

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Hold a connection."""
        _quieten()
        from flwr.supernode.fleet_http_client import FleetHttpClient

        client = FleetHttpClient(f"https://{self._address}", interceptors=[self], verify=self._context)
        client._client.close()  # noqa: SLF001 - the contract test holds this name
        is_near = self._address.startswith(("127.", "[::1]", "localhost"))
        # A proxy of the system may carry the connection further away: TLS ends here all the same.
        client._client = httpx.Client(  # noqa: SLF001
            verify=self._context, timeout=_TIMEOUT_S, follow_redirects=False, trust_env=not is_near
        )
        self._client = client
        try:
            yield
        finally:
            client.close()

    def activate(self) -> None:
        """Say that this laptop is there.

        Raises:
            AwayError: Nobody answers.
            FederationError: It is not let in, or somebody else answers.
        """
        from flwr.proto.fleet_pb2 import ActivateNodeRequest
        from flwr.proto.node_pb2 import Node

        request = ActivateNodeRequest(public_key=self._public_key, heartbeat_interval=_BEAT_INTERVAL_S)
        for is_last in (False, True):
            try:
                response = self._client.ActivateNode(request)
                break
            except httpx.HTTPStatusError as error:
                status = error.response.status_code
                if status in _PASSING:
                    raise AwayError from error
                if is_last or status != httpx.codes.PRECONDITION_FAILED or not self._was_gone():
                    self._not_let_in(error)
            except Exception as error:
                raise _away(error) from error
        self.node = Node(node_id=response.node_id)
        self._remember(response.node_id)

    def _was_gone(self) -> bool:
        """Say that this laptop, which the coordinator may still believe to be there, was gone; whether it is worth trying again.

        Raises:
            AwayError: Nobody answers.
            FederationError: Somebody else answers.
        """
        from flwr.proto.fleet_pb2 import DeactivateNodeRequest

        if (number := self._remembered()) is None:
            return False
        try:
            self._client.DeactivateNode(DeactivateNodeRequest(node_id=number))
        except httpx.HTTPStatusError as error:
            if error.response.status_code in _PASSING:
                raise AwayError from error
            return error.response.status_code != httpx.codes.UNAUTHORIZED
        except Exception as error:
            raise _away(error) from error
        return True

    def _remembered(self) -> int | None:
        if self._number is None and self._number_file is not None:
            with contextlib.suppress(StorageError, ValueError):  # without it a laptop that was killed waits for a minute
                number = int((read_small_file(self._number_file) or b"").decode("ascii"))
                self._number = number if 0 < number < 1 << 64 else None
        return self._number

    def _remember(self, number: int) -> None:
        if number != self._remembered() and self._number_file is not None:
            with contextlib.suppress(StorageError):
                replace_small_file(self._number_file, str(number).encode("ascii"))
        self._number = number

    @contextlib.contextmanager
    def present(self) -> Iterator[None]:
        """Send heartbeats from a thread of their own; at the end, say that this laptop goes."""
        from flwr.proto.fleet_pb2 import DeactivateNodeRequest
        from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest

        finished = threading.Event()

        def beat() -> None:
            while not finished.wait(_BEAT_S):
                with contextlib.suppress(Exception):  # the main thread's own calls say what is wrong
                    self._client.SendNodeHeartbeat(SendNodeHeartbeatRequest(node=self.node, heartbeat_interval=_BEAT_INTERVAL_S))

        threading.Thread(target=beat, name="heartbeats", daemon=True).start()
        try:
            yield
        finally:
            finished.set()
            with contextlib.suppress(Exception):  # it would be noticed a minute later anyway
                self._client.DeactivateNode(DeactivateNodeRequest(node_id=self.node.node_id))

    def pull(self, stop: threading.Event) -> "PullMessagesResponse | None":
        """Ask for a message, in a thread of its own, so that `stop` need not wait for a question that is held; `None` when stopped.

        Raises:
            AwayError: Nobody answers, or nothing that makes sense.
            FederationError: This laptop is not let in any more, or somebody else answers.
        """
        from flwr.proto.fleet_pb2 import PullMessagesRequest

        words: queue.SimpleQueue[PullMessagesResponse | BaseException] = queue.SimpleQueue()
        request = PullMessagesRequest(node=self.node)

        def ask() -> None:
            try:
                words.put(self._client.PullMessages(request))
            except BaseException as error:  # raised where it was asked for
                words.put(error)

        threading.Thread(target=ask, name="question", daemon=True).start()
        while not stop.is_set():
            with contextlib.suppress(queue.Empty):
                word = words.get(timeout=_STOP_LOOK_S)
                if isinstance(word, httpx.HTTPStatusError) and word.response.status_code == httpx.codes.UNAUTHORIZED:
                    self._not_let_in(word)
                if isinstance(word, BaseException):
                    raise _away(word) from word
                return word
        return None

    def call(self, name: str, request: object, *, stop: threading.Event) -> Any:
        """Make one call that belongs to a run; while the coordinator is away for a moment, try again.

        Args:
            name: The Fleet method.
            request: Its protobuf message.
            stop: Shortens the patience.

        Raises:
            AwayError: It stays away.
            RunOverError: It does not want this any more.
            FederationError: It does not let this laptop in any more.
        """
        until, pause_s, tries = time.monotonic() + _AWAY_PATIENCE_S, _FIRST_RETRY_S, 0
        while True:
            try:
                return getattr(self._client, name)(request)
            except httpx.HTTPStatusError as error:
                if error.response.status_code == httpx.codes.UNAUTHORIZED:
                    self._not_let_in(error)
                if error.response.status_code not in _PASSING:
                    raise RunOverError from error
                failure: BaseException = error
            except Exception as error:
                failure = _away(error)
            tries += 1
            if time.monotonic() > until or (stop.is_set() and tries >= _TRIES_AT_THE_END):
                raise AwayError from failure
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_RETRY_S)

    def intercept(self, context: "ProtobufRequestContext", call_next: "ProtobufCall") -> httpx.Response:
        """Around every call: sign it, let the question for messages be held, and read the clock in the answer."""
        moment = dt.datetime.now(dt.UTC).isoformat()
        signature = self._key.sign(moment.encode("ascii"), ECDSA(SHA256()))
        headers = context.request.headers
        headers[_KEY_HEADER], headers[_TIME_HEADER] = b64encode(self._public_key).decode("ascii"), moment
        headers[_SIGNATURE_HEADER] = b64encode(signature).decode("ascii")
        if context.rpc_method == _PULL:
            headers[_HOLD_HEADER] = str(HOLD_S)
        began = time.monotonic()
        response = call_next(context)
        took_s = time.monotonic() - began
        # The server writes `Date` when the question comes, not when it is answered: one that was held, or took long, says nothing.
        if context.rpc_method != _PULL and took_s < _QUICK_S:
            with contextlib.suppress(ValueError, TypeError):
                theirs = email.utils.parsedate_to_datetime(response.headers.get("date", "")).timestamp()
                self.clock_ahead_s = time.time() - took_s / 2 - theirs - 0.5  # whole seconds, cut off
        return response

    def _not_let_in(self, error: httpx.HTTPStatusError) -> NoReturn:
        ahead_s = self.clock_ahead_s
        if not -MOST_BEHIND_S <= ahead_s <= MOST_AHEAD_S:
            raise FederationError(
                f"this laptop's clock is {abs(round(ahead_s))} seconds {'ahead of' if ahead_s > 0 else 'behind'} the coordinator's",
                hint="let the system set the time by itself, then try again",
            ) from error
        if error.response.status_code == httpx.codes.NOT_FOUND and b"nothing here" in error.response.content:
            raise FederationError("there is no coordinator of Hometone at this address", hint="check the address") from error
        raise FederationError(
            "the coordinator does not know this laptop, or has revoked it",
            hint="if it was only switched off, try again in a minute; otherwise ask the coordinator for a new invitation, then join again",
        ) from error


def _quieten() -> None:
    """Before flwr is imported: no telemetry, no look for updates; afterwards: nothing of it on the terminal."""
    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
    os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"
    import flwr.supercore  # noqa: F401 - its logger is made while it is imported

    logging.getLogger("flwr").setLevel(logging.CRITICAL)


def _away(error: BaseException) -> BaseException:
    """What a failed call means: that the coordinator is away, unless it was the certificate that did not fit.

    Raises:
        FederationError: It was.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            if seen.verify_code in _CERTIFICATE_DATES:
                raise FederationError(
                    "the coordinator's certificate has ended, or this laptop's clock is wrong",
                    hint="check this laptop's date, then ask the coordinator",
                ) from error
            raise FederationError(
                "somebody else answers at the coordinator's address: the certificate is not the pinned one",
                hint="check the network and the address; do not go on before you know why",
            ) from error
        seen = seen.__cause__ or seen.__context__
    return AwayError(type(error).__name__)
