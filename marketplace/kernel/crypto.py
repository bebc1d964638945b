"""Personal numbers: sealed at rest, found by a keyed hash, shown masked.

AES-256-GCM with a key id in front, so that keys can be rotated; HMAC-SHA-256 of the normalised value
for look-up. Keys come from configuration (``NUANJU_DATA_KEY``), never from the database.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class SealBroken(ValueError):
    """The sealed value was changed, or sealed with a key that is not configured."""


class Vault:
    """Seals and opens personal numbers with named keys; the first key seals, all open."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        """``keys``: key id (1 to 8 ASCII characters) -> secret of at least 32 bytes, newest first."""
        if not keys or any(len(secret) < 32 for secret in keys.values()):
            raise ValueError("a data key of at least 32 bytes is needed")
        self._newest = next(iter(keys))
        self._aead = {k: AESGCM(_derive(v, b"seal")) for k, v in keys.items()}
        oldest = list(keys.values())[-1]
        self._index = _derive(oldest, b"index")

    def seal(self, text: str) -> bytes:
        """Return key id, nonce and ciphertext of the text."""
        nonce = os.urandom(12)
        head = self._newest.encode() + b"\x00"
        return head + nonce + self._aead[self._newest].encrypt(nonce, text.encode(), head)

    def open(self, sealed: bytes) -> str:
        """Return the text; raises ``SealBroken``."""
        key_id, _, rest = bytes(sealed).partition(b"\x00")
        aead = self._aead.get(key_id.decode("ascii", "replace"))
        if aead is None or len(rest) < 28:
            raise SealBroken(key_id.decode("ascii", "replace"))
        try:
            return aead.decrypt(rest[:12], rest[12:], key_id + b"\x00").decode()
        except InvalidTag as exc:
            raise SealBroken(key_id.decode()) from exc

    def index(self, text: str) -> str:
        """Return the keyed hash (64 hexadecimal digits) under which the value is found."""
        return hmac.new(self._index, text.strip().upper().encode(), hashlib.sha256).hexdigest()


@cache
def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"nuanju/" + purpose).derive(
        secret
    )


def mask_name(name: str) -> str:
    """``张桂兰`` -> ``张*兰``; two characters keep the first."""
    if len(name) <= 1:
        return "*"
    return f"{name[0]}*" if len(name) == 2 else f"{name[0]}{'*' * (len(name) - 2)}{name[-1]}"


def mask_phone(phone: str) -> str:
    """``13812342210`` -> ``138****2210``."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 8 else "****"


def mask_id_number(number: str) -> str:
    """Show the last four only, as identity cards are quoted at a counter."""
    return f"{'*' * (len(number) - 4)}{number[-4:]}" if len(number) > 4 else "****"
