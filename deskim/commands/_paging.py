"""All items of a list, fetched page by page as they are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, Self, TypeVar

from deskim.commands._core import Command
from deskim.commands._fields import MAX_PAGE

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Page(Protocol[T_co]):
    """Be one page of a list."""

    @property
    def total_count(self) -> int | None:
        """Return how many items all pages have, where Desk says so."""
        ...

    @property
    def items(self) -> tuple[T_co, ...]:
        """Return what this page lists."""
        ...


class PagedCommand(Command[R_co], Protocol[R_co]):
    """Ask for one page of a list."""

    @property
    def limit(self) -> int | None:
        """Return the size of a page."""
        ...

    @property
    def offset(self) -> int | None:
        """Return how many items to pass over."""
        ...

    def at(self, offset: int, limit: int) -> Self:
        """Return the same question for another page."""
        ...


class Calls(Protocol):
    """Be an ``AsyncDeskClient``, or what else makes calls."""

    async def call(self, command: Command[R], /) -> R:
        """Return the reply that the command names."""
        ...


async def paged(desk: Calls, command: PagedCommand[Page[T]]) -> AsyncIterator[T]:
    """Fetch all items of a list, one page at a time and only as far as they are asked for.

    Starts at the command's ``offset``; its ``limit`` is the size of a page, 100 where it is not given. Raises
    ``DeskError``.
    """
    offset, limit = command.offset or 0, command.limit or MAX_PAGE
    while True:
        page = await desk.call(command.at(offset, limit))
        for item in page.items:
            yield item
        offset += len(page.items)
        if not page.items or offset >= _end(page, offset, limit):
            return


def _end(page: Page[object], offset: int, limit: int) -> int:
    """Return how many items there are; without a count, a page that is not full is the last one."""
    if page.total_count is not None:
        return page.total_count
    return offset if len(page.items) < limit else offset + 1
