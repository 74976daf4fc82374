"""Configuration: traits, environment variables, and the settings that come of them.

Precedence: command line > environment > configuration files > default. The result is a frozen
:class:`Settings`, which is all that the floors above ever see; :meth:`Settings.environment`
hands it on to kernels, terminals and worker processes.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jupyter_core.paths import jupyter_config_path, jupyter_data_dir
from traitlets import Bool, CaselessStrEnum, Dict, Float, Int, Unicode
from traitlets.config import Config, Configurable
from traitlets.config.loader import (
    ConfigFileNotFound,
    JSONFileConfigLoader,
    PyFileConfigLoader,
)

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.paths import split_uri

__all__ = ["JupyterStorage", "Settings", "WorkloadKind", "key_part", "load_config", "resolve"]

WorkloadKind = Literal["workspace", "job", "job_queue", "service"]

GIGABYTE = 10**9
_SECRET_OPTION = re.compile(r"(?i)(secret|token|password|key)(?!.*(_env|_file)$)")


class JupyterStorage(Configurable):
    """Options of Jupyter Storage: ``c.JupyterStorage.…`` or ``JUPYTER_STORAGE_…``."""

    root = Unicode(
        help="Directory below which tiers that are directories lie. Empty: a tier's own path "
        "(/mnt/…) where it exists or can be made, else a directory of the user's data directory."
    ).tag(config=True)
    bucket = Unicode(
        help="The default bucket: 's3://name', 'gs://name', a bare name (S3), or a directory "
        "'file:///…'. Empty: a directory below the root stands in for it."
    ).tag(config=True)
    bucket_region = Unicode(help="Region of the default bucket.").tag(config=True)
    artifacts = Unicode(
        help="URI of the artifacts tier. Empty: <bucket>/<org_id>/<cloud_id>/artifact_storage/."
    ).tag(config=True)
    org_id = Unicode("default", help="Organization that the data belongs to.").tag(config=True)
    cloud_id = Unicode("default", help="Cloud, a team's part of it.").tag(config=True)
    user_id = Unicode(help="Whose 'user' tier it is. Empty: the login name.").tag(config=True)
    workload = CaselessStrEnum(
        ["workspace", "job", "job_queue", "service"],
        default_value="workspace",
        help="What the 'cluster' tier is scoped to.",
    ).tag(config=True)
    workload_id = Unicode(
        help="ID of the workload. Empty: made from user, machine and project directory; set it "
        "where a workspace should come back on another machine."
    ).tag(config=True)
    network_backing = CaselessStrEnum(
        ["directory", "bucket"],
        default_value="directory",
        help="What the tiers cluster, user and shared lie on: directories, or the default bucket.",
    ).tag(config=True)
    tiers = Dict(
        help="More tiers, or others in place of the five: name → URI or directory, or a mapping "
        "with 'uri' and any of scope, lifetime, purpose, quota (bytes) and options."
    ).tag(config=True)
    store_options = Dict(
        help="Options per bucket: 's3://name' → mapping. For S3: profile, endpoint_url, region, "
        "anonymous; for GCS: project, credentials_file, anonymous; anything else goes to the "
        "fsspec file system. Secrets are named, never written: access_key_env, secret_key_env, "
        "session_token_env hold names of environment variables."
    ).tag(config=True)
    artifacts_quota = Int(
        100 * GIGABYTE, min=0, help="Bytes that the artifacts tier may hold; 0: no limit."
    ).tag(config=True)
    concurrency = Int(8, min=1, help="Files that one transfer moves at the same time.").tag(
        config=True
    )
    check_timeout = Float(
        5.0, min=0.1, help="Seconds after which a tier that does not answer is unreachable."
    ).tag(config=True)
    snapshots = Bool(True, help="Whether the project directory is snapshotted.").tag(config=True)
    snapshot_interval = Float(
        2.0,
        min=0.1,
        help="Seconds after a change until a snapshot is taken; half of that where none follows.",
    ).tag(config=True)
    snapshot_gitignore = Bool(
        True, help="Whether snapshots leave out what .gitignore names, in work trees of git."
    ).tag(config=True)
    snapshot_checkpoints = Bool(
        True, help="Whether Jupyter's checkpoints offer the versions that snapshots have."
    ).tag(config=True)
    snapshot_bandwidth = Int(
        0, min=0, help="Bytes a second that snapshots may write, on average; 0 for no limit."
    ).tag(config=True)
    snapshot_shutdown_timeout = Float(
        20.0,
        min=0.0,
        help="Seconds that the last snapshot has when the server stops. JupyterHub and Kubernetes "
        "end it by force after 30.",
    ).tag(config=True)
    snapshot_retention = Unicode(
        "all for 1h, every 10m for 1d, every 1h for 7d, every 1d for 30d",
        help="Which snapshots stay: rules such as 'every 1h for 7d', with s, m, h, d and w; or "
        "'all forever'. The newest, pinned ones and those with a name always stay.",
    ).tag(config=True)
    snapshot_uri = Unicode(
        help="Prefix below which repositories lie. Empty: beside the artifacts in the default "
        "bucket."
    ).tag(config=True)
    snapshot_password_file = Unicode(
        help="File with the repository's password. Empty: one is made and kept beside the "
        "repository, so that whoever can read the bucket can read the snapshots."
    ).tag(config=True)
    snapshot_no_password = Bool(
        help="Whether the repository has an empty password: for a bucket that nobody else can "
        "read. Stock restic opens it from 0.17 on, with --insecure-no-password."
    ).tag(config=True)


# Names that the managed platform sets; ours win where both are there.
_PLATFORM_NAMES = {
    "bucket": ("ANYSCALE_CLOUD_STORAGE_BUCKET",),
    "bucket_region": ("ANYSCALE_CLOUD_STORAGE_BUCKET_REGION",),
    "artifacts": ("ANYSCALE_ARTIFACT_STORAGE",),
}


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
    tiers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    store_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifacts_quota: int = 100 * GIGABYTE
    concurrency: int = 8
    check_timeout: float = 5.0
    snapshots: bool = True
    snapshot_interval: float = 2.0
    snapshot_gitignore: bool = True
    snapshot_checkpoints: bool = True
    snapshot_bandwidth: int = 0
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
            "JUPYTER_STORAGE_PROJECT": str(self.project),
            "JUPYTER_STORAGE_TIERS": json.dumps(dict(self.tiers)),
            "JUPYTER_STORAGE_STORE_OPTIONS": json.dumps(dict(self.store_options)),
            "JUPYTER_STORAGE_ARTIFACTS_QUOTA": str(self.artifacts_quota),
            "JUPYTER_STORAGE_CONCURRENCY": str(self.concurrency),
            "JUPYTER_STORAGE_CHECK_TIMEOUT": str(self.check_timeout),
            "JUPYTER_STORAGE_SNAPSHOTS": str(self.snapshots).lower(),
            "JUPYTER_STORAGE_SNAPSHOT_INTERVAL": str(self.snapshot_interval),
            "JUPYTER_STORAGE_SNAPSHOT_GITIGNORE": str(self.snapshot_gitignore).lower(),
            "JUPYTER_STORAGE_SNAPSHOT_CHECKPOINTS": str(self.snapshot_checkpoints).lower(),
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


def load_config() -> Config:
    """Read ``jupyter_config``, ``jupyter_server_config`` and ``jupyter_storage_config`` files.

    Returns
    -------
    Config
        Later names win over earlier ones, a user's files over the system's: what a command sees
        is what the server sees.
    """
    config = Config()
    for name in ("jupyter_config", "jupyter_server_config", "jupyter_storage_config"):
        for directory in reversed(jupyter_config_path()):
            for loader in (PyFileConfigLoader, JSONFileConfigLoader):
                suffix = ".py" if loader is PyFileConfigLoader else ".json"
                try:
                    config.merge(loader(name + suffix, path=directory).load_config())
                except ConfigFileNotFound:
                    continue
                except Exception as error:
                    raise InvalidRequest(
                        f"The configuration file cannot be read: {error}",
                        path=str(Path(directory) / (name + suffix)),
                        hint="Correct the file, or move it away.",
                    ) from error
    return config


def resolve(
    *,
    config: Config | None = None,
    command_line: Config | None = None,
    environ: Mapping[str, str] | None = None,
    project: Path | None = None,
) -> Settings:
    """Apply the precedence and check the values.

    Parameters
    ----------
    config : Config, optional
        From configuration files.
    command_line : Config, optional
        What was said on the command line.
    environ : mapping, optional
        ``os.environ`` unless told.
    project : Path, optional
        Project directory; else ``JUPYTER_STORAGE_PROJECT``, else the current directory.

    Returns
    -------
    Settings

    Raises
    ------
    InvalidRequest
        For a value of the wrong type, a secret written out, or a URI that is none.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for source in (
        config or {},
        {"JupyterStorage": _from_environment(environ)},
        command_line or {},
    ):
        values.update(source.get("JupyterStorage", {}))
    try:
        options = JupyterStorage(config=Config({"JupyterStorage": values}))
    except Exception as error:
        raise InvalidRequest(
            f"The configuration has a wrong value: {error}",
            hint="See 'jupyter storage doctor' for what each option takes.",
        ) from error
    directory = (project or Path(environ.get("JUPYTER_STORAGE_PROJECT") or Path.cwd())).resolve()
    return _settings(options, directory, environ)


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, trait in JupyterStorage.class_traits(config=True).items():
        names = (f"JUPYTER_STORAGE_{name.upper()}", *_PLATFORM_NAMES.get(name, ()))
        if name == "workload_id":
            names = (*names, "JUPYTER_STORAGE_WORKSPACE_ID", "ANYSCALE_WORKSPACE_ID")
        text = next((environ[n] for n in names if environ.get(n)), None)
        if text is None:
            continue
        try:
            values[name] = _convert(trait, text)
        except (ValueError, json.JSONDecodeError) as error:
            raise InvalidRequest(
                f"The environment variable {names[0]} has a wrong value: {error}",
                hint=str(trait.help),
            ) from error
    return values


def _convert(trait: object, text: str) -> Any:
    if isinstance(trait, Bool):
        lowered = text.strip().lower()
        if lowered not in {"1", "0", "true", "false", "yes", "no", "on", "off"}:
            raise ValueError(f"'{text}' is neither true nor false")
        return lowered in {"1", "true", "yes", "on"}
    if isinstance(trait, Int):
        return int(text)
    if isinstance(trait, Float):
        return float(text)
    if isinstance(trait, Dict):
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError("it must be a JSON object")
        return value
    return text


def _settings(options: JupyterStorage, project: Path, environ: Mapping[str, str]) -> Settings:
    chosen = bool(options.root)
    root = Path(options.root).expanduser() if chosen else Path(jupyter_data_dir()) / "storage/tiers"
    root = root if root.is_absolute() else Path.cwd() / root
    bucket = _bucket(options, root)
    artifacts = options.artifacts.rstrip("/") or (
        f"{bucket}/{key_part(options.org_id)}/{key_part(options.cloud_id)}/artifact_storage"
    )
    split_uri(artifacts)
    user = options.user_id or environ.get("JUPYTERHUB_USER") or getpass.getuser()
    return Settings(
        root=root,
        root_chosen=chosen,
        bucket=bucket,
        bucket_region=options.bucket_region,
        artifacts=artifacts,
        org_id=options.org_id,
        cloud_id=options.cloud_id,
        user_id=key_part(user),
        workload=options.workload,
        workload_id=key_part(options.workload_id or _workload_id(user, project, environ)),
        workload_id_chosen=bool(options.workload_id),
        network_backing=options.network_backing,
        project=project,
        tiers=_tiers(options.tiers),
        store_options=_store_options(options.store_options),
        artifacts_quota=options.artifacts_quota,
        concurrency=options.concurrency,
        check_timeout=options.check_timeout,
        snapshots=options.snapshots,
        snapshot_interval=options.snapshot_interval,
        snapshot_gitignore=options.snapshot_gitignore,
        snapshot_checkpoints=options.snapshot_checkpoints,
        snapshot_bandwidth=options.snapshot_bandwidth,
        snapshot_shutdown_timeout=options.snapshot_shutdown_timeout,
        snapshot_retention=options.snapshot_retention,
        snapshot_uri=options.snapshot_uri.rstrip("/"),
        snapshot_password_file=options.snapshot_password_file,
        snapshot_no_password=options.snapshot_no_password,
    )


def _bucket(options: JupyterStorage, root: Path) -> str:
    if options.bucket:
        text = options.bucket if "://" in options.bucket else f"s3://{options.bucket}"
        if options.bucket.startswith("/"):
            text = Path(options.bucket).as_uri()
    elif options.artifacts:
        scheme, name, _ = split_uri(options.artifacts)
        if scheme == "file":
            return options.artifacts.rstrip("/").rpartition("/")[0]
        text = f"{scheme}://{name}"
    else:
        text = (root / "object_store").as_uri()
    split_uri(text)
    return text.rstrip("/")


def _workload_id(user: str, project: Path, environ: Mapping[str, str]) -> str:
    """The same for the same person, place and directory, and for nobody else.

    Under JupyterHub the machine's name changes with every start, so the hub's own names serve.
    """
    if environ.get("JUPYTERHUB_USER"):
        server = environ.get("JUPYTERHUB_SERVER_NAME") or "default"
        return f"{environ['JUPYTERHUB_USER']}-{server}"
    place = f"{user}@{platform.node()}:{project}"
    return f"{project.name or 'root'}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def key_part(name: str) -> str:
    """One part of a key from a name that a person chose."""
    return re.sub(r"[^A-Za-z0-9._@+-]+", "-", name).strip(".-") or "unnamed"


def _tiers(configured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    tiers: dict[str, dict[str, Any]] = {}
    for name, value in configured.items():
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
            raise InvalidRequest(
                f"'{name}' cannot be a tier's name",
                hint="A name has letters, digits, '-' and '_', and begins with a letter.",
            )
        entry: dict[str, Any] = {"uri": value} if isinstance(value, str) else dict(value)
        unknown = set(entry) - {"uri", "scope", "lifetime", "purpose", "quota", "options"}
        if not entry.get("uri") or unknown:
            raise InvalidRequest(
                f"The tier '{name}' is configured wrongly"
                + (f": it does not take {', '.join(sorted(unknown))}" if unknown else ""),
                hint="It takes 'uri', and scope, lifetime, purpose, quota and options if need be.",
            )
        if "options" in entry:
            _refuse_secrets(name, entry["options"])
        tiers[name] = entry
    return tiers


def _store_options(configured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    for name, value in configured.items():
        _refuse_secrets(name, value)
    return {name.rstrip("/"): dict(value) for name, value in configured.items()}


def _refuse_secrets(name: str, options: Mapping[str, Any]) -> None:
    for option in options:
        if _SECRET_OPTION.search(option):
            raise InvalidRequest(
                f"The configuration of '{name}' holds a secret in '{option}'",
                hint="Name it instead: a profile, 'access_key_env' and 'secret_key_env' with the "
                "names of environment variables, or 'credentials_file'.",
            )
