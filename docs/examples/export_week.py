"""Write last week's conversations to standard output, one JSON object a line: ``python export_week.py > week.jsonl``.

The environment holds DESKIM_SDK_APP_ID and DESKIM_SECRET_KEY. Pages are fetched as they are written: memory stays flat.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from deskim import AsyncDeskClient
from deskim.commands import ChatMessage, DescribeChatMessages, DescribeImCdrList, Order, SessionRecord, paged


async def conversations(desk: AsyncDeskClient, days: int) -> AsyncIterator[tuple[SessionRecord, list[ChatMessage]]]:
    """Give each session of the last days with its messages, the oldest first."""
    now = datetime.now(UTC)
    async for record in paged(desk, DescribeImCdrList(start_timestamp=now - timedelta(days), end_timestamp=now)):
        question = DescribeChatMessages(session_id=record.session_id, order=Order.OLDEST_FIRST)
        yield record, [message async for message in paged(desk, question)]


def as_json(record: SessionRecord, messages: list[ChatMessage]) -> dict[str, Any]:
    """Return what is written of a conversation."""
    return {
        "session_id": record.session_id,
        "user": record.client_user_id,
        "agent": record.agent_id,
        "time": record.timestamp and record.timestamp.isoformat(),
        "messages": [
            {
                "from": message.from_account,
                "time": message.timestamp and message.timestamp.isoformat(),
                "text": message.text,
            }
            for message in messages
        ],
    }


async def main() -> None:
    """Write them all."""
    async with AsyncDeskClient.from_env() as desk:
        async for record, messages in conversations(desk, days=7):
            sys.stdout.write(json.dumps(as_json(record, messages), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
