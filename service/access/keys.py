"""What a key looks like: `ua_<prefix>_<secret><checksum>`, of which the database keeps the prefix and a digest."""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PREFIX_LENGTH = 8
SECRET_LENGTH = 43
"""Base-62 digits of a 256-bit number."""
CHECKSUM_LENGTH = 6

_KEY = re.compile(
    rf"ua_(?P<prefix>[0-9A-Za-z]{{{PREFIX_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH}}}"
    rf"(?P<checksum>[0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True)
class Key:
    """A key as its owner holds it."""

    prefix: str
    text: str

    @property
    def digest(self) -> str:
        """What is stored of it."""
        return digest_of(self.text)


def make_token() -> str:
    """A fresh secret of 256 bits that only programs see."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What is stored of a secret of 256 random bits, for which a plain sha256 suffices."""
    return hashlib.sha256(secret.encode()).hexdigest()


def make_key() -> Key:
    """A fresh key."""
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(PREFIX_LENGTH))
    body = f"ua_{prefix}_{_base62(secrets.randbits(256), SECRET_LENGTH)}"
    return Key(prefix, body + _checksum(body))


def parse_key(text: str) -> Key | None:
    """The key that a text spells, None for one that is cut off, mistyped or no key at all."""
    match = _KEY.fullmatch(text)
    if match is None or _checksum(text[:-CHECKSUM_LENGTH]) != match["checksum"]:
        return None
    return Key(match["prefix"], text)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
