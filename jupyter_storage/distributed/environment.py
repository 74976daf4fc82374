"""Variables by which workers find tiers as the driver does."""

from __future__ import annotations

import os

from jupyter_storage.config import Settings, WorkloadKind, key_part

__all__ = ["worker_environment"]

# Who one is and where, without being a secret: names, files and addresses.
_REFERENCES = (
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "STORAGE_EMULATOR_HOST",
)


def worker_environment(
    settings: Settings, workload: WorkloadKind | None = None, workload_id: str | None = None
) -> dict[str, str]:
    """Say what workers need in their environment; it holds no secret.

    Parameters
    ----------
    settings : Settings
    workload, workload_id : str, optional
        What the ``cluster`` tier is scoped to, where that is not this process's own workload.
    """
    values = settings.environment()
    # It follows from the machine's name unless it is chosen, and workers are other machines.
    values["JUPYTER_STORAGE_WORKLOAD_ID"] = settings.workload_id
    if workload is not None:
        values["JUPYTER_STORAGE_WORKLOAD"] = workload
    if workload_id is not None:
        values["JUPYTER_STORAGE_WORKLOAD_ID"] = key_part(workload_id)
    values = {name: value for name, value in values.items() if value}
    for name in _REFERENCES:
        if os.environ.get(name):
            values[name] = os.environ[name]
    return values
