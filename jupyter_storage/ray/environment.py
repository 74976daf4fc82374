"""What workers need to find tiers as the driver does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from jupyter_storage.commands.session import session
from jupyter_storage.config import WorkloadKind
from jupyter_storage.distributed.environment import worker_environment
from jupyter_storage.errors import CredentialsMissing, InvalidRequest

__all__ = ["runtime_env"]


def runtime_env(
    *,
    workload: WorkloadKind | None = None,
    workload_id: str | None = None,
    secrets: Sequence[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """Make a runtime environment in which tier paths mean on workers what they mean here.

    Parameters
    ----------
    workload : {'workspace', 'job', 'job_queue', 'service'}, optional
        What the ``cluster`` tier is scoped to, where that is not this process's own workload: a
        job that is submitted from a workspace has a ``cluster`` tier of its own.
    workload_id : str, optional
        Its ID; needed with ``workload``.
    secrets : sequence of str
        Names of environment variables whose values go along. Whoever may look at the cluster can
        see them: Ray keeps a runtime environment as plain text. Better are the nodes' own role, or
        a profile or file that they have.
    **more
        Other fields of a runtime environment; ``env_vars`` are merged.

    Returns
    -------
    dict
        For ``ray.init(runtime_env=…)``, a job, a task or an actor.

    Raises
    ------
    CredentialsMissing
        If one of ``secrets`` is not set.
    InvalidRequest
        For another workload without its ID.
    """
    if workload is not None and workload_id is None:
        raise InvalidRequest(
            f"Which {workload.replace('_', ' ')} it is has not been said",
            hint="Give its ID as 'workload_id'.",
        )
    values = worker_environment(session.service().settings, workload, workload_id)
    for name in secrets:
        if not os.environ.get(name):
            raise CredentialsMissing(f"The environment variable {name} is not set")
        values[name] = os.environ[name]
    values.update(more.pop("env_vars", {}))
    return {**more, "env_vars": values}
