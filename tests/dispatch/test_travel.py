"""Seconds of travel are the contract's, to the second, however they are computed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from geopy.distance import geodesic

from dispatch import Places, TravelModel
from dispatch.geo import FAR_ERROR_M, NEAR_M, Spots, metres_far, metres_near, near_error_m
from dispatch.travel import Travel


def contract_seconds(a, b, model: TravelModel) -> int:
    return math.ceil(geodesic(a, b).m * model.detour / model.speed_mps) + model.stop_s


def pairs(rng: np.random.Generator, n: int, spread_degrees: float):
    lat = rng.uniform(-89, 89, n)
    lon = rng.uniform(-180, 180, n)
    step = rng.normal(size=(n, 2)) * spread_degrees
    other = np.c_[np.clip(lat + step[:, 0], -90, 90), (lon + step[:, 1] + 180) % 360 - 180]
    return np.c_[lat, lon], other


@pytest.mark.parametrize("spread", [1e-7, 1e-4, 0.01, 0.1, 0.5])
def test_near_metres_are_geopys_within_the_stated_error(spread):
    one, other = pairs(np.random.default_rng(3), 400, spread)
    expected = np.array([geodesic(a, b).m for a, b in zip(one, other, strict=True)])
    found = metres_near(Spots.of(one), Spots.of(other))
    near = expected <= NEAR_M
    assert near.any()
    error = np.abs(found - expected)
    assert (error <= near_error_m(expected))[near].all()
    assert error[near].max() < 1e-4
    assert (found[~near] > NEAR_M).all()


@pytest.mark.parametrize("spread", [1e-4, 0.1, 3, 60])
def test_far_metres_are_geopys_within_the_stated_error(spread):
    one, other = pairs(np.random.default_rng(4), 400, spread)
    expected = np.array([geodesic(a, b).m for a, b in zip(one, other, strict=True)])
    found = metres_far(one[:, 0], one[:, 1], other[:, 0], other[:, 1])
    known = ~np.isnan(found)
    assert known.mean() > 0.9
    assert np.abs(found - expected)[known].max() < FAR_ERROR_M / 10


def test_seconds_are_the_contracts_in_a_city():
    rng = np.random.default_rng(5)
    points = np.c_[rng.uniform(32.40, 32.60, 400), rng.uniform(119.8, 120.1, 400)]
    points[7] = points[8]
    model = TravelModel()
    block = Travel(Places(points), model).block(np.arange(400))
    for i, j in rng.integers(0, 400, (3000, 2)):
        expected = 0 if i == j else contract_seconds(points[i], points[j], model)
        assert block[i, j] == expected
    assert block[7, 8] == model.stop_s


def test_seconds_are_the_contracts_across_the_globe():
    points = [[0, 0], [0, 179.9], [0.3, 179.7], [89.9, 10], [-90, 0], [32.5, 119.9], [-32.4, -60]]
    model = TravelModel(stop_s=0)
    travel = Travel(Places(points), model)
    for i, a in enumerate(points):
        for j, b in enumerate(points):
            expected = 0 if i == j else contract_seconds(a, b, model)
            assert travel.between(i, j) == expected


def test_a_way_that_almost_fills_its_last_second_is_decided_by_geopy():
    # Where the metres are right on a whole second, rounding alone decides: geopy's must.
    a, b = (32.5, 119.9), (32.51, 119.91)
    metres = geodesic(a, b).m
    for nudge in (0.0, 1e-13, -1e-13, 1e-10, -1e-10):
        model = TravelModel(speed_mps=metres * 1.35 / 400 * (1 + nudge), detour=1.35)
        assert Travel(Places([a, b]), model).between(0, 1) == contract_seconds(a, b, model)


def test_pairs_and_blocks_agree_with_single_ways():
    rng = np.random.default_rng(6)
    points = np.c_[rng.uniform(32.4, 32.6, 40), rng.uniform(119.8, 120.1, 40)]
    travel = Travel(Places(points), TravelModel())
    rows, columns = rng.integers(0, 40, 17), rng.integers(0, 40, 23)
    block = travel.block(rows, columns)
    assert block.shape == (17, 23)
    assert (travel.pairs(np.repeat(rows, 23), np.tile(columns, 17)) == block.ravel()).all()
    assert block[3, 5] == travel.between(int(rows[3]), int(columns[5]))


def test_a_given_matrix_alone_counts_and_may_be_lopsided():
    places = Places([[0, 0], [1, 1]], [[0, 70], [90, 0]])
    travel = Travel(places, TravelModel())
    assert (travel.between(0, 1), travel.between(1, 0), travel.between(0, 0)) == (70, 90, 0)
    assert travel.block(np.array([0, 1])).tolist() == [[0, 70], [90, 0]]


def test_thousands_of_places_at_one_point_take_only_the_stop():
    travel = Travel(Places([[32.5, 119.9]] * 3000), TravelModel(stop_s=45))
    block = travel.block(np.arange(3000), np.arange(5))
    assert (block[5:] == 45).all()
    assert np.diagonal(block[:5]).tolist() == [0] * 5
