import subprocess
import sys
import threading

import pytest

from marketplace.adapters.feed import LocalFeed, RedisFeed


def test_a_local_listener_hears_its_topics_only():
    feed = LocalFeed()
    with feed.subscribe("day") as heard:
        feed.publish("day", {"id": "w1"})
        feed.publish("other", {"id": "w2"})
        assert heard.get(0.1) == {"id": "w1"}
        assert heard.get(0.01) is None


def test_a_listener_that_left_costs_nothing():
    feed = LocalFeed()
    with feed.subscribe("day"):
        pass
    feed.publish("day", {"id": "w1"})
    assert not feed._queues["day"]


@pytest.mark.redis
def test_another_process_is_heard_through_redis(redis_url):
    with RedisFeed(redis_url).subscribe("day") as heard:
        code = (
            "import sys; from marketplace.adapters.feed import RedisFeed;"
            "RedisFeed(sys.argv[1]).publish('day', {'id': '工单'})"
        )
        heard.get(0.2)
        subprocess.run([sys.executable, "-c", code, redis_url], check=True, timeout=60)
        assert heard.get(5) == {"id": "工单"}


def test_an_unreachable_redis_loses_the_hint_and_nothing_else():
    feed = RedisFeed("redis://127.0.0.1:1/0")
    feed.publish("day", {"id": "w1"})


def heard_until_over(feed) -> threading.Thread:
    """Listen in a thread that ends only when the feed says that it is over."""

    def listen() -> None:
        with feed.subscribe("day") as heard:
            while not heard.is_over:
                heard.get(600)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    return thread


def test_a_closed_feed_ends_those_who_listen_and_those_who_come_later():
    feed = LocalFeed()
    listening = heard_until_over(feed)
    feed.close()
    listening.join(timeout=60)
    assert not listening.is_alive()
    with feed.subscribe("day") as heard:
        assert heard.is_over
        assert heard.get(600) is None


@pytest.mark.redis
def test_a_closed_feed_ends_those_who_listen_through_redis(redis_url):
    feed = RedisFeed(redis_url)
    listening = heard_until_over(feed)
    feed.close()
    listening.join(timeout=60)
    assert not listening.is_alive()
