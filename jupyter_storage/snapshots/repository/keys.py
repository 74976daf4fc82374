"""The keys of an open repository: each opens the same master keys with a password of its own."""

from __future__ import annotations

import json
from contextlib import suppress

from jupyter_storage.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, StorageError
from jupyter_storage.snapshots.repository.crypto import digest, make_key_file, open_key_file
from jupyter_storage.snapshots.repository.files import Files
from jupyter_storage.snapshots.repository.outcomes import KeyRecord
from jupyter_storage.snapshots.repository.times import from_text, to_datetime

__all__ = ["KeyRing"]

_LIST = "'jupyter storage snapshot key list' shows them."


class KeyRing:
    """The keys of a repository.

    Parameters
    ----------
    files : Files
        Of the open repository.
    password : str
        The one in use.
    """

    def __init__(self, files: Files, password: str) -> None:
        self._files, self._password = files, password

    def list(self) -> list[KeyRecord]:
        """List the keys, oldest first."""
        found = []
        for name in self._files.list("keys"):
            with suppress(NotFound):
                found.append(self._record(name, self._files.store.read(f"keys/{name}")))
        return sorted(found, key=lambda key: (str(key.created), key.id))

    def add(self, password: str) -> KeyRecord:
        """Add a key; it is there when this returns, and was seen to open the repository.

        Raises
        ------
        AlreadyExists
            If a key has this password.
        """
        for key in self.list():
            if self._opens(password, key.id):
                raise AlreadyExists(
                    f"The key {key.short_id} has this password already", hint="Choose another."
                )
        content = make_key_file(password, self._files.keys)
        name = digest(content).hex()
        self._files.put(f"keys/{name}", content)
        if not self._opens(password, name):
            raise StorageError(
                "The new key cannot be read back", path=f"keys/{name}", hint="Try again."
            )
        return self._record(name, content)

    def remove(self, identifier: str) -> KeyRecord:
        """Remove a key.

        Parameters
        ----------
        identifier : str
            The beginning of its ID.

        Raises
        ------
        NotFound, Conflict
            If there is none, or more than one; or if it is the last, or the only one that the
            password in use opens.
        """
        keys = self.list()
        found = [key for key in keys if identifier and key.id.startswith(identifier.lower())]
        if not identifier:
            raise InvalidRequest("Name a key", hint=_LIST)
        if not found:
            raise NotFound(f"There is no key '{identifier}'", hint=_LIST)
        if len(found) > 1:
            raise Conflict(
                f"{len(found)} keys begin with '{identifier}'", hint="Give more of the ID."
            )
        if found[0].current and sum(key.current for key in keys) == 1:
            raise Conflict(
                f"The key {found[0].short_id} is the one that opens the repository here",
                hint="'jupyter storage snapshot key change' makes a new password and removes it.",
            )
        if len(keys) == 1:
            raise Conflict(
                f"The key {found[0].short_id} is the last one: without it nobody could read the "
                "snapshots",
                hint="Add another one first.",
            )
        self._files.remove(f"keys/{found[0].id}")
        return found[0]

    def retire(self, password: str) -> None:
        """Remove the keys that a password opens, if the one in use opens another."""
        keys = self.list()
        old = {key.id for key in keys if self._opens(password, key.id)}
        if any(key.current and key.id not in old for key in keys):
            for name in old:
                self._files.remove(f"keys/{name}")

    def _opens(self, password: str, name: str) -> bool:
        content = self._files.store.read(f"keys/{name}")
        return open_key_file(password, content) == self._files.keys

    def _record(self, name: str, content: bytes) -> KeyRecord:
        wire: dict[str, object] = {}
        with suppress(ValueError):
            wire = json.loads(content)
        created = None
        with suppress(ValueError):
            created = to_datetime(from_text(str(wire.get("created", ""))))
        return KeyRecord(
            id=name,
            short_id=name[:8],
            created=created,
            username=str(wire.get("username", "")),
            hostname=str(wire.get("hostname", "")),
            current=open_key_file(self._password, content) == self._files.keys,
        )
