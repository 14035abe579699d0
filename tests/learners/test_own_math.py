"""The compiled modules' own exp and log: to one unit in the last place, on every machine."""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

import modellab.learners.compiled as compiled
from modellab.learners.compiled import _math

# ------------------------------------------------------------------ elementary functions


def exp(x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    _math.exp(x, out)
    return out


def log(x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    _math.log(x, out)
    return out


def ulps_apart(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.view(np.int64) - b.view(np.int64)).max())


def test_exp_is_within_one_ulp_of_the_c_library() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [
            rng.uniform(-745.1, 709.7, 100_000),
            rng.uniform(-745.1, -600.0, 20_000),
            rng.uniform(-1.0, 1.0, 50_000),
            rng.normal(0.0, 1e-8, 5_000),
        ]
    )
    reference = np.array([math.exp(v) for v in x.tolist()])
    assert ulps_apart(exp(x), reference) <= 1


def test_exp_error_against_exact_arithmetic() -> None:
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(-708.0, 709.7, 4_000), rng.uniform(-0.01, 0.01, 4_000)])
    worst = 0.0
    with localcontext() as context:
        context.prec = 40
        for v, got in zip(x.tolist(), exp(x).tolist(), strict=True):
            exact = Decimal(v).exp()
            worst = max(worst, float(abs(Decimal(got) - exact) / Decimal(math.ulp(got))))
    assert worst <= 0.51


def test_exp_special_values() -> None:
    x = np.array([0.0, -0.0, math.inf, -math.inf, math.nan, 709.78, 709.79, 1e308, -745.14, -1e308])
    got = exp(x)
    assert got[0] == got[1] == 1.0
    assert got[2] == math.inf
    assert got[3] == 0.0
    assert math.isnan(got[4])
    assert got[5] == math.exp(709.78)
    assert got[6] == got[7] == math.inf
    assert got[8] == got[9] == 0.0
    # The smallest numbers, where a result has few bits left.
    assert exp(np.array([-745.13]))[0] == math.exp(-745.13) == 5e-324


def test_log_is_within_one_ulp_of_exact_arithmetic() -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate(
        [
            np.exp(rng.uniform(-700.0, 700.0, 3_000)),
            rng.uniform(0.5, 2.0, 3_000),
            1.0 + rng.normal(0.0, 1e-6, 500),
            np.array([5e-324, 1e-310, 1.7e308]),
        ]
    )
    with localcontext() as context:
        context.prec = 40
        for v, got in zip(x.tolist(), log(x).tolist(), strict=True):
            error = abs(Decimal(got) - Decimal(v).ln())
            assert error <= Decimal(math.ulp(got)), v
    special = log(np.array([1.0, 0.0, -1.0, math.inf, math.nan]))
    assert special[0] == 0.0
    assert special[1] == -math.inf
    assert math.isnan(special[2])
    assert special[3] == math.inf
    assert math.isnan(special[4])


def test_the_table_of_exp_is_what_its_comment_says() -> None:
    text = (Path(compiled.__file__).parent / "_exp_table.h").read_text(encoding="ascii")
    entries = [int(word, 16) for word in re.findall(r"0x([0-9a-f]{16})u", text)]

    def double(pattern: int) -> float:
        return float(struct.unpack("<d", struct.pack("<Q", pattern))[0])

    assert len(entries) == 256
    with localcontext() as context:
        context.prec = 60
        ln2 = Decimal(2).ln()
        for j in range(128):
            exact = (ln2 * j / 128).exp()
            rounded = float(exact)
            assert double(entries[2 * j + 1]) == rounded
            assert double(entries[2 * j]) == float((exact - Decimal(rounded)) / Decimal(rounded))
        high = float(re.search(r"STEP_HIGH (\S+)", text)[1])  # type: ignore[index]
        low = float(re.search(r"STEP_LOW (\S+)", text)[1])  # type: ignore[index]
        assert low == float(ln2 / 128 - Decimal(high))
        assert float(re.search(r"PER_UNIT (\S+)", text)[1]) == float(128 / ln2)  # type: ignore[index]
    # So few bits that a whole number of 21 bits times it is exact.
    assert int(math.ldexp(math.frexp(high)[0], 53)) % 2**32 == 0


def test_elementary_functions_refuse_buffers_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="length"):
        _math.exp(np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="shape"):
        _math.class_probabilities(np.zeros((3, 1)), np.zeros((3, 1)), False)
