"""Storage tiers, fast transfers and continuous workspace snapshots for Jupyter."""
