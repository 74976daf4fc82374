"""Transfers by the nodes of a Ray cluster. Ray is imported when a cluster is asked for."""
