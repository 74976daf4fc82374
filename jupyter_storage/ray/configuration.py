"""Where Ray's experiments lie: ``RunConfig`` for a new one, and what ``Tuner.restore`` takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jupyter_storage.commands.session import session
from jupyter_storage.errors import AlreadyExists, InvalidPath, NotFound, Unsupported
from jupyter_storage.paths import clean_key, split_uri

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from jupyter_storage.service import Service

__all__ = ["location", "run_config"]


def run_config(
    name: str,
    tier: str = "artifacts",
    *,
    library: Literal["tune", "train"] = "tune",
    resume: bool = False,
    **options: Any,
) -> Any:
    """Make Ray's own ``RunConfig`` for an experiment on a tier.

    Parameters
    ----------
    name : str
        Of the experiment: its directory in the tier.
    tier : str
        A tier's name (``artifacts``), a path (``shared:team``), a URI or a local directory.
    library : {'tune', 'train'}
        Whose ``RunConfig``: Tune's or Train's.
    resume : bool
        Go on with an experiment of that name if there is one, as a Trainer does.
    **options
        For ``RunConfig``: ``checkpoint_config``, ``failure_config``, ``callbacks``, …

    Returns
    -------
    ray.tune.RunConfig or ray.train.RunConfig

    Raises
    ------
    AlreadyExists
        If there is something of that name.
    InvalidRequest
        If the cluster has several nodes, and not all of them see the tier.
    NotFound
        If there is no such tier.
    Protected
        Where system data lies.

    Notes
    -----
    For tiers that are directories, this connects to Ray if nothing has yet.

    Examples
    --------
    >>> run_config("cats", "shared").storage_path  # doctest: +SKIP
    '/mnt/shared_storage'
    """
    service = session.service()
    path, uri, store_options = _reference(service, name, tier, to_write=True)
    if not resume and _is_in_use(service, path):
        raise AlreadyExists(
            "There is an experiment of that name",
            path=path,
            hint="Choose another name. To go on with it: Tuner.restore(**location(name, tier), "
            "trainable=…), or with Train: run_config(…, resume=True).",
        )
    if uri.startswith("file://"):
        from jupyter_storage.distributed.nodes import check_shared

        parent = _local(uri).parent
        check_shared(parent, tier)
        place: dict[str, Any] = {"storage_path": str(parent)}
    else:
        filesystem, inside = _filesystem(uri, store_options)
        place = {
            "storage_path": inside.rpartition("/")[0],
            "storage_filesystem": filesystem,
        }
    return _class(library)(name=name, **place, **options)


def location(name: str, tier: str = "artifacts") -> dict[str, Any]:
    """Say where an experiment is, as ``Tuner.restore`` takes it.

    Parameters
    ----------
    name : str
        Of the experiment.
    tier : str
        As in :func:`run_config`.

    Returns
    -------
    dict
        ``path`` and ``storage_filesystem``.

    Raises
    ------
    NotFound
        If there is no such experiment.

    Examples
    --------
    >>> Tuner.restore(**location("cats"), trainable=train, resume_errored=True)  # doctest: +SKIP
    """
    service = session.service()
    path, uri, store_options = _reference(service, name, tier, to_write=False)
    if not _is_in_use(service, path):
        raise NotFound(
            "There is no such experiment",
            path=path,
            hint="'jupyter storage experiments list' shows those that there are.",
        )
    if uri.startswith("file://"):
        return {"path": str(_local(uri)), "storage_filesystem": None}
    filesystem, inside = _filesystem(uri, store_options)
    return {"path": inside, "storage_filesystem": filesystem}


def _reference(
    service: Service, name: str, tier: str, *, to_write: bool
) -> tuple[str, str, Mapping[str, Any]]:
    if clean_key(name) != name or "/" in name or not name:
        raise InvalidPath("An experiment's name is one part of a path", path=name)
    root = f"{tier}:" if tier in service.tier_names() else tier
    path = f"{root}{name}" if root.endswith((":", "/")) else f"{root}/{name}"
    uri, options = service.reference(path, to_write=to_write)
    return path, uri, options


def _is_in_use(service: Service, path: str) -> bool:
    try:
        entry = service.stat(path)
    except NotFound:
        return False
    # What is empty is left over from something that did not start.
    return not entry.is_directory or bool(service.list(path, limit=1).entries)


def _local(uri: str) -> Path:
    return Path("/" + split_uri(uri)[2])


def _filesystem(uri: str, options: Mapping[str, Any]) -> tuple[FileSystem, str]:
    try:
        from jupyter_storage.ray.filesystem import filesystem
    except ImportError as error:
        raise _missing(error) from error
    return filesystem(uri, options)


def _class(library: str) -> Any:
    try:
        if library == "train":
            from ray.train import RunConfig
        else:
            from ray.tune import RunConfig
    except ImportError as error:
        raise _missing(error) from error
    return RunConfig


def _missing(error: ImportError) -> Unsupported:
    return Unsupported(
        f"Ray is not installed: {error}", hint="Install it: pip install 'jupyter-storage[ray]'."
    )
