"""Links by which whoever got a letter asks for no more: one for each address, readable by nobody but us.

A link holds the address encrypted and authenticated: AES-128-CBC and HMAC-SHA256, compared in constant time. Source: the Fernet
specification, https://github.com/fernet/spec/blob/master/Spec.md. It never ends, for a letter may lie for years; a key that is
taken out of `mail.unsubscribe_keys` ends those it made.
"""

import base64
import hashlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from lakehouse.config import Config
from lakehouse.errors import ConfigError

PATH = "/unsubscribe/"
_MOST_CHARACTERS = 2048


class UnsubscribeLinks:
    """`keys`: the first makes links, all read them. `address`: where the service is reached, such as https://shop.example.com."""

    def __init__(self, keys: Sequence[str], address: str) -> None:
        if not keys:
            raise ConfigError("mail.unsubscribe_keys: empty, expected a key of 32 random letters or more. Set it")
        self._fernet = MultiFernet([Fernet(_key(secret)) for secret in keys])
        self._address = address.rstrip("/")

    def url(self, email: str) -> str:
        """The link of one e-mail address."""
        return f"{self._address}{PATH}{self._fernet.encrypt(email.encode()).decode()}"

    def email(self, token: str) -> str | None:
        """The e-mail address a link was made for; None for what is no link of ours."""
        try:
            return self._fernet.decrypt(token[:_MOST_CHARACTERS].encode()).decode()
        except (InvalidToken, UnicodeError):
            return None


def links_of(config: Config, *, is_private: bool) -> UnsubscribeLinks | None:
    """Those of the configuration; None where letters go to a private network alone and no key is set.

    Raises:
        ConfigError: letters go to the world, and nobody could unsubscribe from them.
    """
    address = config.serving.public_url
    if address.startswith("https://") and config.mail.unsubscribe_keys:
        return UnsubscribeLinks(config.mail.unsubscribe_keys, address)
    if not is_private:
        raise ConfigError(
            "mail.unsubscribe_keys, serving.public_url: letters need a link to unsubscribe by, expected a key and an address "
            "that begins with https. Set both, or disable the destination"
        )
    if not config.mail.unsubscribe_keys:
        return None
    return UnsubscribeLinks(config.mail.unsubscribe_keys, address or f"http://127.0.0.1:{config.serving.port}")


def _key(secret: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"stitchlake unsubscribe\0" + secret.encode()).digest())
