"""Tiers that a person adds, changes and takes away while everything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jupyter_storage.config import Settings, check_tiers
from jupyter_storage.config.added import load_added, save_added
from jupyter_storage.errors import AccessDenied, AlreadyExists, InvalidRequest, NotFound
from jupyter_storage.paths import split_uri
from jupyter_storage.records import TierRecord
from jupyter_storage.service.base import Base
from jupyter_storage.stores.opening import open_store
from jupyter_storage.tiers import Health, build_tiers

__all__ = ["Adding"]


class Adding(Base):
    """The service's part that keeps the tiers which a person added."""

    def try_tier(self, name: str, added: Mapping[str, Any]) -> TierRecord:
        """Look at a tier as it would be, without adding it.

        Parameters
        ----------
        name : str
        added : mapping
            ``uri``, and ``purpose`` and ``options`` if need be.
        """
        settings = self._settings_with(name, added)
        health = Health(
            lambda tier: open_store(tier.uri, tier.options), self.settings.check_timeout
        )
        return health.look([build_tiers(settings)[name]])[0]

    def add_tier(self, name: str, added: Mapping[str, Any]) -> None:
        """Add a tier, or change one that was added.

        Raises
        ------
        AlreadyExists
            If the configuration has one of that name.
        InvalidRequest
            For a name or a URI that is none, a local path, or a secret.
        AccessDenied
            Where the administrator does not allow it.
        """
        settings = self._settings_with(name, added)
        save_added({**load_added(), name: settings.tiers[name]})
        self._configure(settings)

    def remove_tier(self, name: str) -> None:
        """Take an added tier off the list; nothing of what lies on it is deleted.

        Raises
        ------
        NotFound
            If nobody added one of that name.
        """
        self._may_add()
        if name not in self.settings.added:
            raise NotFound(
                f"Nobody added a tier '{name}' in the panel",
                hint="Tiers of the configuration are taken away there.",
            )
        save_added({other: tier for other, tier in load_added().items() if other != name})
        tiers = {other: tier for other, tier in self.settings.tiers.items() if other != name}
        self._configure(replace(self.settings, tiers=tiers, added=self.settings.added - {name}))

    def _settings_with(self, name: str, added: Mapping[str, Any]) -> Settings:
        self._may_add()
        settings = self.settings
        if name in self._locations.tiers and name not in settings.added:
            raise AlreadyExists(f"There is a tier '{name}' already", hint="Choose another name.")
        scheme, _, _ = split_uri(str(added.get("uri", "")))
        endpoint = added.get("options", {}).get("endpoint_url")
        if scheme == "file":
            raise InvalidRequest(
                "Directories are added in the configuration, not here",
                hint="See 'More tiers' in the documentation of the configuration.",
            )
        if endpoint is not None and not str(endpoint).startswith(("https://", "http://")):
            raise InvalidRequest("The endpoint is no address", hint="Write 'https://host:port'.")
        checked = check_tiers({name: added})
        return replace(settings, tiers={**settings.tiers, **checked}, added=settings.added | {name})

    def _configure(self, settings: Settings) -> None:
        self.settings = settings
        self._locations.configure(settings)

    def _may_add(self) -> None:
        if not self.settings.add_tiers:
            raise AccessDenied(
                "Tiers cannot be added on this server", hint="Ask its administrator for one."
            )
