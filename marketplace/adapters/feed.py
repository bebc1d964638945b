"""The live feed: Redis between processes where there is one, queues inside this process where not.

Loss is harmless. A screen that hears nothing asks the database again by itself; the feed only makes
it ask sooner.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis

from marketplace.kernel import log
from marketplace.kernel.ports import Subscription

logger = log.get_logger(__name__)
_KEPT = 1_000
_GLANCE_S = 0.5
"""A listener on Redis looks this often whether the feed was closed."""


_Queue = queue.Queue[dict[str, Any] | None]
"""What one listener has not heard yet; ``None`` wakes it because the feed was closed."""


class LocalFeed:
    """Delivers to the subscribers of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, set[_Queue]] = defaultdict(set)
        self._closed = threading.Event()

    def publish(self, topic: str, message: dict[str, Any]) -> None:
        with self._lock:
            listeners = list(self._queues.get(topic, ()))
        for q in listeners:
            try:
                q.put_nowait(message)
            except queue.Full:
                logger.warning("feed_subscriber_slow", topic=topic)

    @contextmanager
    def subscribe(self, *topics: str) -> Iterator[Subscription]:
        mine: _Queue = queue.Queue(_KEPT)
        with self._lock:
            for topic in topics:
                self._queues[topic].add(mine)
        try:
            yield _QueueSubscription(mine, self._closed)
        finally:
            with self._lock:
                for topic in topics:
                    self._queues[topic].discard(mine)

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            listeners = {q for some in self._queues.values() for q in some}
        for q in listeners:
            # A queue that is full wakes its listener anyhow.
            with suppress(queue.Full):
                q.put_nowait(None)


class _QueueSubscription:
    def __init__(self, q: _Queue, closed: threading.Event) -> None:
        self._queue = q
        self._closed = closed

    @property
    def is_over(self) -> bool:
        return self._closed.is_set()

    def get(self, timeout_s: float) -> dict[str, Any] | None:
        if self.is_over:
            return None
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None


class RedisFeed:
    """Delivers to every process that listens on the same Redis."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=30)
        self._closed = threading.Event()

    def publish(self, topic: str, message: dict[str, Any]) -> None:
        try:
            self._redis.publish(f"nuanju:{topic}", json.dumps(message, ensure_ascii=False))
        except redis.RedisError as exc:
            logger.warning("feed_unreachable", topic=topic, error=type(exc).__name__)

    @contextmanager
    def subscribe(self, *topics: str) -> Iterator[Subscription]:
        listener = self._redis.pubsub(ignore_subscribe_messages=True)
        try:
            listener.subscribe(*(f"nuanju:{t}" for t in topics))
            yield _RedisSubscription(listener, self._closed)
        finally:
            listener.close()

    def close(self) -> None:
        self._closed.set()


class _RedisSubscription:
    def __init__(self, listener: redis.client.PubSub, closed: threading.Event) -> None:
        self._listener = listener
        self._closed = closed

    @property
    def is_over(self) -> bool:
        return self._closed.is_set()

    def get(self, timeout_s: float) -> dict[str, Any] | None:
        until = time.monotonic() + timeout_s
        while not self.is_over and (left := until - time.monotonic()) > 0:
            try:
                raw = self._listener.get_message(timeout=min(left, _GLANCE_S))
            except redis.RedisError as exc:
                logger.warning("feed_unreachable", error=type(exc).__name__)
                # Without Redis a listener is quiet; it must not ask again as fast as it can.
                self._closed.wait(left)
                return None
            if raw is not None:
                return dict(json.loads(raw["data"]))
        return None
