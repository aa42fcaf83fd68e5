import random
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lakehouse.matching.fields import fields
from lakehouse.matching.levels import levels
from lakehouse.matching.splink_start import start

COMPARED = fields({"first": "given_name", "last": "family_name", "dob": "date"})
STREAMING = "streaming.profiles, lakehouse.matching.refresh, lakehouse.identity.solve"


def _records(count):
    chance = random.Random(5)
    rows = [
        (chance.choice(["ann", "bob", "kay", "lea"]), f"name{chance.randrange(200)}", f"19{chance.randrange(10**6):06}")
        for _ in range(count)
    ]
    return pd.DataFrame([*rows, *rows[: count // 2]], columns=["v0", "v1", "v2"], dtype="str")


def test_a_start_is_two_distributions_per_field():
    begun = start(_records(300), COMPARED, seed=7)
    for index in range(len(COMPARED)):
        for shares in (begun.m[index], begun.u[index]):
            assert len(shares) == len(levels(COMPARED, index)) + 1
            assert (shares > 0).all()
            assert shares.sum() == pytest.approx(1.0)


def test_u_is_the_share_of_random_pairs():
    records = _records(300)
    names = records["v0"].to_numpy()
    same = (names[:, None] == names[None, :])[np.triu_indices(len(names), 1)].mean()
    assert start(records, COMPARED, seed=7).u[0][0] == pytest.approx(same, abs=1e-4)


def test_records_that_no_block_pairs_begin_with_a_guess():
    alone = pd.DataFrame({"v0": [f"{number:04d}x" for number in range(40)]}, dtype="str")
    begun = start(alone, fields({"first": "code"}), seed=7)
    assert begun.m[0][0] == pytest.approx(0.7)
    assert begun.m[0][-1] == pytest.approx(0.05)


def test_nothing_that_runs_in_the_stream_imports_splink_or_duckdb():
    script = f"import sys, {STREAMING}; print(sorted(sys.modules.keys() & {{'splink', 'duckdb'}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
