"""What was created from this machine: one small file a storage, each replaced at one moment."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from jupyter_storage.errors import os_errors
from jupyter_storage.paths import TEMPORARY_PREFIX
from jupyter_storage.records import StorageRecord, to_wire

__all__ = ["Ledger"]


class Ledger:
    """Records of storages by their names.

    Parameters
    ----------
    directory : Path
        Of our own; made when it is needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def all(self) -> list[StorageRecord]:
        """List what is recorded, oldest first; what cannot be read is passed over."""
        found = [_read(path) for path in self._directory.glob("*.json")]
        return sorted((each for each in found if each), key=lambda record: record.created)

    def get(self, name: str) -> StorageRecord | None:
        """Give the record of one."""
        return _read(self._path(name))

    def put(self, record: StorageRecord) -> StorageRecord:
        """Write the record of one, replacing the one before."""
        path = self._path(record.name)
        with os_errors(str(path)):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid4().hex}")
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(to_wire(record), file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        return record

    def remove(self, name: str) -> None:
        """Forget one."""
        with os_errors(str(self._path(name))):
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._directory / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.json"


def _read(path: Path) -> StorageRecord | None:
    try:
        fields = json.loads(path.read_text("utf-8"))
        created = datetime.fromisoformat(str(fields.pop("created")).replace("Z", "+00:00"))
        return StorageRecord(created=created, **fields)
    except (OSError, ValueError, KeyError, TypeError):
        return None
