"""Snapshots of a training on disk, by Orbax.

Each is a folder of ``checkpoints`` named by its step. The latest two are kept, and the one with the
best test accuracy.
"""

from flaxnets.runs.checkpoints.restoring import restore
from flaxnets.runs.checkpoints.writing import BEST, LATEST, Checkpoints

__all__ = ["BEST", "LATEST", "Checkpoints", "restore"]
