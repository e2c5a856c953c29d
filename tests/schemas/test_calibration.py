from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from neuropair.schemas.calibration import (
    calibration,
    calibration_curve,
    parse_calibration,
    read_calibration,
    shipped_file,
)
from neuropair.schemas.errors import NeuropairError


def _content() -> dict[str, Any]:
    return copy.deepcopy(json.loads(shipped_file().read_text(encoding="utf-8")))


def test_the_shipped_curve_is_near_the_truth_in_every_tier() -> None:
    curve = calibration_curve()
    assert curve.columns.tolist() == ["tier", "predicted", "observed", "n"]
    assert set(curve["tier"]) == {"T0", "T1", "T2", "T3", "T4", "T5", "all"}
    single = curve[curve["tier"] != "all"]
    assert single["n"].sum() == curve.loc[curve["tier"] == "all", "n"].sum()
    gap = (curve["predicted"] - curve["observed"]).abs() * curve["n"]
    errors = gap.groupby(curve["tier"]).sum() / curve.groupby("tier")["n"].sum()
    assert (errors < 0.03).all()
    assert errors.to_dict() == pytest.approx(calibration().expected_calibration_error, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 7}, "format 7"),
        ({"format": None}, "format None"),
        ({"runs": 0}, "runs"),
        ({"surplus": 1}, "unknown key 'surplus'"),
        ({"curve": [{"tier": "T1", "predicted": 1.0, "observed": 1.0, "n": 3}]}, "predicted"),
    ],
)
def test_a_wrong_file_is_refused_with_its_remedy(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NeuropairError, match=message) as refused:
        parse_calibration(_content() | change, where="calibration.json")
    assert "neuropair calibrate" in refused.value.remedy
    assert "calibration.json" in refused.value.where


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"probability": [0.9, 0.1], "score": [0.0, 1.0]}, "falls"),
        ({"probability": [0.9], "score": [0.0, 1.0]}, "2 places and 1 values"),
        ({"probability": [0.1, 0.9], "score": [1.0, 1.0]}, "do not ascend"),
        ({"probability": [0.1, 1.0], "score": [0.0, 1.0]}, "not between 0 and 1"),
    ],
)
def test_a_curve_that_is_none_is_refused(part: dict[str, Any], message: str) -> None:
    content = _content()
    content["families"]["T0/sample"] |= part
    with pytest.raises(NeuropairError, match=message):
        parse_calibration(content, where="calibration.json")


def test_a_missing_key_and_a_missing_file_are_named(tmp_path: Path) -> None:
    content = _content()
    del content["families"]["T0/sample"]["score"]
    with pytest.raises(NeuropairError, match=r"key families\.T0/sample\.score"):
        parse_calibration(content, where="calibration.json")
    with pytest.raises(NeuropairError, match="cannot be read"):
        read_calibration(tmp_path / "absent.json")
    (tmp_path / "text.json").write_text("no", encoding="utf-8")
    with pytest.raises(NeuropairError, match="not JSON"):
        read_calibration(tmp_path / "text.json")
    with pytest.raises(NeuropairError, match="format None"):
        parse_calibration([], where="calibration.json")
