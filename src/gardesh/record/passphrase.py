"""The passphrases that private keys are stored under: typed by a person, or held by the machine's keyring."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Protocol

import keyring
from keyring.errors import KeyringError

from gardesh.model.problem import Problem, define

KEYRING_FAILED = define(
    "keyring-unavailable",
    500,
    en="The keyring of this machine cannot be used: {reason}",
    fa="دسته‌کلید (keyring) این دستگاه در دسترس نیست: {reason}",
)


class Passphrases(Protocol):
    """Where the passphrase of a key comes from."""

    def new(self, name: str) -> str:
        """The passphrase that a key shall be stored under."""
        ...

    def of(self, name: str) -> str:
        """The passphrase that a key was stored under, as far as is known."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class OnePassphrase:
    """The same passphrase for every key: what a person types, or what a node is started with."""

    text: str

    def new(self, name: str) -> str:
        return self.text

    def of(self, name: str) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class KeyringPassphrases:
    """A random passphrase for each key, held by the keyring of the operating system."""

    service: str = "gardesh"

    def new(self, name: str) -> str:
        """A passphrase that the keyring holds already is used again: another file may need it. Raises
        `keyring-unavailable`."""
        text = self.of(name) or secrets.token_urlsafe(32)
        try:
            keyring.set_password(self.service, name, text)
        except KeyringError as error:
            raise Problem(KEYRING_FAILED, reason=str(error)) from None
        return text

    def of(self, name: str) -> str:
        """Raises `keyring-unavailable`. Of a key that the keyring does not know, the empty passphrase."""
        try:
            return keyring.get_password(self.service, name) or ""
        except KeyringError as error:
            raise Problem(KEYRING_FAILED, reason=str(error)) from None
