"""A place on the network to listen at."""

from __future__ import annotations

import socket

from gardesh.model.os_reason import of_os
from gardesh.model.problem import Problem, define

ADDRESS_UNUSABLE = define(
    "address-unusable",
    503,
    en="Nothing can be served at {host} port {port}: {reason}.",
    fa="در نشانی {host} درگاه {port} نمی‌توان چیزی عرضه کرد: {reason}.",
    hint_en="Name another address or port, or stop what listens there.",
    hint_fa="نشانی یا درگاه دیگری نام ببرید، یا آنچه در آنجا گوش می‌دهد متوقف کنید.",
)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `address-unusable`."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, UnicodeError) as error:
        raise Problem(ADDRESS_UNUSABLE, host=host, port=port, reason=of_os(error)) from None


def url_of(listening: socket.socket) -> str:
    """The http address of a listening socket, without a slash at the end."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
