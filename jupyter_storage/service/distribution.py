"""Where transfers run: on this machine, or over a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jupyter_storage.config import EngineName
from jupyter_storage.errors import NotConfigured, Unsupported
from jupyter_storage.service.usage import UsageOf

if TYPE_CHECKING:
    from jupyter_storage.distributed.shards import Root
    from jupyter_storage.transfers.crews import Crew
    from jupyter_storage.transfers.places import Place

__all__ = ["Distribution"]


class Distribution(UsageOf):
    """The service's part that knows of clusters."""

    def crew(
        self, engine: EngineName, sources: Sequence[str], destination: str
    ) -> tuple[Crew | None, str]:
        """Find who does a transfer.

        Parameters
        ----------
        engine : {'local', 'ray', 'auto'}
        sources : sequence of str
        destination : str

        Returns
        -------
        tuple
            The crew, None for this machine; and a sentence to tell before it starts, which may be
            empty.

        Raises
        ------
        NotConfigured, Unsupported
            If it is to be Ray, and there is none.
        """
        if engine == "local":
            return None, ""
        from jupyter_storage.distributed.cluster import OutOfSight, assemble, is_large

        places = [self._locations.place(source) for source in sources]
        target = self._locations.place(destination)
        if engine == "auto" and not is_large(places):
            return None, ""
        try:
            crew, nodes = assemble(
                [(place, self._opening(place)) for place in places],
                (target, self._opening(target)),
                self.settings,
            )
        except OutOfSight as error:
            return None, f"Runs on this machine alone. {error}."
        except (NotConfigured, Unsupported) as error:
            if engine == "ray":
                raise
            return None, f"Runs on this machine alone. {error}."
        count = "1 node" if nodes == 1 else f"{nodes:,} nodes"
        each = f"{self.settings.concurrency} files at the same time on each"
        return crew, f"Runs on {count} of the Ray cluster, {each}."

    def _opening(self, place: Place) -> Root:
        from jupyter_storage.distributed.shards import Root

        uri, options = self._locations.reference(place.label)
        return Root(place.label, uri, dict(options))
