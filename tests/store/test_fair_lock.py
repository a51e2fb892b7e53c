"""The writers' lock is given in the order it was asked for, whatever happens to those who wait."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

import pytest

from engine.store.database import FairLock


class Interruption(Exception):  # noqa: N818 - no error, but what ends a wait early
    """Raised by the signal handler below."""


def queued(lock: FairLock, number: int) -> None:
    """Returns when that many threads wait for the lock."""
    while lock.waiting < number:
        os.sched_yield()


def test_the_lock_is_given_in_the_order_it_was_asked_for() -> None:
    lock, order = FairLock(), list[int]()

    def take(number: int) -> None:
        lock.acquire()
        order.append(number)
        lock.release()

    lock.acquire()
    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for number, thread in enumerate(threads):
        thread.start()
        queued(lock, number + 1)
    lock.release()
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_a_busy_loop_that_asks_again_comes_after_the_one_that_waited() -> None:
    lock, order, taken = FairLock(), list[str](), threading.Event()

    def wait_once() -> None:
        taken.set()
        lock.acquire()
        order.append("waiter")
        lock.release()

    lock.acquire()
    waiter = threading.Thread(target=wait_once)
    waiter.start()
    assert taken.wait(10)
    queued(lock, 1)
    lock.release()
    lock.acquire()
    order.append("busy loop")
    lock.release()
    waiter.join()
    assert order == ["waiter", "busy loop"]


def test_a_free_lock_is_free_again_after_its_release() -> None:
    lock = FairLock()
    for _ in range(3):
        lock.acquire()
        lock.release()
    assert lock.waiting == 0


def test_a_waiter_that_is_interrupted_leaves_the_queue_and_blocks_nobody() -> None:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interruption

    lock, held, interrupted = FairLock(), threading.Event(), threading.Event()

    def hold() -> None:
        lock.acquire()
        held.set()
        queued(lock, 1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        assert interrupted.wait(10)
        lock.release()

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        holder = threading.Thread(target=hold)
        holder.start()
        assert held.wait(10)
        with pytest.raises(Interruption):
            lock.acquire()
        interrupted.set()
        holder.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert lock.waiting == 0
    lock.acquire()
