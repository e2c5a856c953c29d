"""Pairs of windows, each with the evidence for it."""
