"""Experiments of Ray Tune and Ray Train, read from the files that they leave.

Only JSON and CSV are read. Ray also leaves pickles, and who unpickles runs what is in them.
"""
