"""Where sources land, and what has to be done to get them there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jupyter_storage.errors import InvalidRequest, NotADirectory, NotFound, StorageError
from jupyter_storage.records import ConflictPolicy, Entry, Failure
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.transfers.existing import Existing
from jupyter_storage.transfers.places import Place, failure
from jupyter_storage.transfers.plan import Landing, Recall, Step, landings, plan

__all__ = ["Route", "routes_of", "steps_of"]


@dataclass(frozen=True, slots=True)
class Route:
    """One source and where it lands."""

    source: Place
    entry: Entry
    target: Place


def routes_of(
    sources: Sequence[Place], target: Place, *, recursive: bool, into: bool
) -> tuple[list[Route], list[Failure]]:
    """Look at the sources and say where each lands.

    A lone source that cannot be used raises; among several it is listed.

    Parameters
    ----------
    sources : sequence of Place
    target : Place
    recursive : bool
        Whether directories may be among the sources.
    into : bool
        Each source lands in the target under its own name.
    """
    if not sources:
        raise InvalidRequest("There is nothing to copy", hint="Name at least one source.")
    failures: list[Failure] = []
    found: list[tuple[Place, Entry]] = []

    def refuse(error: StorageError, place: Place) -> None:
        if len(sources) == 1:
            raise error if error.path else error.at(place.path)
        failures.append(failure(error, place.path))

    for place in sources:
        try:
            with place.naming():
                entry = place.store.stat(place.key)
                if place.directory and not entry.is_directory:
                    raise NotADirectory("It is a file, not a directory", path=place.key)
            found.append((place, entry))
        except StorageError as error:
            refuse(error, place)
    with target.naming():
        try:
            existing: Entry | None = target.store.stat(target.key)
        except NotFound:
            existing = None
    landed = landings(
        [(place.name, entry) for place, entry in found],
        target.key,
        existing,
        directory=target.directory,
        recursive=recursive,
        into=into or len(sources) > 1,
    )
    routes = []
    for (place, entry), landing in zip(found, landed, strict=True):
        if isinstance(landing, Landing):
            route = Route(place, entry, target.at(landing.target_key))
            overlap = _overlap(route)
            if overlap is None:
                routes.append(route)
            else:
                refuse(overlap, place)
        else:
            refuse(
                landing.at(target.path) if isinstance(landing, NotADirectory) else landing,
                place,
            )
    return routes, failures


def steps_of(
    route: Route, policy: ConflictPolicy, *, look: bool = False, recall: Recall | None = None
) -> Iterator[Step | Failure]:
    """Say what has to be done for a route, while it is being listed.

    Parameters
    ----------
    route : Route
    policy : ConflictPolicy
    look : bool
        Look at what exists even where the policy need not.
    recall : callable, optional
        See :func:`plan`.
    """
    source, target = route.source, route.target
    unlisted: list[StorageError] = []
    entries = _listing(route, unlisted)
    existing: Callable[[str], Entry | None]
    if policy is not ConflictPolicy.OVERWRITE or look:
        with target.naming():
            existing = Existing(target.store, target.key)
    else:
        existing = _nothing
    walked = None
    if route.entry.is_directory and source.is_in(target):
        walked = source.key if target.store is source.store else None
    steps = plan(
        entries,
        source_base=source.key,
        target_base=target.key,
        existing=existing,
        policy=policy,
        source_label=source.label,
        target_label=target.label,
        keeps_links=target.store.keeps_links,
        keeps_directories=target.store.keeps_directories,
        walked=walked,
        recall=recall,
    )
    if route.entry.is_directory:
        yield Step(source.key, target.key, route.entry, "directory")
    try:
        with source.naming():
            yield from steps
    except StorageError as error:
        # The listing broke off: what was listed is done, the rest is said to be missing.
        yield failure(error, source.path)
    for missed in unlisted:
        yield failure(missed.at(source.label + (missed.path or source.key)))


def _listing(route: Route, unlisted: list[StorageError]) -> Iterator[Entry]:
    """List a source; directories on this machine that cannot be listed do not hide the others."""
    store, key = route.source.store, route.source.key
    if not route.entry.is_directory:
        return iter([route.entry])
    if isinstance(store, LocalStore):
        return store.walk(key, on_error=unlisted.append)
    return store.walk(key)


def _nothing(key: str) -> None:
    """What is there when nobody needs to know."""


def _overlap(route: Route) -> StorageError | None:
    source, target = route.source, route.target
    if target.is_in(source):
        if source.is_in(target):
            return InvalidRequest(
                "Source and destination are the same", path=source.path, hint="Use another name."
            )
        if route.entry.is_directory:
            return InvalidRequest(
                f"A directory cannot go into itself ({target.path})",
                path=source.path,
                hint="Choose a destination outside of it.",
            )
    return None
