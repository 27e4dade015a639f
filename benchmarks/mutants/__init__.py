"""Layers with planted mistakes, a file a family."""

from mutants import elements, maps, norms, sequences

MUTANTS = [*elements.MUTANTS, *maps.MUTANTS, *norms.MUTANTS, *sequences.MUTANTS]
