from __future__ import annotations

from typing import Any, TypeVar, cast

import pytest
from attrs import define, field

from deskim.commands import ChatMessage, ChatMessages, Command, DescribeChatMessages, paged

pytestmark = pytest.mark.anyio
R = TypeVar("R")


@define
class Archive:
    """Answer for Desk: so many messages, with or without saying how many."""

    size: int
    counted: bool = True
    asked: list[tuple[int | None, int | None]] = field(factory=list[Any])

    async def call(self, command: Command[R], /) -> R:
        question = cast("DescribeChatMessages", command)
        self.asked.append((question.offset, question.limit))
        first = question.offset or 0
        last = min(self.size, first + (question.limit or 20))
        found = tuple(ChatMessage(from_account=str(i)) for i in range(first, last))
        return cast("R", ChatMessages(total_count=self.size if self.counted else None, messages=found))


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 250])
async def test_all_items_come_in_their_order(size: int, counted: bool) -> None:  # noqa: FBT001
    """Every item comes once, whether Desk says how many there are or not."""
    found = [m.from_account async for m in paged(Archive(size, counted), DescribeChatMessages(session_id="s"))]
    assert [str(i) for i in range(size)] == found


async def test_pages_are_fetched_as_they_are_needed() -> None:
    """Whoever stops early has asked for no more than the pages that were looked at."""
    archive = Archive(1000)
    async for message in paged(archive, DescribeChatMessages(session_id="s", limit=10)):
        if message.from_account == "15":
            break
    assert [(0, 10), (10, 10)] == archive.asked


async def test_the_first_page_is_that_of_the_command() -> None:
    """The offset of the command is where it begins; its limit is the size of a page."""
    archive = Archive(30)
    found = [m.from_account async for m in paged(archive, DescribeChatMessages(session_id="s", offset=20, limit=7))]
    assert ([str(i) for i in range(20, 30)], [(20, 7), (27, 7)]) == (found, archive.asked)


async def test_a_count_that_is_never_reached_ends_all_the_same() -> None:
    """An empty page is the last one, whatever Desk counted."""
    archive = Archive(5)
    archive.counted = True

    class Short(Archive):
        async def call(self, command: Command[R], /) -> R:
            page = await archive.call(command)
            return cast("R", ChatMessages(total_count=99, messages=cast("ChatMessages", page).messages))

    assert 5 == len([m async for m in paged(Short(5), DescribeChatMessages(session_id="s"))])
