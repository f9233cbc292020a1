"""The Key is the Digest of the Ingredients in order, and of nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipycheckpoint.digest import digest
from ipycheckpoint.identity.identity import Identity, Ingredient, Part

A = Ingredient("global", "a", digest("x", b"a"))
B = Ingredient("argument", "b", digest("x", b"b"))
WORK = Identity("call", "work", (A, B))


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(replace(WORK, label="other"), id="its label"),
        pytest.param(replace(WORK, ingredients=(replace(A, name="z"), B)), id="the name of an ingredient"),
        pytest.param(replace(WORK, ingredients=(replace(A, preview="3"), B)), id="a preview"),
        pytest.param(replace(WORK, ingredients=(replace(A, source="x = 1"), B)), id="source text"),
        pytest.param(replace(WORK, ingredients=(replace(A, parts={"[0]": Part(A.digest, "")}), B)), id="an outline"),
    ],
)
def test_the_key_is_blind_to(same):
    assert same.key == WORK.key


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(WORK, kind="cell"), id="the kind of work"),
        pytest.param(replace(WORK, ingredients=(B, A)), id="the order of ingredients"),
        pytest.param(replace(WORK, ingredients=(A,)), id="a missing ingredient"),
        pytest.param(replace(WORK, ingredients=(A, A, B)), id="a repeated ingredient"),
        pytest.param(replace(WORK, ingredients=(replace(A, kind="argument"), B)), id="the kind of an ingredient"),
        pytest.param(replace(WORK, ingredients=(replace(A, digest=B.digest), B)), id="the digest of an ingredient"),
    ],
)
def test_the_key_sees(other):
    assert other.key != WORK.key


def test_the_key_of_a_fixed_identity_never_moves_by_accident():
    assert WORK.key == "562bd4fbbca1c111b38aafd33fdc447b653da61adeac870a795431d7daa65787"
