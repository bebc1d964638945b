"""The live feed: Redis between processes where there is one, queues inside this process where not.

Loss is harmless. A screen that hears nothing asks the database again by itself; the feed only makes
it ask sooner.
"""

from __future__ import annotations

import json
import queue
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from marketplace.kernel import log
from marketplace.kernel.ports import Subscription

logger = log.get_logger(__name__)
_KEPT = 1_000


class LocalFeed:
    """Delivers to the subscribers of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, set[queue.Queue[dict[str, Any]]]] = defaultdict(set)

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
        mine: queue.Queue[dict[str, Any]] = queue.Queue(_KEPT)
        with self._lock:
            for topic in topics:
                self._queues[topic].add(mine)
        try:
            yield _QueueSubscription(mine)
        finally:
            with self._lock:
                for topic in topics:
                    self._queues[topic].discard(mine)


class _QueueSubscription:
    def __init__(self, q: queue.Queue[dict[str, Any]]) -> None:
        self._queue = q

    def get(self, timeout_s: float) -> dict[str, Any] | None:
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None


class RedisFeed:
    """Delivers to every process that listens on the same Redis."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=30)

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
            yield _RedisSubscription(listener)
        finally:
            listener.close()


class _RedisSubscription:
    def __init__(self, listener: redis.client.PubSub) -> None:
        self._listener = listener

    def get(self, timeout_s: float) -> dict[str, Any] | None:
        try:
            raw = self._listener.get_message(timeout=timeout_s)
        except redis.RedisError as exc:
            logger.warning("feed_unreachable", error=type(exc).__name__)
            return None
        return None if raw is None else dict(json.loads(raw["data"]))
