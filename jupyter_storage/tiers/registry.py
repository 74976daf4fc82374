"""From settings to tiers: the five that everybody has, and those an administrator adds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_storage.config import DEFAULT_ROOT, Settings
from jupyter_storage.paths import split_uri
from jupyter_storage.tiers.tier import Tier

__all__ = ["MOUNT_POINT", "build_tiers", "options_for", "workload_prefix"]

MOUNT_POINT = Path("/mnt")

# name: (scope, lifetime, purpose)
_WORDS = {
    "local": (
        "this node only",
        "gone with the node",
        "Fast scratch space on this machine's own disk",
    ),
    "cluster": (
        "every node of this {workload}",
        "until the {workload} ends; empty in a clone and in every new job run",
        "Files that all nodes need, TensorBoard logs",
    ),
    "user": (
        "you, on all of your clusters",
        "across clusters, until deleted by hand",
        "Personal scripts and configuration",
    ),
    "shared": (
        "everyone in the cloud",
        "until deleted by hand",
        "Checkpoints and artifacts for the team; no place for secrets",
    ),
    "artifacts": (
        "everyone in the cloud",
        "until deleted by hand",
        "Data sets, large files, production",
    ),
}


def build_tiers(settings: Settings) -> dict[str, Tier]:
    """List the tiers in the order in which faces show them.

    Parameters
    ----------
    settings : Settings
        Nothing is touched or asked: building is free of I/O but for a look at ``/mnt``.

    Returns
    -------
    dict
        Name → tier; the five first, then the administrator's.
    """
    tiers = {name: _default(name, settings) for name in _WORDS}
    for name, configured in settings.tiers.items():
        tiers[name] = _configured(name, configured, tiers.get(name), settings)
    return tiers


def workload_prefix(settings: Settings, suffix: str = "cluster_storage") -> str:
    """Prefix of a workload's own data in the bucket's system area.

    Parameters
    ----------
    settings : Settings
        Says which workload it is.
    suffix : str
        What of the workload: job queues and services have none.

    Returns
    -------
    str
        For example ``workspaces/{WORKSPACE_ID}/cluster_storage``.
    """
    identifier = settings.workload_id
    return {
        "workspace": f"workspaces/{identifier}/{suffix}",
        "job": f"job/{identifier}/{suffix}",
        "job_queue": f"job_queue/{identifier}",
        "service": f"service/{identifier}",
    }[settings.workload]


def options_for(uri: str, settings: Settings) -> dict[str, Any]:
    """Store options that apply to a URI: those of the longest configured prefix.

    Parameters
    ----------
    uri : str
        A root or something below it.
    settings : Settings

    Returns
    -------
    dict
        With the default bucket's region, where the URI is in that bucket and names none.
    """
    options: dict[str, Any] = {}
    matches = [p for p in settings.store_options if uri == p or uri.startswith(p + "/")]
    if matches:
        options.update(settings.store_options[max(matches, key=len)])
    in_default = uri == settings.bucket or uri.startswith(settings.bucket + "/")
    if in_default and settings.bucket_region and uri.startswith("s3://"):
        options.setdefault("region", settings.bucket_region)
    return options


def _default(name: str, settings: Settings) -> Tier:
    scope, lifetime, purpose = (
        text.format(workload=settings.workload.replace("_", " ")) for text in _WORDS[name]
    )
    tier = Tier(name, "", scope, lifetime, purpose)
    if name == "artifacts":
        return replace(
            tier,
            uri=settings.artifacts,
            path=_directory(settings.artifacts),
            quota=settings.artifacts_quota or None,
            options=options_for(settings.artifacts, settings),
        )
    below = {
        "local": "local_storage",
        "cluster": workload_prefix(settings),
        "user": f"users/{settings.user_id}/user_storage",
        "shared": "shared_storage",
    }[name]
    if settings.network_backing == "bucket" and name != "local":
        uri = f"{settings.system_uri}/{below}"
        tier = replace(tier, uri=uri, path=_directory(uri), options=options_for(uri, settings))
        if tier.path is not None or settings.mount_tiers == "no":
            return tier
        # Each workload has a place of its own: two servers may run on one machine.
        alias = None if settings.root_chosen else MOUNT_POINT / f"{name}_storage"
        return replace(tier, mounted=settings.root / "mounted" / below, alias=alias)
    backing = settings.root / below
    if settings.root_chosen:
        return replace(tier, uri=backing.as_uri(), path=backing)
    alias = MOUNT_POINT / f"{name}_storage"
    target = Path(os.path.realpath(alias))
    if target != backing.resolve() and _is_below_a_root(target, settings):
        # Another workload's link, or another person's: what it leads to is not ours to use.
        return replace(tier, uri=backing.as_uri(), path=backing)
    if os.path.isdir(alias):  # noqa: PTH112 (it raises nothing)
        # The platform mounted it, or it is our own link.
        return replace(tier, uri=alias.as_uri(), path=alias)
    return replace(tier, uri=backing.as_uri(), path=backing, alias=alias)


def _is_below_a_root(target: Path, settings: Settings) -> bool:
    # The roots of others are recognised by the name that a root has where nobody chose one.
    elsewhere = any(parent.match(str(DEFAULT_ROOT)) for parent in target.parents)
    return elsewhere or settings.root.resolve() in target.parents


def _configured(
    name: str, configured: Mapping[str, Any], default: Tier | None, settings: Settings
) -> Tier:
    base = default or Tier(
        name, "", "whoever can reach it", "until deleted by hand", "Added by configuration"
    )
    uri = str(configured["uri"]).rstrip("/")
    if "://" not in uri:
        local = Path(uri).expanduser()
        uri = (local if local.is_absolute() else settings.project / local).as_uri()
    else:
        split_uri(uri)
    return replace(
        base,
        uri=uri,
        path=_directory(uri),
        alias=None,
        scope=configured.get("scope", base.scope),
        lifetime=configured.get("lifetime", base.lifetime),
        purpose=configured.get("purpose", base.purpose),
        quota=configured.get("quota", base.quota),
        options={**options_for(uri, settings), **configured.get("options", {})},
    )


def _directory(uri: str) -> Path | None:
    scheme, _, key = split_uri(uri)
    return Path("/" + key) if scheme == "file" else None
