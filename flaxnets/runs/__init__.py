"""Runs: trainings that are written to a folder, can be interrupted, and go on."""

from flaxnets.runs.interruption import Interrupted
from flaxnets.runs.plan import Plan
from flaxnets.runs.run import Run, resume, start

__all__ = ["Interrupted", "Plan", "Run", "resume", "start"]
