"""Deletions that can be undone: a hidden directory in each tier, from which things come back."""

from jupyter_storage.trash.trash import Trash
from jupyter_storage.trash.weighing import Weight, weigh

__all__ = ["Trash", "Weight", "weigh"]
