"""Who is at the other end of a connection on this computer: the same user, or somebody else who is logged in here.

The Wyoming protocol has no token. On a computer with several users the port alone would let each of them speak in the voices that one of
them has unlocked, so the system is asked who opened the connection. The pages ask, too (`pages.guard`, `web.server`): browsers send a
cookie to every port of a computer, and a link stands in the list of processes. The same user may, and the system's own (root: it can
read this user's memory anyway, and Home Assistant's containers run as it). Everybody else is turned away; so is a connection of which the
system does not tell whose it is.
"""

import ipaddress
import os
import sys
from pathlib import Path
from typing import Any, Final

import psutil

_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ROOT: Final = 0
_ESTABLISHED: Final = "01"  # of a socket that its owner has closed, the tables no longer tell the owner
Address = tuple[str, int]


def is_same_user(peer: Address, here: Address) -> bool:
    """Whether the program at `peer` belongs to the user of this process, or to the system.

    Args:
        peer: Address and port of the other end.
        here: Address and port of this end.
    """
    if _TABLES[0].exists():
        return owner(peer, here) in {os.getuid(), _ROOT}
    return is_own_process(peer, here)


def is_stranger(peer: Address, here: Address) -> bool:
    """Whether the program at `peer` is not known to be this user's or the system's. Quick, and told on Linux only; elsewhere nobody is.

    Args:
        peer: Address and port of the other end.
        here: Address and port of this end.
    """
    return _TABLES[0].exists() and owner(peer, here) not in {os.getuid(), _ROOT}


def owner(peer: Address, here: Address, *, tables: tuple[Path, ...] = _TABLES) -> int | None:
    """The number of the user whose socket that is, by Linux's tables of connections (proc_net_tcp); None if it is in none of them."""
    wanted = (_plain(peer), _plain(here))
    for table in tables:
        try:
            rows = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if len(fields) > 7 and fields[3] == _ESTABLISHED and (_decoded(fields[1]), _decoded(fields[2])) == wanted:
                return int(fields[7])
    return None


def is_own_process(peer: Address, here: Address) -> bool:
    """The same question where there are no such tables (Windows, macOS): is it one of this user's processes? Slower."""
    wanted, me = (_plain(peer), _plain(here)), psutil.Process().username()
    for process in psutil.process_iter():
        try:
            if process.username() == me and any(_pair(connection) == wanted for connection in process.net_connections(kind="tcp")):
                return True
        except (psutil.Error, OSError):  # it ended meanwhile, or is another user's
            continue
    return False


def _pair(connection: Any) -> tuple[Address, Address] | None:
    if not connection.laddr or not connection.raddr:
        return None
    return _plain((connection.laddr.ip, connection.laddr.port)), _plain((connection.raddr.ip, connection.raddr.port))


def _plain(address: Address) -> Address:
    found = ipaddress.ip_address(address[0].partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(found), address[1]


def _decoded(field: str) -> Address:
    """`0100007F:1F90`: words of 32 bits in the machine's order, then the port."""
    address, _, port = field.partition(":")
    words = [bytes.fromhex(address[start : start + 8]) for start in range(0, len(address), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return _plain((str(ipaddress.ip_address(packed)), int(port, 16)))
