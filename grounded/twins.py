"""Running the synchronous core from asynchronous code: in worker threads, stopping at a border when cancelled."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


async def cancellable(work: Callable[[Callable[[], bool]], T]) -> T:
    """Run ``work`` in a worker thread. It is given a function that says when to stop.

    Cancelling waits until the work has stopped at its next border, so that nothing runs on behind the caller's back.
    """
    stop = False

    def is_cancelled() -> bool:
        return stop

    task = asyncio.create_task(asyncio.to_thread(work, is_cancelled))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop = True
        await task
        raise


async def iterate(items: Iterator[T]) -> AsyncGenerator[T, None]:
    """The items of a generator, each made in a worker thread, all in one context.

    Leaving the loop or cancelling waits for the item under way and then closes the generator.
    """
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    end = object()

    def advance() -> object:
        return next(items, end)

    def close() -> None:
        getattr(items, "close", lambda: None)()

    step: asyncio.Future[object] | None = None
    try:
        while True:
            step = loop.run_in_executor(None, context.run, advance)
            item = await asyncio.shield(step)
            if item is end:
                return
            yield item  # type: ignore[misc]  # anything but the end mark is a T
    finally:
        if step is not None and not step.done():
            await asyncio.wait([step])
        await loop.run_in_executor(None, context.run, close)
