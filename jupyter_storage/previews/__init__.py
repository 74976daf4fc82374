"""What files look like: bounded heads, turned into text and rows that a page can show safely."""

from jupyter_storage.previews.preview import preview

__all__ = ["preview"]
