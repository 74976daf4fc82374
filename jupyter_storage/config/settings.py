"""The configuration after precedence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jupyter_core.paths import jupyter_data_dir

from jupyter_storage.paths import split_uri

__all__ = ["GIGABYTE", "EngineName", "Settings", "WorkloadKind"]

WorkloadKind = Literal["workspace", "job", "job_queue", "service"]

EngineName = Literal["local", "ray", "auto"]

GIGABYTE = 10**9


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration after precedence: what every floor above works with.

    Attributes
    ----------
    root : Path
        Where tiers without a place of their own lie.
    root_chosen : bool
        Whether a person chose the root (then /mnt is left alone).
    workload_id_chosen : bool
        Whether a person chose the ID; else it follows from user, machine and project directory.
    bucket, artifacts : str
        URIs without a trailing slash.
    tiers, store_options : mapping
        As configured; values are checked where they are used.
    added : frozenset of str
        Names of the tiers that a person added in the panel.
    project : Path
        The project directory.
    """

    root: Path
    root_chosen: bool
    bucket: str
    bucket_region: str
    artifacts: str
    org_id: str
    cloud_id: str
    user_id: str
    workload: WorkloadKind
    workload_id: str
    workload_id_chosen: bool
    network_backing: Literal["directory", "bucket"]
    project: Path
    mount_tiers: Literal["no", "MOUNT", "MOUNT_CACHED"] = "no"
    apply_at_start: str = ""
    tiers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    added: frozenset[str] = frozenset()
    add_tiers: bool = True
    store_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifacts_quota: int = 100 * GIGABYTE
    trash_days: float = 30.0
    trash_copy_limit: int = 5 * GIGABYTE
    concurrency: int = 32
    check_timeout: float = 5.0
    snapshots: bool = True
    snapshot_interval: float = 2.0
    snapshot_gitignore: bool = True
    snapshot_checkpoints: bool = True
    snapshot_bandwidth: int = 0
    bandwidth: int = 0
    busy_bandwidth: int = 0
    engine: EngineName = "local"
    snapshot_shutdown_timeout: float = 20.0
    snapshot_retention: str = "all for 1h, every 10m for 1d, every 1h for 7d, every 1d for 30d"
    snapshot_uri: str = ""
    snapshot_password_file: str = ""
    snapshot_no_password: bool = False

    @property
    def system_uri(self) -> str:
        """Prefix of system data: ``<bucket>/<org_id>/<cloud_id>``, which holds the artifacts."""
        return self.artifacts.rpartition("/")[0]

    @property
    def data_directory(self) -> Path:
        """Private directory for state of this user on this machine."""
        return Path(jupyter_data_dir()) / "storage"

    def environment(self) -> dict[str, str]:
        """Variables for kernels, terminals and workers, from which :func:`resolve` comes back.

        Returns
        -------
        dict
            Ours and the platform's names. It holds no secret.
        """
        values: dict[str, str] = {
            "JUPYTER_STORAGE_BUCKET": self.bucket,
            "JUPYTER_STORAGE_BUCKET_REGION": self.bucket_region,
            "JUPYTER_STORAGE_ARTIFACTS": self.artifacts + "/",
            "JUPYTER_STORAGE_ORG_ID": self.org_id,
            "JUPYTER_STORAGE_CLOUD_ID": self.cloud_id,
            "JUPYTER_STORAGE_USER_ID": self.user_id,
            "JUPYTER_STORAGE_WORKLOAD": self.workload,
            "JUPYTER_STORAGE_NETWORK_BACKING": self.network_backing,
            "JUPYTER_STORAGE_MOUNT_TIERS": self.mount_tiers,
            "JUPYTER_STORAGE_APPLY_AT_START": self.apply_at_start,
            "JUPYTER_STORAGE_PROJECT": str(self.project),
            "JUPYTER_STORAGE_TIERS": json.dumps(dict(self.tiers)),
            "JUPYTER_STORAGE_ADD_TIERS": str(self.add_tiers).lower(),
            "JUPYTER_STORAGE_STORE_OPTIONS": json.dumps(dict(self.store_options)),
            "JUPYTER_STORAGE_ARTIFACTS_QUOTA": str(self.artifacts_quota),
            "JUPYTER_STORAGE_TRASH_DAYS": str(self.trash_days),
            "JUPYTER_STORAGE_TRASH_COPY_LIMIT": str(self.trash_copy_limit),
            "JUPYTER_STORAGE_CONCURRENCY": str(self.concurrency),
            "JUPYTER_STORAGE_ENGINE": self.engine,
            "JUPYTER_STORAGE_CHECK_TIMEOUT": str(self.check_timeout),
            "JUPYTER_STORAGE_SNAPSHOTS": str(self.snapshots).lower(),
            "JUPYTER_STORAGE_SNAPSHOT_INTERVAL": str(self.snapshot_interval),
            "JUPYTER_STORAGE_SNAPSHOT_GITIGNORE": str(self.snapshot_gitignore).lower(),
            "JUPYTER_STORAGE_SNAPSHOT_CHECKPOINTS": str(self.snapshot_checkpoints).lower(),
            "JUPYTER_STORAGE_BANDWIDTH": str(self.bandwidth),
            "JUPYTER_STORAGE_BUSY_BANDWIDTH": str(self.busy_bandwidth),
            "JUPYTER_STORAGE_SNAPSHOT_BANDWIDTH": str(self.snapshot_bandwidth),
            "JUPYTER_STORAGE_SNAPSHOT_SHUTDOWN_TIMEOUT": str(self.snapshot_shutdown_timeout),
            "JUPYTER_STORAGE_SNAPSHOT_RETENTION": self.snapshot_retention,
            "JUPYTER_STORAGE_SNAPSHOT_URI": self.snapshot_uri,
            "JUPYTER_STORAGE_SNAPSHOT_PASSWORD_FILE": self.snapshot_password_file,
            "JUPYTER_STORAGE_SNAPSHOT_NO_PASSWORD": str(self.snapshot_no_password).lower(),
        }
        if self.workload_id_chosen:
            values["JUPYTER_STORAGE_WORKLOAD_ID"] = self.workload_id
        if self.root_chosen:
            values["JUPYTER_STORAGE_ROOT"] = str(self.root)
        _, name, key = split_uri(self.bucket)
        values["ANYSCALE_CLOUD_STORAGE_BUCKET"] = name or f"/{key}"
        if self.bucket_region:
            values["ANYSCALE_CLOUD_STORAGE_BUCKET_REGION"] = self.bucket_region
        values["ANYSCALE_ARTIFACT_STORAGE"] = self.artifacts + "/"
        return values
