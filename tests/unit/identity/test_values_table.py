"""The table of pairs: equal, different, restored, and in other processes."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from ipycheckpoint.identity.values import digest_value
from tests.unit.identity import value_table

EQUAL = list(value_table.cases(value_table.EQUAL))
DIFFERENT = list(value_table.cases(value_table.DIFFERENT))


def _named(cases):
    return [pytest.param(*values, id=claim) for claim, values in cases]


@pytest.mark.parametrize(("value", "other"), _named(EQUAL))
def test_equal_values_have_one_digest(value, other):
    assert digest_value(value) == digest_value(other)


@pytest.mark.parametrize(("value", "other"), _named(DIFFERENT))
def test_different_values_have_two_digests(value, other):
    assert digest_value(value) != digest_value(other)


@pytest.mark.parametrize(("value", "other"), _named(EQUAL + DIFFERENT))
def test_a_digest_does_not_change_when_the_value_is_digested_again(value, other):
    assert digest_value([value, other]) == digest_value([value, other])


_UNPICKLABLE = (memoryview, type({}.keys()), type({}.values()), type(value_table.types.MappingProxyType({})))


# What holds a generator of numpy, whose seed numpy's pickles left out before 2.0.
_SEEDED = ("numpy: generators", "numpy: seeds", "estimators: HistGradientBoostingClassifier")


def _survives_pickle(claim, value):
    if claim in _SEEDED and version("numpy").startswith("1."):
        return False
    # A tensor leaves its gradient behind; the codec of records keeps it.
    return not isinstance(value, _UNPICKLABLE) and getattr(value, "grad", None) is None


@pytest.mark.parametrize(
    "value", _named([(c, [v]) for c, values in EQUAL + DIFFERENT for v in values if _survives_pickle(c, v)])
)
def test_a_restored_value_has_the_digest_of_the_computed_one(value):
    assert digest_value(pickle.loads(pickle.dumps(value, 5))) == digest_value(value)


def _digests_in(python, hash_seed):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path.cwd())}
    command = [python, "-c", "import json, tests.unit.identity.value_table as t; print(json.dumps(t.digests()))"]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_digests_are_the_same_in_processes_with_other_hash_seeds():
    here = _digests_in(sys.executable, "1")
    assert here == _digests_in(sys.executable, "2")
    assert here == value_table.digests()


@pytest.mark.parametrize("python", os.environ.get("IPYCHECKPOINT_PYTHONS", sys.executable).split(os.pathsep))
def test_digests_of_the_standard_library_are_the_same_on_other_pythons(python):
    here, there = value_table.digests(), _digests_in(python, "3")
    standard = {c for c in here if c.partition(":")[0] in {"plain", "cycles", "objects"}}
    assert {c: there[c] for c in standard} == {c: here[c] for c in standard}
