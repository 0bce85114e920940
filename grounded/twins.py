"""Running the synchronous core from asynchronous code: in worker threads, stopping at a border when cancelled."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Interrupt = Callable[[], None]
_interrupts: contextvars.ContextVar[list[Interrupt] | None] = contextvars.ContextVar("interrupts", default=None)


def on_cancel(interrupt: Interrupt) -> None:
    """Have ``interrupt`` called, from another thread, when the generator that ``iterate`` is running is cancelled.

    For what blocks, such as a read from a connection; it must not raise. Elsewhere this does nothing.
    """
    registered = _interrupts.get()
    if registered is not None:
        registered.append(interrupt)


def twin(method: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The asynchronous twin of a function or method: the same, with the same arguments, in a worker thread.

    One that takes ``cancel`` stops at its next border when its twin is cancelled, and only then is the twin done; any
    other one runs to its end behind a cancelled twin, and its result is dropped.
    """
    stops = "cancel" in inspect.signature(method).parameters

    @functools.wraps(method)
    async def run(*arguments: P.args, **named: P.kwargs) -> T:
        if not stops:
            return await asyncio.to_thread(method, *arguments, **named)
        given: Any = named.get("cancel")

        def work(is_cancelled: Callable[[], bool]) -> T:
            options: Any = {**named, "cancel": lambda: is_cancelled() or (given is not None and given())}
            return method(*arguments, **options)

        return await cancellable(work)

    name = method.__name__
    ending = "; cancelling stops it at the next border, and what is done stays." if stops else "."
    run.__name__, run.__doc__ = f"a{name}", f"``{name}`` in a worker thread{ending}"
    run.__qualname__ = run.__qualname__.removesuffix(name) + run.__name__
    return run


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

    Leaving the loop or cancelling interrupts what blocks (``on_cancel``), waits for the item under way, and then closes
    the generator.
    """
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    interrupts: list[Interrupt] = []
    context.run(_interrupts.set, interrupts)
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
            for interrupt in interrupts:
                interrupt()
            await asyncio.wait([step])
            step.exception()  # an interrupted item fails, and nobody asks for it any more
        await loop.run_in_executor(None, context.run, close)
