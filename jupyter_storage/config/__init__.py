"""Configuration: traits, environment variables, and the settings that come of them.

Precedence: command line > environment > configuration files > default. The result is a frozen
:class:`Settings`, which is all that the floors above ever see; :meth:`Settings.environment`
hands it on to kernels, terminals and worker processes.
"""

from jupyter_storage.config.options import JupyterStorage
from jupyter_storage.config.resolution import (
    DEFAULT_ROOT,
    check_tiers,
    key_part,
    load_config,
    resolve,
)
from jupyter_storage.config.settings import EngineName, Settings, WorkloadKind

__all__ = [
    "DEFAULT_ROOT",
    "EngineName",
    "JupyterStorage",
    "Settings",
    "WorkloadKind",
    "check_tiers",
    "key_part",
    "load_config",
    "resolve",
]
