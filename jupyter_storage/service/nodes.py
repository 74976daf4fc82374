"""Mounts and copies on every node of a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jupyter_storage.errors import Conflict, InvalidRequest, NotFound
from jupyter_storage.service.storages import Storages

if TYPE_CHECKING:
    from jupyter_storage.records import NodeMountRecord

__all__ = ["NodeMounts"]


class NodeMounts(Storages):
    """The service's part that mounts on all nodes at once."""

    def mount_on_nodes(
        self,
        path: str,
        target: str,
        *,
        read_only: bool = False,
        cached: bool = False,
        copied: bool = False,
    ) -> Sequence[NodeMountRecord]:
        """Mount object storage on every node, or fetch a copy of it there.

        Parameters
        ----------
        path : str
            ``tier:relative/path`` or a URI.
        target : str
            A directory, which may be on the tier ``local``; each node has it for itself.
        read_only, cached : bool
            See :meth:`Mounts.mount`.
        copied : bool
            Whether it is fetched as a whole, in place of a mount.

        Returns
        -------
        sequence of NodeMountRecord
            One a node, also of those where it failed.

        Raises
        ------
        InvalidRequest
            If it is a directory, or the target is object storage.
        NotConfigured, Unsupported
            If there is no Ray cluster.
        """
        place = self._locations.place(path)
        if place.store.local_path("") is not None:
            raise InvalidRequest(
                "It is a directory of this machine, and other nodes have none of it",
                path=path,
                hint="Name object storage: a URI, or a tier on a bucket.",
            )
        reached = self._reached(path, to_write=not read_only)
        directory = self._directory(target)
        from jupyter_storage.distributed.keeping import Wish

        wish = Wish(
            directory,
            reached.uri,
            dict(reached.options),
            read_only=read_only or reached.read_only,
            cached=cached,
            copied=copied,
        )
        records: Sequence[NodeMountRecord] = self._ask("wish", wish)
        return records

    def unmount_on_nodes(self, target: str, *, force: bool = False) -> None:
        """Take it away from every node, after all that was written has arrived.

        Raises
        ------
        Conflict
            If a node could not. It stays on all of them.
        NotFound
            If there is nothing of this kind.
        """
        directory = self._directory(target)
        errors = self._ask("drop", directory, force=force)
        if errors is None:
            raise NotFound(
                "Nothing is mounted there on the nodes",
                path=target,
                hint="'jupyter storage mounts --nodes' lists what is.",
            )
        if errors:
            raise Conflict(f"It stays on all nodes: {errors[0]}", path=directory)

    def mounts_on_nodes(self) -> Sequence[NodeMountRecord]:
        """Say how what is to be on every node is on each of them."""
        records: Sequence[NodeMountRecord] = self._ask("look")
        return records

    def _directory(self, target: str) -> str:
        place = self._locations.place(target)
        path = place.store.local_path(place.key)
        if path is None:
            raise InvalidRequest("Nothing can be mounted in object storage", path=target)
        return str(path.absolute())

    def _ask(self, word: str, *values: object, **options: object) -> Any:
        from jupyter_storage.distributed.cluster import ask_warden

        return ask_warden(self.settings, word, *values, **options)
