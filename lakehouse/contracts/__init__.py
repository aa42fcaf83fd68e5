"""Contracts by layer; `lakehouse/tables.py` lists them all in flow order."""
