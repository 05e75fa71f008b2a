"""A typed client of a node's HTTP API, for programs that wait and for those that do not.

    from gardesh.client import Client, Token

    with Client("https://node.example", Token("isiri", key)) as node:
        for work in node.worklist():
            ...

`Client` and `AsyncClient` have the same methods. Refusals are raised as `Refused`, with the node's own code.
"""

from gardesh.client.asynchronous import AsyncClient
from gardesh.client.call import Refused, Unexpected
from gardesh.client.signing import ClientCredentials, Signature, Token
from gardesh.client.synchronous import Client

__all__ = ["AsyncClient", "Client", "ClientCredentials", "Refused", "Signature", "Token", "Unexpected"]
