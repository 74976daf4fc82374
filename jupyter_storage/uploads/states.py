"""What is known of an upload, in a small file each, so that it outlives the server."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

from jupyter_storage.errors import NotFound, from_os_error
from jupyter_storage.records import ConflictPolicy, Entry, UploadRecord

__all__ = ["BEGIN_AGAIN", "State", "States", "identity"]

BEGIN_AGAIN = "Begin the upload again."

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class State:
    """How far one upload has come.

    Attributes
    ----------
    size : int
        Bytes in all.
    created, modified : float
        Seconds since 1970.
    conflict : str
        Value of a :class:`~jupyter_storage.records.ConflictPolicy`.
    staged : str
        File that holds the bytes.
    staged_key : str or None
        Its key where it lies in the target's own store.
    offset : int
        Bytes that were accepted. The file may be longer, after a crash: the rest is cut off.
    inode : int or None
        Of the staged file, noted before it is renamed.
    entry : dict or None
        What was published.
    sample : str or None
        By which the sender knows the file's content again.
    owner : str or None
        Who began it, where the server knows its users.
    """

    id: str
    path: str
    size: int
    created: float
    modified: float | None
    conflict: str
    staged: str
    staged_key: str | None
    offset: int = 0
    inode: int | None = None
    entry: dict[str, Any] | None = None
    sample: str | None = None
    owner: str | None = None

    @property
    def exclusive(self) -> bool:
        """Whether the target must not exist."""
        return ConflictPolicy(self.conflict) in {ConflictPolicy.FAIL, ConflictPolicy.SKIP}

    def published(self) -> Entry:
        """What was published; only where ``entry`` is not None."""
        wire = self.entry or {}
        modified = wire.get("modified")
        if modified is not None:
            # Python 3.10 does not know the Z.
            modified = datetime.fromisoformat(modified.replace("Z", "+00:00"))
        return Entry(**{**wire, "modified": modified})

    def record(self, *, active: bool = False) -> UploadRecord:
        """What faces show."""
        return UploadRecord(
            self.id,
            self.path,
            self.size,
            self.offset,
            created=_moment(self.created),
            conflict=ConflictPolicy(self.conflict),
            modified=None if self.modified is None else _moment(self.modified),
            sample=self.sample,
            active=active,
        )


def identity(path: str, size: int, modified: float | None, sample: str, owner: str | None) -> str:
    """Make the ID that the upload of one file to one place has each time.

    So it is found again without a look at all others, and one whose beginning was asked for
    twice, since the answer was lost, is one upload.
    """
    # Browsers know times to the millisecond.
    rounded = None if modified is None else round(modified * 1000)
    text = json.dumps([path, size, rounded, sample, owner])
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


class States:
    """The states of all uploads.

    Parameters
    ----------
    directory : Path
        Made with mode 0700 when the first is saved.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def file(self, identifier: str) -> Path:
        """Where the state of one upload lies.

        Raises
        ------
        NotFound
            If it cannot be the ID of any.
        """
        if not _ID.fullmatch(identifier):
            raise NotFound("There is no such upload", hint=BEGIN_AGAIN)
        return self.directory / f"{identifier}.json"

    def load(self, identifier: str) -> State:
        """Read one.

        Raises
        ------
        NotFound
        """
        try:
            return State(**json.loads(self.file(identifier).read_text("utf-8")))
        except FileNotFoundError:
            raise NotFound("There is no such upload", hint=BEGIN_AGAIN) from None
        except (TypeError, ValueError) as error:
            raise NotFound("The upload's state cannot be read", hint=BEGIN_AGAIN) from error
        except OSError as error:
            raise from_os_error(error, str(self.directory)) from error

    def __iter__(self) -> Iterator[State]:
        for file in sorted(self.directory.glob("*.json")):
            with suppress(NotFound):
                yield self.load(file.stem)

    def save(self, state: State) -> None:
        """Write one, in place of what was known before."""
        self.make_directory()
        temporary = self.directory / f"{state.id}.{uuid4().hex}.tmp"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(state), file)
        temporary.replace(self.file(state.id))

    def forget(self, state: State) -> None:
        """Delete one, and the bytes that were staged for it."""
        Path(state.staged).unlink(missing_ok=True)
        self.file(state.id).unlink(missing_ok=True)

    def make_directory(self) -> None:
        """Make the directory, for this user only."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
