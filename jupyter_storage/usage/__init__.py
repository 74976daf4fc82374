"""How full tiers are: counted in the background, kept, and thought ahead."""

from jupyter_storage.usage.forecast import days_until_full
from jupyter_storage.usage.points import Points
from jupyter_storage.usage.surveys import Surveys

__all__ = ["Points", "Surveys", "days_until_full"]
