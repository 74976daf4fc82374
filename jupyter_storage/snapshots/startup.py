"""Whether the project directory comes back when a server starts, and how.

A directory that is half there must never become the newest snapshot: a marker lies in it until
the restore has succeeded, and nothing is captured before.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from jupyter_storage.errors import Cancelled, PartialFailure, StorageError, from_os_error
from jupyter_storage.paths import TEMPORARY_PREFIX
from jupyter_storage.records import RestoreProgress, RestoreRecord
from jupyter_storage.snapshots.fill import UNDER_WAY

__all__ = ["begin", "bring_back", "end", "is_wanting", "note", "progress"]

_PAUSES = (2.0, 5.0, 15.0, 60.0)
_UNTIL = (
    "Until the project directory is restored, no snapshot is taken. "
    "'jupyter storage snapshot now' takes the directory as it is."
)

# What may lie in a directory that counts as empty.
_IGNORABLE = frozenset({".ipynb_checkpoints", ".virtual_documents", "lost+found"})

# Snapshots leave such names out.
_UNFINISHED = f"{TEMPORARY_PREFIX}restoring"


def bring_back(
    is_needed: Callable[[], bool],
    restore: Callable[[], None],
    failed: Callable[[StorageError], None],
    stopping: threading.Event,
) -> bool:
    """Restore the project directory, if need be, as often as it takes.

    Parameters
    ----------
    is_needed, restore : Callable
    failed : Callable
        Called with each error, which says what a person can do.
    stopping : threading.Event
        Set to give up.

    Returns
    -------
    bool
        Whether the directory is right.
    """
    for attempt in range(2**31):
        try:
            # Somebody may take a snapshot by hand meanwhile: then the directory is right.
            if is_needed():
                restore()
        except Cancelled:
            return False
        except Exception as problem:
            error = problem
            if not isinstance(error, StorageError):
                error = StorageError(f"{type(problem).__name__}: {problem}")
            hint = f"{error.hint} {_UNTIL}"
            failed(StorageError(str(error), hint=hint))
        else:
            return True
        if stopping.wait(_PAUSES[min(attempt, len(_PAUSES) - 1)]):
            return False
    return False


def is_wanting(project: Path, excluded: Sequence[Path]) -> bool:
    """Whether a project directory is empty, or half restored; it is made where it is missing.

    Parameters
    ----------
    project : Path
    excluded : sequence of Path
        Our own, which do not count where they lie inside.
    """
    try:
        project.mkdir(parents=True, exist_ok=True)
        names = set(os.listdir(project))
    except OSError as error:
        raise from_os_error(error, str(project)) from error
    if _UNFINISHED in names:
        return True
    ours = {str(path.resolve()) for path in excluded}
    return not any(
        not name.startswith(TEMPORARY_PREFIX)
        and not _leads_to(str((project / name).resolve()), ours)
        for name in names - _IGNORABLE
    )


def begin(project: Path) -> None:
    """Mark a directory as half there; what an attempt that was killed left under way goes."""
    try:
        mark = project / _UNFINISHED
        if mark.exists():
            for path in project.rglob(f"{UNDER_WAY}*"):
                path.unlink(missing_ok=True)
        mark.touch()
    except OSError as error:
        raise from_os_error(error, str(project)) from error


def note(project: Path, progress: RestoreProgress) -> None:
    """Write into the mark how far the restore is."""
    with suppress(OSError):
        (project / _UNFINISHED).write_text(json.dumps(asdict(progress)))


def progress(project: Path) -> RestoreProgress | None:
    """Say how far a restore is, or was when it was cut off; None where the directory is right."""
    try:
        text = (project / _UNFINISHED).read_text()
    except OSError:
        return None
    try:
        return RestoreProgress(**json.loads(text))
    except (ValueError, TypeError):
        return RestoreProgress()


def end(project: Path, record: RestoreRecord | None = None) -> None:
    """Take the mark away.

    Raises
    ------
    PartialFailure
        If something could not be restored; then the mark stays.
    """
    if record is not None and record.failures:
        first = record.failures[0]
        raise PartialFailure(
            f"{len(record.failures)} files could not be restored, the first: {first.message}",
            path=first.path,
            hint=first.hint,
        )
    (project / _UNFINISHED).unlink(missing_ok=True)


def _leads_to(path: str, places: set[str]) -> bool:
    """Whether a path is one of some places, or holds nothing but the way to one."""
    if path in places:
        return True
    if not any(place.startswith(path + "/") for place in places):
        return False
    with suppress(OSError):
        return all(_leads_to(f"{path}/{name}", places) for name in os.listdir(path))
    return False
