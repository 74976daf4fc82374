"""What a transfer will do, worked out from listings alone: no input, no output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from jupyter_storage.errors import (
    AlreadyExists,
    InvalidPath,
    InvalidRequest,
    IsADirectory,
    NotADirectory,
    StorageError,
)
from jupyter_storage.paths import clean_key, is_below, join
from jupyter_storage.records import ConflictPolicy, Entry, Failure

__all__ = [
    "SKIPPED",
    "Action",
    "Landing",
    "Recall",
    "Step",
    "have_one_time",
    "is_newer",
    "landings",
    "plan",
]

Action = Literal["copy", "link", "directory", "skip", "compare", "move", "check"]

SKIPPED = "Skipped"
"""Kind of a :class:`Failure` that is listed but makes no transfer fail."""

Recall = Callable[[Entry, str], Literal["done", "begun"] | None]

# Stores round modification times: some to microseconds, some to milliseconds.
_SAME_TIME = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Attributes
    ----------
    source_key, target_key : str
    entry : Entry
        The source as it was listed.
    action : {'copy', 'link', 'directory', 'skip', 'compare', 'move', 'check'}
        ``compare``: copy it if its content is another one. ``move``: the target has it under
        another name. ``check``: say whether its content is another one.
    replaces : Entry or None
        What is at the target now, where it is known.
    origin : str or None
        Of a move: its key at the target until now.
    """

    source_key: str
    target_key: str
    entry: Entry
    action: Action
    replaces: Entry | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Landing:
    """Where one source goes.

    Attributes
    ----------
    source : int
        Its position among the sources.
    target_key : str
        The file's new key, or that of the directory that takes the contents.
    """

    source: int
    target_key: str


def landings(
    sources: Sequence[tuple[str, Entry]],
    target_key: str,
    existing: Entry | None,
    *,
    directory: bool = False,
    recursive: bool = False,
    into: bool = False,
) -> list[Landing | StorageError]:
    """Say where each source lands; ``docs/transfers.md`` has the table.

    Parameters
    ----------
    sources : sequence of (str, Entry)
        Each with the name under which it lands in a directory.
    target_key : str
        What was given as destination.
    existing : Entry or None
        What is there now.
    directory : bool
        Whether the destination was written with a trailing slash.
    recursive : bool
        Whether directories are wanted.
    into : bool
        Whether each lands in the destination under its own name.

    Returns
    -------
    list
        One for each source, in order: a :class:`Landing`, or the error that says why not. The
        error's ``path`` is not set.
    """
    several = len(sources) > 1 or into
    names: set[str] = set()
    result: list[Landing | StorageError] = []
    for number, (name, entry) in enumerate(sources):
        inside = several or (
            not entry.is_directory
            and (directory or not target_key or (existing is not None and existing.is_directory))
        )
        if entry.is_directory and not recursive:
            result.append(IsADirectory("It is a directory"))
        elif existing is not None and not existing.is_directory and (inside or entry.is_directory):
            result.append(
                NotADirectory(
                    "The destination is a file, and a directory is needed",
                    hint="Name a directory as destination.",
                )
            )
        elif inside and name in names:
            result.append(
                AlreadyExists(
                    f"Two of the sources are called '{name}'",
                    hint="Copy them one by one, under different names.",
                )
            )
        else:
            names.add(name)
            result.append(Landing(number, join(target_key, name) if inside else target_key))
    return result


def plan(
    entries: Iterable[Entry],
    *,
    source_base: str,
    target_base: str,
    existing: Callable[[str], Entry | None],
    policy: ConflictPolicy,
    source_label: str = "",
    target_label: str = "",
    keeps_links: bool = True,
    keeps_directories: bool = True,
    walked: str | None = None,
    recall: Recall | None = None,
) -> Iterator[Step | Failure]:
    """Turn a listing into steps, one at a time, in the listing's order.

    Parameters
    ----------
    entries : iterable of Entry
        As :meth:`Store.walk` yields them, or one file.
    source_base, target_base : str
        ``source_base/x`` becomes ``target_base/x``; the base itself becomes ``target_base``.
    existing : callable
        Takes a target's key, gives what is there or None. Under ``OVERWRITE`` it may as well
        always give None.
    policy : ConflictPolicy
    source_label, target_label : str
        Put before keys in failures.
    keeps_links, keeps_directories : bool
        Of the target store: see :class:`~jupyter_storage.stores.store.Store`.
    walked : str, optional
        A directory of the target store that is being listed as the source: nothing may land in
        it.
    recall : callable, optional
        Takes an entry and its target's key, and says what an earlier process did with it: then it
        is not the policy that decides about what is there.

    Yields
    ------
    Step or Failure
        For each entry exactly one.
    """
    files: list[str] = []
    slash = "/" if source_base else ""
    for entry in entries:
        target = join(target_base, entry.path[len(source_base) :].removeprefix(slash))
        source_path, target_path = source_label + entry.path, target_label + target
        try:
            _check_name(target)
            if walked is not None and is_below(target, walked):
                raise InvalidRequest(
                    f"It would land inside the directory that is being copied ({target_path})",
                    hint="Copy to another directory first.",
                )
            if keeps_directories:
                _check_tree(files, entry)
            there = existing(target)
        except StorageError as error:
            yield Failure(source_path, error.kind, error.message, error.hint)
            continue
        if entry.type == "symlink" and not keeps_links:
            yield Failure(
                source_path,
                SKIPPED,
                f"A symbolic link (to '{entry.link}') cannot be kept in object storage",
                "Copy what it points to by its own path, if you need it there.",
            )
        elif entry.is_directory:
            if there is not None and not there.is_directory:
                yield _failure(
                    target_path, NotADirectory("A file is where a directory must be", hint=_MOVE)
                )
            else:
                yield Step(entry.path, target, entry, "directory", there)
        elif there is not None and there.is_directory and there.link is None:
            yield _failure(
                target_path, IsADirectory("A directory is where a file must be", hint=_MOVE)
            )
        elif there is not None and (known := _known(entry, target, there, recall)) is not None:
            yield Step(entry.path, target, entry, known, there)
        elif there is not None and policy is ConflictPolicy.FAIL:
            yield _failure(target_path, AlreadyExists("It exists already"))
        elif there is not None and (
            policy is ConflictPolicy.SKIP
            or (policy is ConflictPolicy.NEWER and not is_newer(entry, there))
        ):
            yield Step(entry.path, target, entry, "skip", there)
        else:
            action: Action = "link" if entry.type == "symlink" else "copy"
            yield Step(entry.path, target, entry, action, there)


def _known(
    entry: Entry, target: str, there: Entry, recall: Recall | None
) -> Literal["skip", "compare"] | None:
    """What is left to be done with a file that an earlier process was about."""
    if recall is None or (entry.type, entry.size) != (there.type, there.size):
        return None
    past = recall(entry, target)
    return None if past is None else "skip" if past == "done" else "compare"


def is_newer(entry: Entry, there: Entry) -> bool:
    """Whether an entry was modified after another; so too where nobody knows.

    Links that lead to one place are the same.
    """
    if entry.link is not None and entry.link == there.link:
        return False
    if entry.modified is None or there.modified is None:
        return True
    return entry.modified - there.modified > _SAME_TIME


def have_one_time(entry: Entry, there: Entry) -> bool:
    """Whether both are known to have been modified at the same time."""
    if entry.modified is None or there.modified is None:
        return False
    return abs(entry.modified - there.modified) <= _SAME_TIME


_MOVE = "Rename or remove one of the two."


def _failure(path: str, error: StorageError) -> Failure:
    return Failure(path, error.kind, error.message, error.hint)


def _check_name(target: str) -> None:
    """Refuse names that other programs may have put into a bucket: ``a//b``, ``../c``."""
    if target and clean_key(target) != target:
        raise InvalidPath("The name begins or ends with a slash, or has an empty part")


def _check_tree(files: list[str], entry: Entry) -> None:
    """Find objects ``a`` and ``a/b``, which no directory can hold side by side.

    Object stores list by key, so what begins with ``a`` follows ``a`` at once: it is enough to
    remember the files whose keys the present one begins with.
    """
    while files and not entry.path.startswith(files[-1]):
        files.pop()
    for file in files:
        if entry.path.startswith(file + "/"):
            raise NotADirectory(
                f"'{file}' is a file and also holds others, which only object storage can keep",
                hint="Rename one of the two.",
            )
    if not entry.is_directory:
        files.append(entry.path)
