"""Advice before a step that is about to be wrong; pure, so that every rule can be tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from jupyter_storage.paths import basename
from jupyter_storage.records import Advice, Entry

__all__ = ["Cargo", "Weighing", "advise", "looks_secret"]

LARGE = 10 * 10**9  # bytes of one file
HUGE = 10**12  # bytes of a data set
MANY = 10_000  # files
SMALL = 100_000  # bytes of each, on average

_NAMED = 5
_NETWORK = frozenset({"cluster", "user", "shared"})
_SECRETS = (
    ".env",
    ".env.*",
    ".netrc",
    ".pgpass",
    ".git-credentials",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "*.pem",
    "*.p12",
    "*.pfx",
    "*.kdbx",
    "credentials",
    "credentials.json",
    "application_default_credentials.json",
    "service-account*.json",
    "kubeconfig",
    "secrets.y*ml",
    "secrets.json",
)


@dataclass(frozen=True, slots=True)
class Cargo:
    """What is about to be copied.

    Attributes
    ----------
    files, bytes, largest : int
        ``largest``: bytes of the largest file.
    secrets : sequence of str
        Names that look like secrets, some of them.
    """

    files: int
    bytes: int
    largest: int
    secrets: Sequence[str] = ()


class Weighing:
    """Makes a :class:`Cargo` of files, one after the other."""

    def __init__(self) -> None:
        self._files = self._bytes = self._largest = 0
        self._secrets: list[str] = []

    def add(self, entry: Entry) -> None:
        """Count a file."""
        size = entry.size or 0
        self._files += 1
        self._bytes += size
        self._largest = max(self._largest, size)
        if len(self._secrets) < _NAMED and looks_secret(entry.path):
            self._secrets.append(entry.name)

    def sum(self) -> Cargo:
        """Give what was counted."""
        return Cargo(self._files, self._bytes, self._largest, tuple(self._secrets))


def looks_secret(path: str) -> bool:
    """Whether a file's name is one that secrets have."""
    name = basename(path).lower()
    return any(fnmatchcase(name, pattern) for pattern in _SECRETS)


def advise(
    cargo: Cargo, tier: str | None, *, directory: bool, regions: Mapping[str, str] | None = None
) -> list[Advice]:
    """Say what speaks against a copy.

    Parameters
    ----------
    cargo : Cargo
    tier : str or None
        Where it goes; None where that is no tier.
    directory : bool
        Whether it is a directory, not object storage.
    regions : mapping, optional
        Region of each end whose region is known, by what a person calls it.
    """
    found = []
    network = tier in _NETWORK and directory
    if network and cargo.largest > LARGE:
        found.append(
            Advice(
                "large",
                "A file over 10 GB is slow on network storage, and in everybody's way there",
                "Object storage is made for it: 'artifacts:'.",
            )
        )
    elif network and cargo.bytes >= HUGE:
        found.append(
            Advice(
                "large",
                "A data set of terabytes does not fit network storage",
                "Object storage is made for it: 'artifacts:'.",
            )
        )
    if network and cargo.files >= MANY and cargo.bytes < SMALL * cargo.files:
        found.append(
            Advice(
                "many",
                f"{cargo.files:,} small files are slow to read from network storage",
                "Put them on 'local:' for heavy reading, or keep them as one archive.",
            )
        )
    if tier in {"shared", "cluster", "artifacts"} and cargo.secrets:
        found.append(
            Advice(
                "secret",
                f"'{cargo.secrets[0]}' looks like a secret, and everybody can read this tier",
                "Keep secrets in environment variables or in your home directory.",
            )
        )
    known = dict(regions or {})
    if len(set(known.values())) > 1:
        ends = ", ".join(f"{name} is in {region}" for name, region in known.items())
        found.append(
            Advice(
                "region",
                f"The data crosses regions, which is slow and is paid for: {ends}",
                "Use a bucket in the same region, where there is one.",
            )
        )
    return found
