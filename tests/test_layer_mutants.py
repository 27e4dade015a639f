"""Layers with a planted mistake: each is seen by the comparison that is meant for it."""

import pytest
from mutants import MUTANTS

EACH = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.layer}: {m.name}")


def seen(mutant, mistaken):
    found = (f for f in mutant.findings(mistaken) if f.name.startswith(mutant.seen))
    return any(not f.passed for f in found)


@EACH
def test_a_planted_mistake_is_seen_where_it_should_be(mutant):
    assert seen(mutant, mistaken=True)


@EACH
@pytest.mark.slow
def test_without_its_mistake_the_layer_passes(mutant):
    assert not seen(mutant, mistaken=False)


def test_there_are_twenty_five_at_least():
    assert len(MUTANTS) >= 25
