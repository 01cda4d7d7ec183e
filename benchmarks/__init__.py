"""Measurements, always beside a peer or a limit taken in the same run."""
