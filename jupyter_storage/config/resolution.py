"""From configuration files, environment and command line to :class:`Settings`."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_config_path, jupyter_data_dir
from traitlets import Bool, Dict, Float, Int
from traitlets.config import Config
from traitlets.config.loader import (
    ConfigFileNotFound,
    JSONFileConfigLoader,
    PyFileConfigLoader,
)

from jupyter_storage.config.added import load_added
from jupyter_storage.config.options import JupyterStorage
from jupyter_storage.config.settings import Settings
from jupyter_storage.errors import InvalidRequest
from jupyter_storage.paths import split_uri

__all__ = ["DEFAULT_ROOT", "check_tiers", "key_part", "load_config", "resolve"]

# Below Jupyter's data directory.
DEFAULT_ROOT = Path("storage/tiers")
FIVE = ("local", "cluster", "user", "shared", "artifacts")
_SECRET_OPTION = re.compile(r"(?i)(secret|token|password|key)(?!.*(_env|_file)$)")

# Names that the managed platform sets; ours win where both are there.
_PLATFORM_NAMES = {
    "bucket": ("ANYSCALE_CLOUD_STORAGE_BUCKET",),
    "bucket_region": ("ANYSCALE_CLOUD_STORAGE_BUCKET_REGION",),
    "artifacts": ("ANYSCALE_ARTIFACT_STORAGE",),
}


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
    root = Path(options.root).expanduser() if chosen else Path(jupyter_data_dir()) / DEFAULT_ROOT
    root = root if root.is_absolute() else Path.cwd() / root
    bucket = _bucket(options, root)
    artifacts = options.artifacts.rstrip("/") or (
        f"{bucket}/{key_part(options.org_id)}/{key_part(options.cloud_id)}/artifact_storage"
    )
    split_uri(artifacts)
    tiers = check_tiers(options.tiers)
    added = check_tiers(
        {name: tier for name, tier in load_added().items() if name not in {*FIVE, *tiers}}
    )
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
        mount_tiers=options.mount_tiers,
        apply_at_start=options.apply_at_start,
        project=project,
        tiers={**added, **tiers},
        added=frozenset(added),
        add_tiers=options.add_tiers,
        store_options=_store_options(options.store_options),
        artifacts_quota=options.artifacts_quota,
        trash_days=options.trash_days,
        trash_copy_limit=options.trash_copy_limit,
        concurrency=options.concurrency,
        engine=options.engine,
        check_timeout=options.check_timeout,
        snapshots=options.snapshots,
        snapshot_interval=options.snapshot_interval,
        snapshot_gitignore=options.snapshot_gitignore,
        snapshot_checkpoints=options.snapshot_checkpoints,
        bandwidth=options.bandwidth,
        busy_bandwidth=options.busy_bandwidth,
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


def check_tiers(configured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Check tiers as they are configured, and give them in one form.

    Raises
    ------
    InvalidRequest
        For a name that is none, an unknown field, or a secret written out.
    """
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
