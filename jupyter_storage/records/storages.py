"""Storages and mounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["ApplyPlan", "ApplyStep", "MountRecord", "NodeMountRecord", "StorageRecord"]


@dataclass(frozen=True, slots=True)
class StorageRecord:
    """One storage that was created here.

    Attributes
    ----------
    store : {'s3', 'gcs', 'local'}
    command : str
        What created it.
    status : str
        ``INIT`` while it is being made, ``READY``, ``UPLOAD_FAILED`` where not all of the source
        arrived, ``DELETING`` while it is being deleted or was interrupted in that. Where it is
        looked at: ``GONE`` if the bucket is no longer there, ``UNREACHABLE`` if nobody can tell.
    uri : str
        Where the objects are.
    kind : {'bucket', 'prefix'}
        A bucket of its own, or a part of the artifacts.
    persistent : bool
        Whether it stays when the workload ends.
    """

    name: str
    created: datetime
    store: str
    command: str
    status: str
    uri: str
    kind: Literal["bucket", "prefix"]
    persistent: bool = True


@dataclass(frozen=True, slots=True)
class ApplyStep:
    """One thing that a document asks for.

    Attributes
    ----------
    action : {'create', 'upload', 'copy', 'mount', 'keep'}
        ``keep``: it is as it should be.
    source : str
        Path or URI.
    target : str
        Path or URI.
    files, bytes : int
        That have to be moved, as far as that is known before.
    note : str
        What else a person should know.
    """

    action: Literal["create", "upload", "copy", "mount", "keep"]
    source: str
    target: str
    files: int = 0
    bytes: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    """What applying a document would do: the answer to a dry run.

    Attributes
    ----------
    steps : tuple of ApplyStep
    files, bytes : int
        That have to be moved.
    unmountable : str
        Why what is to be mounted cannot be, on this machine; empty where it can. Copies can stand
        in.
    """

    steps: tuple[ApplyStep, ...]
    files: int
    bytes: int
    unmountable: str = ""


@dataclass(frozen=True, slots=True)
class MountRecord:
    """One mount.

    Attributes
    ----------
    id : str
        The same as long as something is mounted at the target.
    target : str
        The directory.
    uri : str
        What appears there.
    mode : {'MOUNT', 'MOUNT_CACHED', 'COPY'}
        ``COPY``: a copy in place of a mount, whose changes are brought back on request.
    mounter : str
        The program that serves it; ``reason`` says why this one.
    state : {'ok', 'dead', 'hanging', 'missing', 'incomplete'}
        ``missing``: it is not mounted and should be. ``incomplete``: not all of a copy is here.
    read_only : bool
    pending : int
        Files of MOUNT_CACHED and of a copy that are not uploaded yet; ``waiting`` names the first
        of them.
    """

    id: str
    target: str
    uri: str
    mode: Literal["MOUNT", "MOUNT_CACHED", "COPY"]
    mounter: str
    reason: str
    state: Literal["ok", "dead", "hanging", "missing", "incomplete"]
    created: datetime
    read_only: bool = False
    pending: int = 0
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeMountRecord:
    """What is on one node of a cluster of what is to be on all of them.

    Attributes
    ----------
    node : str
        Its address.
    target, uri, mode
        As in :class:`MountRecord`.
    state : str
        As in :class:`MountRecord`; or ``failed``, and ``error`` says why.
    pending : int
        Files that are not uploaded yet.
    """

    node: str
    target: str
    uri: str
    mode: str
    state: str
    error: str = ""
    pending: int = 0
