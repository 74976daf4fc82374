"""Where transfers run: on this machine, or over a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from jupyter_storage.config import EngineName
from jupyter_storage.errors import NotConfigured, Unsupported
from jupyter_storage.service.usage import UsageOf

if TYPE_CHECKING:
    from jupyter_storage.distributed.counting import RayCounters
    from jupyter_storage.distributed.shards import Root
    from jupyter_storage.sums import Sum
    from jupyter_storage.transfers.crews import Crew
    from jupyter_storage.transfers.places import Place

__all__ = ["Distribution"]

Found = TypeVar("Found")


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
        from jupyter_storage.distributed.cluster import assemble, is_large

        places = [self._locations.place(source) for source in sources]
        target = self._locations.place(destination)
        if engine == "auto" and not is_large(places):
            return None, ""
        ends = [(place, self._opening(place)) for place in places]
        end = (target, self._opening(target))
        return _found(
            engine,
            lambda: assemble(ends, end, self.settings),
            f"{self.settings.concurrency} files at the same time on each",
        )

    def counters(self, engine: EngineName, paths: Sequence[str]) -> tuple[RayCounters | None, str]:
        """Find who adds up directories, as :meth:`crew` does; ``auto`` goes by their files."""
        if engine == "local":
            return None, ""
        from jupyter_storage.distributed.cluster import assemble_counters, is_large

        places = [self._locations.place(path) for path in paths]
        if engine == "auto" and not is_large(places, size=None):
            return None, ""
        ends = [(place, self._opening(place)) for place in places]
        return _found(
            engine,
            lambda: assemble_counters(ends, self.settings),
            f"{self.settings.concurrency} directories at the same time on each",
        )

    def sums(self, path: str, depth: int, counters: RayCounters | None = None) -> Sequence[Sum]:
        """Add up the files below a directory and those in it, the largest first, itself last.

        Parameters
        ----------
        path : str
            Of a file, that alone.
        depth : int
            Levels that have sums of their own.
        counters : RayCounters, optional
            From :meth:`counters`, for the same path.
        """
        from jupyter_storage.sums import Sums
        from jupyter_storage.transfers.walking import walk_together

        place = self._locations.place(path)
        with place.naming():
            top = place.store.stat(place.key)
            if not top.is_directory:
                sums = Sums(place.key, 0).add([top])
            elif counters is not None:
                sums = counters.sums(place, self._opening(place), depth)
            else:
                entries = walk_together(
                    place.store, place.key, concurrency=self.settings.concurrency
                )
                sums = Sums(place.key, depth).add(entries)
        return [replace(each, path=place.label + each.path) for each in sums.rows()]

    def _opening(self, place: Place) -> Root:
        from jupyter_storage.distributed.shards import Root

        uri, options = self._locations.reference(place.label)
        return Root(place.label, uri, dict(options))


def _found(
    engine: EngineName, assemble: Callable[[], tuple[Found, int]], each: str
) -> tuple[Found | None, str]:
    """Assemble those who do it, or say why it is this machine alone."""
    from jupyter_storage.distributed.cluster import OutOfSight

    try:
        found, nodes = assemble()
    except OutOfSight as error:
        return None, f"Runs on this machine alone. {error}."
    except (NotConfigured, Unsupported) as error:
        if engine == "ray":
            raise
        return None, f"Runs on this machine alone. {error}."
    count = "1 node" if nodes == 1 else f"{nodes:,} nodes"
    return found, f"Runs on {count} of the Ray cluster, {each}."
