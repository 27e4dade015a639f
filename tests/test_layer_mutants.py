"""Layers with a planted mistake: each is seen by the comparison that is meant for it."""

import pytest
from draws.mutants import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.layer}: {mutant.name}")
def test_a_planted_mistake_is_seen_where_it_should_be(mutant):
    found = (f for f in mutant.findings() if f.name.startswith(mutant.seen))
    assert any(not f.passed for f in found)


def test_there_are_twenty_five_at_least():
    assert len(MUTANTS) >= 25
