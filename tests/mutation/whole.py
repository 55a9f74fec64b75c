"""A pytest plugin for mutmut: let it know of the tests that meet a function by way of an import or a cache.

Mutmut tries a mutant on the tests that called its function. What runs while deskim is imported is called by no test,
and what fills a cache by the first test alone: the others would not be tried on it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import Phase, settings

# The same examples meet every mutant, and what fails need not be made small.
settings.register_profile(
    "mutation", deadline=None, derandomize=True, max_examples=50, phases=[Phase.explicit, Phase.generate]
)

if os.environ.get("MUTANT_UNDER_TEST") == "stats":
    from mutmut.state import state

    _at_import: set[str] = set()

    def pytest_collection_finish() -> None:
        """Remember what was called while deskim and the tests were imported."""
        _at_import.update(state()._stats)

    @pytest.fixture(autouse=True)
    def _nothing_cached() -> None:
        state()._stats.update(_at_import)
        for clear in _caches():
            clear()


def _caches() -> Iterator[Callable[[], None]]:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "deskim":
            yield from (each.cache_clear for each in vars(module).values() if hasattr(each, "cache_clear"))
    yield sys.modules["deskim._codec._values"]._shapes.clear
