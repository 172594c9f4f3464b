"""How a laptop joins: a one-time invitation and a self-signed request become an entry of the directory (docs/formats.md, "Joining").

In one transaction: (1) the invitation is used up, (2) the device's entry is appended to the log, (3) Flower learns the node key. If (3)
fails, nothing has happened. If the process is killed after (3), Flower knows a node key of which the directory knows nothing: that node
can connect, but no laptop accepts it as a peer, and the same laptop may simply ask again, so `register_node` must not mind a key that it
knows.

What it may see: public keys and a token. What it must never do: log any of them.
"""

import hmac
from collections.abc import Callable

from hometone_server.records.devices import Devices, Registered
from hometone_server.records.invitations import InvitationRefusedError, Invitations
from hometone_server.records.store import LogStore
from hometone_shared.errors import ProtocolError
from hometone_shared.invitation import TOKEN_BYTES, token_sha256
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.records.canonical import Document, Fields, b64, parse
from hometone_shared.records.joining import JoinRequest
from hometone_shared.records.signing import Envelope

NodeRegistration = Callable[[bytes], None]
"""Tells Flower a node key (OpenSSH text); called again for the same key it changes nothing."""


def read_request(body: bytes, *, coordinator_key: bytes) -> tuple[bytes, JoinRequest]:
    """Token and request of a body, verified.

    Raises:
        ProtocolError: The body is something else, or was meant for another coordinator or another invitation.
    """
    fields = Fields(parse(body))
    token = fields.blob("token", size=TOKEN_BYTES)
    request = JoinRequest.from_envelope(Envelope.from_document(fields.take("keys")))
    fields.done()
    if not hmac.compare_digest(request.token_sha256, token_sha256(token)) or request.coordinator_key != coordinator_key:
        raise ProtocolError("a request to join is meant for another invitation or coordinator")
    return token, request


def join(body: bytes, *, log: LogStore, descriptor: Envelope, register_node: NodeRegistration) -> Document:
    """Let a laptop in.

    Args:
        body: As it came.
        log: The log.
        descriptor: What the laptop is to pin.
        register_node: See `NodeRegistration`.

    Returns:
        `{"checkpoint": text, "descriptor": envelope, "entry": envelope, "index": integer, "proof": [b64]}`.

    Raises:
        ProtocolError: The body does not parse or verify.
        InvitationRefusedError: The invitation lets nobody in.
        DeviceRefusedError: The device may not take part.
    """
    token, request = read_request(body, coordinator_key=log.key)
    registered = _registered(token, request, log=log, register_node=register_node)
    note = log.head()
    size = Checkpoint.from_note(note, origin=log_origin(log.key), key=log.key).size
    return {
        "checkpoint": note.decode(),
        "descriptor": descriptor.to_document(),
        "entry": registered.envelope.to_document(),
        "index": registered.index,
        "proof": [b64(part) for part in log.inclusion(registered.index, size)],
    }


def _registered(token: bytes, request: JoinRequest, *, log: LogStore, register_node: NodeRegistration) -> Registered:
    devices = Devices(log)
    with log.writing() as change:
        is_new = Invitations(log).redeem(token, device=request.device, change=change)  # (1)
        if not is_new and devices.directory().entries.get(request.device) != request.entry():
            raise InvitationRefusedError("used")
        registered = devices.register(request, change=change)  # (2)
        if is_new:
            register_node(request.node_key)  # (3)
    return registered
