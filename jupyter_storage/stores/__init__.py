"""Stores: roots of bytes behind one small interface, one file per kind."""
