"""What changed below the project directory, as a tree of names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from jupyter_storage.snapshots.ignore import GIT, NAMES

__all__ = ["Dirty", "Mark"]

Mark = tuple[str, bool]
"""A path below the project directory, and whether all that is below it is to be looked at, too."""


@dataclass
class Dirty:
    """What is to be looked at in one directory.

    Attributes
    ----------
    whole : bool
        Everything in it, at any depth.
    below : dict
        Else: names in it. One that is a directory is looked at itself, and what its own marks say.
    """

    whole: bool = False
    below: dict[str, Dirty] = field(default_factory=dict)

    @classmethod
    def of(cls, marks: Iterable[Mark]) -> Dirty:
        """Make the tree of some marks, for the project directory."""
        root = cls()
        for key, deep in marks:
            here, above = root, root
            name = ""
            for name in key.split("/") if key else ():
                here, above = here.below.setdefault(name, cls()), here
            if name == GIT or name in NAMES:
                # Other rules: what was left out may come in.
                above.whole = True
            here.whole = here.whole or deep
        return root
