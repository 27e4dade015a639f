"""Levels in a small size, run once for all tests that look at them."""

import functools

from flaxnets.parity import compare, trials
from flaxnets.parity.subject import subject

SMALL = trials.few_examples()


@functools.cache
def records(name, level):
    """What a level finds of a network."""
    (found,) = compare.compare(subject(name), SMALL, [level])
    return found
