"""Calls from this coordinator's own processes to its SuperLink on loopback.

Flower's clients are used for their requests and answers; the connection is ours: TLS against the coordinator's own authority, no proxy, no
redirect, and none of Flower's retrying, which on some answers sends SIGINT to its own process.
"""

import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import httpx
from flwr.supercore.control.control_http_client import ControlHttpClient
from flwr.supercore.error import FlowerError
from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor, RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufClient, ProtobufRequestContext
from flwr.supercore.runtime import RuntimeHttpClient

from hometone_server.flower.folder import LOOPBACK, FlowerFolder
from hometone_server.flower.gates import CONTROL_HEADER
from hometone_server.flower.waiting import WAIT_HEADER
from hometone_shared.errors import FederationError

ACQUIRE: Final = "/flwr.proto.Runtime/AcquireTask"
PULL: Final = "/flwr.proto.Runtime/PullMessages"
HOLD_S: Final = 0.25
_TIMEOUT_S: Final = 30.0
_PAUSE_S: Final = 0.2
_PASSING: Final = frozenset({502, 503, 504})

ClientT = TypeVar("ClientT", bound=ProtobufClient)
ResponseT = TypeVar("ResponseT")


class _ControlSecret:
    """Shows the control secret with every call."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret.decode("ascii")

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        """Add the header."""
        context.request.headers[CONTROL_HEADER] = self._secret
        return call_next(context)


class _Patience:
    """Lets the question for answers be held until there is one."""

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        """Add the header."""
        if context.rpc_method == PULL:
            context.request.headers[WAIT_HEADER] = str(HOLD_S)
        return call_next(context)


def control_client(folder: FlowerFolder) -> ControlHttpClient:
    """A client that may start runs and register laptops.

    Raises:
        FederationError: The coordinator was never started, or a file is missing.
    """
    return _client(ControlHttpClient, folder, [_ControlSecret(folder.secret(folder.control_secret))])


def executor_client(folder: FlowerFolder) -> RuntimeHttpClient:
    """A client that may take tasks.

    Raises:
        FederationError: The same.
    """
    secret = SuperExecAuthHttpInterceptor(master_secret=folder.secret(folder.superexec_secret), protected_methods={ACQUIRE})
    return _client(RuntimeHttpClient, folder, [secret])


def task_client(folder: FlowerFolder, token: str) -> RuntimeHttpClient:
    """A client that may do what one task may.

    Raises:
        FederationError: The same.
    """
    return _client(RuntimeHttpClient, folder, [RuntimeTokenHttpInterceptor(token=token), _Patience()])


def call(
    method: Callable[[Any], ResponseT],
    request: object,
    *,
    what: str,
    until: float | None = None,
    hints: dict[int, tuple[str, str]] | None = None,
) -> ResponseT:
    """Make one call; tries again while the SuperLink is away.

    Args:
        method: The client's method.
        request: The protobuf message.
        what: "the run cannot be started", for the error.
        until: `time.monotonic()` until which it is tried again; `None` tries once.
        hints: Message and hint for a Flower error code.

    Raises:
        FederationError: The SuperLink is away, or said no.
    """
    while True:
        try:
            return method(request)
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in _PASSING:
                told = FlowerError.from_json(error.response.text)
                message, hint = (hints or {}).get(told.code if told else 0, (what, told.message.rstrip(".").lower() if told else ""))
                raise FederationError(message, hint=hint) from error
            failure: Exception = error
        except (httpx.TransportError, ValueError) as error:
            failure = error
        if until is None or time.monotonic() + _PAUSE_S >= until:
            raise FederationError(
                f"{what}: the coordinator's server does not answer", hint="is hometone-coordinator serve running?"
            ) from failure
        time.sleep(_PAUSE_S)


def _client(kind: type[ClientT], folder: FlowerFolder, interceptors: Sequence[Any]) -> ClientT:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cafile=folder.certificates.authority)
    except OSError as error:
        raise FederationError("the coordinator's certificate authority cannot be read", hint="restore the folder from a backup") from error
    client = kind(
        f"https://{LOOPBACK}:{folder.listeners().loopback_port}",
        interceptors=[RuntimeVersionHttpInterceptor(component_name="hometone"), *interceptors],
        verify=context,
    )
    client._client.close()  # noqa: SLF001 - the contract test holds this name
    client._client = httpx.Client(verify=context, timeout=_TIMEOUT_S, trust_env=False, follow_redirects=False)  # noqa: SLF001
    return client
