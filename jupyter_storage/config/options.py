"""Options as traits."""

from __future__ import annotations

from traitlets import Bool, CaselessStrEnum, Dict, Float, Int, Unicode
from traitlets.config import Configurable

from jupyter_storage.config.settings import GIGABYTE

__all__ = ["JupyterStorage"]


class JupyterStorage(Configurable):
    """Options of Jupyter Storage: ``c.JupyterStorage.…`` or ``JUPYTER_STORAGE_…``."""

    root = Unicode(
        help="Directory below which tiers that are directories lie. Empty: a tier's own path "
        "(/mnt/…) where it exists or can be made, else a directory of the user's data directory."
    ).tag(config=True)
    bucket = Unicode(
        help="The default bucket: 's3://name', 'gs://name', 'az://name', a bare name (S3), or a "
        "directory 'file:///…'. Empty: a directory below the root stands in for it."
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
    mount_tiers = CaselessStrEnum(
        ["no", "MOUNT", "MOUNT_CACHED"],
        default_value="no",
        help="Whether tiers cluster, user and shared that lie on the default bucket are mounted as "
        "directories when the server starts, so that kernels and terminals see them: MOUNT, or "
        "MOUNT_CACHED, which takes any write.",
    ).tag(config=True)
    apply_at_start = Unicode(
        help="YAML file whose 'file_mounts' are applied when the server starts."
    ).tag(config=True)
    tiers = Dict(
        help="More tiers, or others in place of the five: name → URI or directory, or a mapping "
        "with 'uri' and any of scope, lifetime, purpose, quota (bytes) and options."
    ).tag(config=True)
    add_tiers = Bool(
        True, help="Whether people may add buckets as tiers of their own in the panel."
    ).tag(config=True)
    store_options = Dict(
        help="Options per bucket: 's3://name' → mapping. For S3: profile, endpoint_url, region, "
        "anonymous; for GCS: project, credentials_file, anonymous; for Azure: "
        "account_name, endpoint_url, anonymous; anything else goes to the fsspec file system. "
        "Secrets are named, never written: access_key_env, secret_key_env, session_token_env, "
        "account_key_env, sas_token_env, connection_string_env hold names of environment variables."
    ).tag(config=True)
    artifacts_quota = Int(
        100 * GIGABYTE, min=0, help="Bytes that the artifacts tier may hold; 0: no limit."
    ).tag(config=True)
    trash_days = Float(
        30.0,
        min=0.0,
        help="Days that deleted files stay in the trash of their tier; 0: no trash.",
    ).tag(config=True)
    trash_copy_limit = Int(
        5 * GIGABYTE,
        min=0,
        help="Bytes of one deletion that a bucket copies into its trash; more is deleted for "
        "good, and the question before says so.",
    ).tag(config=True)
    concurrency = Int(32, min=1, help="Files that one transfer moves at the same time.").tag(
        config=True
    )
    bandwidth = Int(
        0, min=0, help="Bytes a second that all transfers together may move; 0 for no limit."
    ).tag(config=True)
    busy_bandwidth = Int(
        0,
        min=0,
        help="Bytes a second that all transfers of the server together may move while a kernel is "
        "busy, so that they leave it processor, disk and network; 0 for no other limit than "
        "bandwidth.",
    ).tag(config=True)
    engine = CaselessStrEnum(
        ["local", "ray", "auto"],
        default_value="local",
        help="Where cp, sync, check and du run: on this machine, over a Ray cluster, or over one "
        "where it is much ('auto').",
    ).tag(config=True)
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
