from __future__ import annotations

import json

import numpy as np
import pytest

from neuropair.pipeline.align.calibrate import ASSUMPTIONS, calibrate
from neuropair.pipeline.align.confidence import calibration, clock_bin, of_bins


def test_the_shipped_counts_agree_with_a_fresh_run():
    """Other runs of the simulation find pairs right as often as the shipped table says."""
    shipped, fresh = calibration(), calibrate(60)
    assert shipped["assumptions"] == ASSUMPTIONS
    for name, counts in fresh["bins"].items():
        assert name in shipped["bins"]
        if counts["n"] >= 300:
            share = counts["right"] / counts["n"]
            assert share == pytest.approx(float(of_bins(np.array([name]))[0]), abs=0.03)


def test_a_calibration_is_the_same_twice():
    assert json.dumps(calibrate(5)) == json.dumps(calibrate(5))


def test_confidence_is_a_share_never_certain_and_half_where_nothing_is_known():
    names = np.array(["T0/sample", "never seen", "T0/sample"])
    values = of_bins(names)
    assert values[0] == values[2] < 1
    assert values[1] == 0.5
    assert of_bins(np.zeros(0, dtype=str)).size == 0


@pytest.mark.parametrize(
    ("coverage", "ambiguity", "ends"),
    [
        (0.41, 0.0, "coverage 0.4-0.6/ambiguity 0.0-0.2"),
        (0.9, 0.2, "coverage 0.9-1.0/ambiguity 0.2-0.4"),
        (1.0, 0.79, "coverage 0.9-1.0/ambiguity 0.6-0.8"),
    ],
)
def test_bins_of_a_clock(coverage, ambiguity, ends):
    assert clock_bin("event", coverage, ambiguity).endswith(ends)
