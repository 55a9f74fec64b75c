from __future__ import annotations

import random

import pytest

from tests.journal.kill_test import trial

pytest.importorskip("uvicorn")


def test_a_batch_killed_at_any_moment_is_finished_without_a_second_copy() -> None:
    """After five kills users have seen every message once, and the last run's report says so."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails

    result = trial(kills=5, items=1_000, seed=seed)

    assert (5, 1_000, 1_000) == (result.kills, result.report["total"], result.report["sent"])
    assert (1_000, 1_000) == (result.seen["messages"], result.seen["texts"])
