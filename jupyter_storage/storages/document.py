"""SkyPilot's YAML: the ``file_mounts`` of a task, each with the line that it stands in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jupyter_storage.errors import InvalidRequest, StorageError, os_errors
from jupyter_storage.paths import split_uri
from jupyter_storage.storages.model import InvalidField, Mode, Storage

__all__ = ["Document", "FileMount", "load", "read"]

_FIELDS = ("name", "source", "store", "persistent", "mode")
_REFERENCE = "See 'Storages' in the documentation for what a file mount may hold."


@dataclass(frozen=True, slots=True)
class FileMount:
    """One entry of ``file_mounts``.

    Attributes
    ----------
    target : str
        Where it appears, as it is written.
    copies : str or None
        A local path or a URI that is copied there; None where it is a storage.
    storage : Storage or None
    where : str
        ``file.yaml:12``.
    """

    target: str
    copies: str | None
    storage: Storage | None
    where: str

    @property
    def is_mounted(self) -> bool:
        """Whether it is mounted, or a copy stands in for that; else it is copied."""
        return self.storage is not None and self.storage.mode is not Mode.COPY

    def path(self, under: Path | None = None) -> Path:
        """Where it appears, on this machine.

        Parameters
        ----------
        under : Path, optional
            Directory that stands in for ``/``.
        """
        target = Path(self.target).expanduser()
        if under is not None:
            return under.absolute() / str(target).lstrip("/")
        return target.absolute()

    def check(self) -> None:
        """See that what is local is there.

        Raises
        ------
        InvalidRequest
        """
        if self.storage is not None:
            try:
                self.storage.check_sources()
            except InvalidField as error:
                raise _at(self.where, f"{self.target}.{error.field}", error) from error
            return
        local = self.copies is not None and "://" not in self.copies
        if local and not Path(str(self.copies)).expanduser().exists():
            raise InvalidRequest(
                f"file_mounts.{self.target}: '{self.copies}' does not exist",
                path=self.where,
                hint="Correct the path, or make it.",
            )


@dataclass(frozen=True, slots=True)
class Document:
    """What a file declares.

    Attributes
    ----------
    path : str
        The file.
    name : str or None
        Of the task.
    mounts : tuple of FileMount
        In the order of the file.
    """

    path: str
    name: str | None
    mounts: tuple[FileMount, ...]

    def storages(self) -> dict[str, Storage]:
        """Storages with a name, each once, in the order of the file.

        Entries of one name are one storage: it is persistent unless one of them says no, and its
        sources are those of all.
        """
        found: dict[str, Storage] = {}
        for mount in self.mounts:
            if mount.storage is not None and mount.storage.name is not None:
                name = mount.storage.name
                found[name] = _merged(found.get(name), mount.storage)
        return found


def load(path: str | Path) -> Document:
    """Read a file.

    Raises
    ------
    InvalidRequest
        With the line, and the field, that is wrong.
    NotFound
        If there is no such file.
    """
    with os_errors(str(path)):
        text = Path(path).expanduser().read_text("utf-8")
    return read(text, str(path))


def read(text: str, path: str) -> Document:
    """Read a document.

    Parameters
    ----------
    text : str
    path : str
        What errors call it.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise InvalidRequest(
            f"This is no YAML: {problem}",
            path=path if mark is None else f"{path}:{mark.line + 1}",
            hint="Correct the line; YAML goes by its indentation.",
        ) from error
    return _Reader(path).document(root)


class _Reader:
    def __init__(self, path: str) -> None:
        self._path = path

    def document(self, root: yaml.Node | None) -> Document:
        fields = dict(self._pairs(root, "")) if root is not None else {}
        mounts: list[FileMount] = []
        node = fields.get("file_mounts")
        if node is not None and _value(node) is not None:
            mounts = [self._mount(target, value) for target, value in self._pairs(node, "")]
        self._compare(mounts)
        name = _value(fields["name"]) if "name" in fields else None
        return Document(self._path, None if name is None else str(name), tuple(mounts))

    def _mount(self, target: str, node: yaml.Node) -> FileMount:
        where = self._line(node)
        field = f"file_mounts.{target}"
        if isinstance(node, yaml.MappingNode):
            return FileMount(target, None, self._storage(target, node), where)
        value = _value(node)
        if not isinstance(value, str) or not value:
            raise self._wrong(node, field, "a path, a URI or a storage is needed")
        if "://" in value:
            try:
                split_uri(value)
            except StorageError as error:
                raise self._wrong(node, field, error.message, error.hint) from error
        return FileMount(target, value, None, where)

    def _storage(self, target: str, node: yaml.MappingNode) -> Storage:
        nodes = dict(self._pairs(node, f".{target}"))
        values: dict[str, Any] = {}
        for name, value in nodes.items():
            if name not in _FIELDS:
                hint = f"The fields are: {', '.join(_FIELDS)}."
                field = f"file_mounts.{target}.{name}"
                raise self._wrong(value, field, "there is no such field", hint)
            values[name] = self._field(f"file_mounts.{target}.{name}", name, value)
        present = {name: value for name, value in values.items() if value is not None}
        try:
            return Storage(**present)
        except InvalidField as error:
            where = self._line(nodes.get(error.field, node))
            raise _at(where, f"{target}.{error.field}", error) from error

    def _field(self, field: str, name: str, node: yaml.Node) -> Any:
        value = _value(node)
        if value is None:
            return None
        if name == "persistent":
            if not isinstance(value, bool):
                raise self._wrong(node, field, "it is true or false")
            return value
        if name == "source" and isinstance(value, list):
            if not value or not all(isinstance(each, str) and each for each in value):
                raise self._wrong(node, field, "it is a list of local paths")
            return tuple(value)
        if not isinstance(value, str) or not value:
            raise self._wrong(node, field, "it is text")
        if name == "mode":
            modes = {mode.value: mode for mode in Mode}
            if value.upper() not in modes:
                hint = f"One of: {', '.join(modes)}."
                raise self._wrong(node, field, f"there is no mode '{value}'", hint)
            return modes[value.upper()]
        return value.lower() if name == "store" else value

    def _pairs(self, node: yaml.Node, below: str) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, f"file_mounts{below}", "a mapping is needed: 'key: value'")
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = str(_value(key_node))
            if key in seen:
                raise self._wrong(key_node, key, "it stands here twice")
            seen.add(key)
            yield key, value_node

    def _compare(self, mounts: list[FileMount]) -> None:
        """Entries of one name are one bucket, which is of one kind."""
        stores: dict[str, str] = {}
        for mount in mounts:
            storage = mount.storage
            if storage is None or storage.name is None or storage.store is None:
                continue
            before = stores.setdefault(storage.name, storage.store)
            if before != storage.store:
                raise InvalidRequest(
                    f"file_mounts.{mount.target}.store: '{storage.name}' is '{before}' in "
                    "another entry",
                    path=mount.where,
                    hint="Give the two storages two names.",
                )

    def _line(self, node: yaml.Node) -> str:
        return f"{self._path}:{node.start_mark.line + 1}"

    def _wrong(
        self, node: yaml.Node, field: str, message: str, hint: str = _REFERENCE
    ) -> InvalidRequest:
        return InvalidRequest(f"{field}: {message}", path=self._line(node), hint=hint)


def _value(node: yaml.Node) -> Any:
    # A reader of its own: nodes are turned into plain values only, never into objects.
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


def _at(where: str, field: str, error: InvalidField) -> InvalidRequest:
    return InvalidRequest(f"file_mounts.{field}: {error.message}", path=where, hint=error.hint)


def _merged(first: Storage | None, second: Storage) -> Storage:
    if first is None or first == second:
        return second
    sources = dict.fromkeys(first.local_sources + second.local_sources)
    # One directory's content lands at the root; in a list each would land below its own name.
    alike = first.source in {None, second.source} or second.source is None
    source = (second.source or first.source) if alike else tuple(sources)
    return Storage(
        name=first.name,
        source=source,
        store=first.store or second.store,
        persistent=first.persistent and second.persistent,
        mode=second.mode,
    )
