"""Nodes share the rate of a quota by what is asked of each, agreed with their heartbeats alone.

The nodes are files of counts as workers share them, and a clock that the tests move.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagimori.machinery.quota_counts import QuotaCounts, make_counts
from kagimori.rules.quotas.fair_bucket import CELLS, FairBucket, capacity_of
from kagimori.rules.quotas.node_shares import share_of
from kagimori.server.quota_shares import PUBLISHED_MAX, QuotaShares

NAME, RATE, TURN = "account/region/group", 100.0, 0.01
ASKED = st.floats(0, 1000, allow_nan=False)


@given(st.lists(ASKED, min_size=1, max_size=6), st.sampled_from((0.5, 10.0, 400.0)))
def test_all_shares_together_are_the_rate(asked, rate):
    shares = [share_of(one, [*asked[:n], *asked[n + 1 :]], rate) for n, one in enumerate(asked)]
    assert all(0.0 <= share <= 1.0 + 1e-9 for share in shares)
    given_out = sum(shares)
    # Beyond the rate what nobody asks for is left; below, all of it is somebody's.
    assert given_out == pytest.approx(1.0)


@given(st.lists(ASKED, min_size=2, max_size=6))
def test_nobody_gets_less_than_it_asks_for_up_to_an_even_part(asked):
    for place, one in enumerate(asked):
        share = share_of(one, [*asked[:place], *asked[place + 1 :]], RATE)
        assert share * RATE >= min(one, RATE / len(asked)) - 1e-6


class Node:
    """One node with two workers, and its share of a bucket."""

    def __init__(self, folder, number, workers=2):
        path = folder / f"quotas-{number}"
        make_counts(path, workers)
        self.counts = [QuotaCounts(path, place, workers) for place in range(workers)]
        self.shares = QuotaShares(self.counts[0])
        self.buckets, self.admitted = [], 0

    def open(self, now):
        for counts in self.counts:
            own, peers, share = counts.of(NAME)
            self.buckets.append(FairBucket(RATE, now, own, peers, share=share))

    def ask(self, times, now):
        for number in range(times):
            bucket = self.buckets[number % len(self.buckets)]
            self.admitted += bucket.take((number % CELLS, CELLS + number % CELLS), 1.0, now)

    def close(self):
        for counts in self.counts:
            counts.close()


def beat(nodes, now):
    """Each says what was asked of it, and hears of the others, one after the other."""
    for node in nodes:
        node.shares.measure(now)
        node.shares.hear([other.shares.published for other in nodes if other is not node])


@pytest.fixture
def nodes(tmp_path):
    made = [Node(tmp_path, number) for number in range(3)]
    yield made
    for node in made:
        node.close()


def lived(nodes, asked, seconds, now=1.0):
    """Let nodes be asked so many times a turn each; return how many were admitted, and the time."""
    before, end = sum(node.admitted for node in nodes), now + seconds
    beat_at = now
    while now < end:
        if now >= beat_at:
            beat(nodes, now)
            beat_at += 1.0
        for node, times in zip(nodes, asked, strict=True):
            node.ask(times, now)
        now += TURN
    return sum(node.admitted for node in nodes) - before, now


@settings(deadline=None, max_examples=15)
@given(asked=st.lists(st.integers(0, 5), min_size=3, max_size=3).filter(sum))
def test_nodes_together_keep_the_rate_however_requests_are_spread(tmp_path_factory, asked):
    made = [Node(tmp_path_factory.mktemp("nodes"), number) for number in range(3)]
    try:
        beat(made, 0.0)
        for node in made:
            node.open(1.0)
        _, now = lived(made, asked, 5.0)  # what the buckets held is used up, and shares are known
        admitted, _ = lived(made, asked, 20.0, now)
    finally:
        for node in made:
            node.close()
    wanted = 20.0 * min(RATE, sum(asked) / TURN)
    assert 0.9 * wanted <= admitted <= 1.1 * wanted + 1


def test_load_that_moves_to_another_node_takes_its_share_along(nodes):
    beat(nodes, 0.0)
    for node in nodes:
        node.open(1.0)
    _, now = lived(nodes, (4, 0, 0), 10.0)
    assert nodes[0].buckets[0].rate > 0.6 * RATE
    _, now = lived(nodes, (0, 0, 4), 5.0, now)
    admitted, _ = lived(nodes, (0, 0, 4), 20.0, now)
    assert 0.9 * 20 * RATE <= admitted <= 1.1 * 20 * RATE


def test_a_quiet_node_has_what_it_needs_beside_noisy_ones(nodes):
    beat(nodes, 0.0)
    for node in nodes:
        node.open(1.0)
    _, now = lived(nodes, (9, 9, 0), 10.0)
    before = nodes[2].admitted
    for _ in range(10):  # as many as an even part has room for
        nodes[2].ask(2, now)
        _, now = lived(nodes, (9, 9, 0), 0.1, now)
    assert nodes[2].admitted - before == 20


def test_a_bucket_that_begins_later_has_the_even_part_at_once(nodes):
    beat(nodes, 0.0)
    for node in nodes:
        node.open(1.0)
        assert node.buckets[0].rate == pytest.approx(RATE / 3)
        assert node.buckets[0].level == pytest.approx(capacity_of(RATE / 3))


def test_one_that_is_left_alone_has_the_whole_rate_again(nodes):
    one = nodes[0]
    beat(nodes, 0.0)
    one.open(1.0)
    one.shares.measure(2.0)
    one.shares.hear([])
    one.ask(1, 2.0)
    assert one.buckets[0].rate == RATE


def test_a_heartbeat_has_a_bounded_size(nodes):
    one = nodes[0]
    one.shares.measure(0.0)
    for number in range(PUBLISHED_MAX + 10):
        own, peers, share = one.counts[0].of(f"{number}")
        bucket = FairBucket(1.0, 0.0, own, peers, share=share)
        bucket.take((0, CELLS), 1.0, 0.0)
    assert len(one.shares.measure(1.0)) == PUBLISHED_MAX
