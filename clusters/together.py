"""Several pieces of work side by side: all end well, or none goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Made = TypeVar("Made")


async def together(*work: Coroutine[Any, Any, Made]) -> list[Made]:
    """What each makes, in order. If one raises, the others are cancelled and have ended when that
    exception reaches the caller; ``asyncio.gather`` would leave them running."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
