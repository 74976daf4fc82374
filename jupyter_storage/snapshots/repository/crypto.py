"""Seals and key files.

A sealed message is ``IV (16) ‖ AES-256-CTR(plain) ‖ Poly1305-AES (16)``; the authenticator covers
the ciphertext only, and its one-time key is ``r ‖ AES-128_k(IV)``. A key file holds the master
keys, sealed under keys that scrypt derives from a password. Source: restic's design document,
sections "Keys, Encryption and MAC".
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.poly1305 import Poly1305

from jupyter_storage.errors import ChecksumMismatch
from jupyter_storage.snapshots.repository.times import now, to_text

__all__ = ["OVERHEAD", "Keys", "digest", "make_key_file", "open_key_file", "user_name"]

OVERHEAD = 32
"""Bytes that a seal adds."""

_BLOCK = 16  # bytes of a block of AES
_COUNTERS = 2 ** (8 * _BLOCK)

# 32 MiB of memory and some 0.1 s: guessing stays dear, opening stays quick.
_N, _R, _P = 2**15, 8, 1

# What a key file from outside may ask for before we refuse: 1 GiB of memory.
_MAX_MEMORY = 2**30


@dataclass(frozen=True)
class Keys:
    """Keys of a repository.

    Attributes
    ----------
    encrypt : bytes
        AES-256 key, 32 bytes.
    k, r : bytes
        Of Poly1305-AES, 16 bytes each.
    """

    encrypt: bytes
    k: bytes
    r: bytes
    _local: threading.local = field(
        default_factory=threading.local, init=False, repr=False, compare=False
    )

    @classmethod
    def random(cls) -> Keys:
        """Make new keys."""
        return cls(os.urandom(32), os.urandom(16), os.urandom(16))

    @classmethod
    def derived(cls, password: bytes, salt: bytes, n: int, r: int, p: int) -> Keys:
        """Derive keys from a password by scrypt."""
        raw = Scrypt(salt=salt, length=64, n=n, r=r, p=p).derive(password)
        return cls(raw[:32], raw[32:48], raw[48:])

    def seal(self, plain: bytes | bytearray | memoryview) -> bytes:
        """Encrypt and authenticate."""
        sealed = bytearray(len(plain) + OVERHEAD)
        self.seal_into(plain, memoryview(sealed))
        return bytes(sealed)

    def seal_into(self, plain: bytes | bytearray | memoryview, place: memoryview) -> None:
        """Encrypt and authenticate into a place of :data:`OVERHEAD` more bytes."""
        iv = os.urandom(_BLOCK)
        text = place[_BLOCK:-_BLOCK]
        ciphers = self._ciphers()
        ciphers.stream_into(iv, plain, text)
        place[:_BLOCK] = iv
        place[-_BLOCK:] = ciphers.mac(iv, text)

    def seal_all(self, plains: Sequence[bytes]) -> list[bytes]:
        """Encrypt and authenticate many small messages, in a fraction of the time of each alone.

        One run of the counter passes over all: it begins at random, and the IV of each message is
        where it stands there, so that no two blocks share a value.
        """
        if not plains:
            return []
        # Whole blocks; an empty message has one as well, for its authenticator's sake.
        padded = [plain.ljust(max(1, -(-len(plain) // _BLOCK)) * _BLOCK, b"\0") for plain in plains]
        starts = list(accumulate(map(len, padded), initial=0))
        first = int.from_bytes(os.urandom(_BLOCK), "big")
        ivs = [
            ((first + start // _BLOCK) % _COUNTERS).to_bytes(_BLOCK, "big") for start in starts[:-1]
        ]
        ciphers = self._ciphers()
        stream = ciphers.stream(ivs[0], b"".join(padded))
        sealed = []
        for plain, start, iv, key in zip(plains, starts, ivs, ciphers.mac_keys(ivs), strict=False):
            text = stream[start : start + len(plain)]
            sealed.append(b"".join((iv, text, Poly1305.generate_tag(key, text))))
        return sealed

    def open(self, sealed: bytes | memoryview) -> bytes:
        """Check and decrypt.

        Raises
        ------
        ChecksumMismatch
            If this was not sealed with these keys, or was changed since.
        """
        view = memoryview(sealed)
        if len(view) < OVERHEAD:
            raise ChecksumMismatch("Sealed data is cut short", hint=_DAMAGED)
        iv, text, mac = bytes(view[:16]), view[16:-16], bytes(view[-16:])
        ciphers = self._ciphers()
        if not hmac.compare_digest(ciphers.mac(iv, text), mac):
            raise ChecksumMismatch("Sealed data was changed or has another key", hint=_DAMAGED)
        return ciphers.stream(iv, text)

    def _ciphers(self) -> _Ciphers:
        ciphers: _Ciphers | None = getattr(self._local, "ciphers", None)
        if ciphers is None:
            self._local.ciphers = ciphers = _Ciphers(self)
        return ciphers

    def to_json(self) -> bytes:
        """Spell the keys as key files do."""
        mac = {"k": _base64(self.k), "r": _base64(self.r)}
        return json.dumps({"mac": mac, "encrypt": _base64(self.encrypt)}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Keys:
        """Read what :meth:`to_json` wrote."""
        wire = json.loads(text)
        mac = wire["mac"]
        return cls(*map(base64.b64decode, (wire["encrypt"], mac["k"], mac["r"])))


class _Ciphers:
    """Ciphers of one thread: setting them up takes longer than a small blob."""

    def __init__(self, keys: Keys) -> None:
        self._counter = Cipher(algorithms.AES(keys.encrypt), modes.CTR(bytes(16))).encryptor()
        self._block = Cipher(algorithms.AES(keys.k), modes.ECB()).encryptor()  # noqa: S305
        self._r = keys.r

    def stream(self, iv: bytes, data: bytes | bytearray | memoryview) -> bytes:
        """Encrypt, or decrypt: a counter does not know the difference."""
        self._counter.reset_nonce(iv)
        return self._counter.update(data)

    def stream_into(
        self, iv: bytes, data: bytes | bytearray | memoryview, place: memoryview
    ) -> None:
        """The same, into a place of that length."""
        self._counter.reset_nonce(iv)
        self._counter.update_into(data, place)

    def mac(self, iv: bytes, text: bytes | memoryview) -> bytes:
        return Poly1305.generate_tag(self._r + self._block.update(iv), text)

    def mac_keys(self, ivs: Sequence[bytes]) -> Iterator[bytes]:
        """The one-time keys of authenticators."""
        nonces = self._block.update(b"".join(ivs))
        for start in range(0, len(nonces), _BLOCK):
            yield self._r + nonces[start : start + _BLOCK]


_DAMAGED = "Check the repository with 'restic check --read-data'."


def digest(data: bytes | bytearray | memoryview) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def make_key_file(password: str, keys: Keys) -> bytes:
    """Make a key file.

    Parameters
    ----------
    password : str
        Opens it.
    keys : Keys
        The master keys.
    """
    salt = os.urandom(64)
    sealed = Keys.derived(password.encode(), salt, _N, _R, _P).seal(keys.to_json())
    wire = {
        "created": to_text(now()),
        "username": user_name(),
        "hostname": socket.gethostname(),
        "kdf": "scrypt",
        "N": _N,
        "r": _R,
        "p": _P,
        "salt": _base64(salt),
        "data": _base64(sealed),
    }
    return json.dumps(wire).encode()


def open_key_file(password: str, content: bytes) -> Keys | None:
    """Open a key file.

    Returns
    -------
    Keys or None
        None where the password is another one, or the file makes no sense.
    """
    try:
        wire = json.loads(content)
        n, r, p = int(wire["N"]), int(wire["r"]), int(wire["p"])
        if wire["kdf"] != "scrypt" or 128 * n * r * p > _MAX_MEMORY:
            return None
        salt, data = base64.b64decode(wire["salt"]), base64.b64decode(wire["data"])
        return Keys.from_json(Keys.derived(password.encode(), salt, n, r, p).open(data))
    except (ChecksumMismatch, InvalidSignature, ValueError, KeyError, TypeError):
        return None


def user_name() -> str:
    """Name of the user that this process runs as; the number where there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        # A container may run as a number that has no entry in the password database.
        return str(os.getuid())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
