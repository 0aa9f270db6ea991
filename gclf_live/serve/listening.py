"""Addresses to listen on."""

from __future__ import annotations

import ipaddress
import socket

from gclf_live.errors import UsageError

_BACKLOG = 512


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address, with or without brackets, is this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """Take an address before anything slow is done.

    Raises:
        UsageError: there is no such address, or somebody has it already.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except UnicodeError as error:  # what Python says to an empty or overlong part between two dots
        raise UsageError(f"cannot listen on {host!r}: it is no address. Give another --host") from error
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host!r}: {error.strerror or error}. Give another --host"
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {host} port {port}: {error.strerror or error}. Give another --host or --port"
        ) from error
    return listener


def address_of(listener: socket.socket, host: str) -> str:
    """``http://127.0.0.1:8000/``, with the port that was taken."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}/"


def address_for_others(listener: socket.socket, host: str) -> str | None:
    """Where other machines find a server that listens on every address; None for one that does not.

    Nothing is sent: the system only says which of its addresses it would send from (to 192.0.2.1 or
    2001:db8::1, which are nobody's, RFC 5737 and RFC 3849). Without a network it is the machine's name.
    """
    try:
        given = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    if not given.is_unspecified:
        return None
    family, nobody = (socket.AF_INET, "192.0.2.1") if given.version == 4 else (socket.AF_INET6, "2001:db8::1")
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((nobody, 9))
            own = str(asking.getsockname()[0])
    except OSError:
        own = socket.gethostname()
    return address_of(listener, own)
