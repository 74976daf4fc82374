"""Continuous snapshots of the project directory."""
