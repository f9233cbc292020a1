"""Arrays, tables and classes of other libraries as what a checkpointed function takes, reaches, changes and returns."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.semantics.scenes import Outcome, Scene, check, edited, play, unchanged, within

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("numpy")
pytest.importorskip("pandas")

TAKES = """
import numpy as np, pandas as pd
@checkpoint
def f(x):
    print("ran")
    return type(x).__name__
"""


def calls(claim: str, *values: str, then: str) -> Scene:
    """The calls of one function with these values, one after the other."""
    return within(claim, TAKES + f"result = [{', '.join(f'f({value})' for value in values)}]", then)


ARRAYS = [
    calls(
        "20. memory layout doesn't matter",
        *("np.arange(6).reshape(2, 3)", "np.asfortranarray(np.arange(6).reshape(2, 3))"),
        *("np.arange(12).reshape(2, 6)[:, ::2] // 2", "np.broadcast_to(np.arange(6).reshape(2, 3), (2, 3))"),
        then="miss hit hit hit",
    ),
    calls(
        "20. what an array holds matters",
        *("np.arange(6)", "np.arange(6.0)", "np.arange(6).reshape(2, 3)", "np.arange(6, dtype='>i8')", "np.arange(7)"),
        *("np.ma.masked_array([1, 2], [0, 1])", "np.ma.masked_array([1, 2], [1, 0])"),
        *("np.zeros(2, [('a', int)])", "np.zeros(2, [('b', int)])", "[0, 1, 2, 3, 4, 5]", "np.int64(1)", "np.int32(1)"),
        then="miss " * 12,
    ),
    calls(
        "20. one of two million elements matters",
        "np.zeros(2_000_000)", "np.zeros(2_000_000)", "np.r_[np.zeros(1_999_999), 1.0]", "np.zeros(1_999_999)",
        then="miss hit miss miss",
    ),
    edited(
        "20. an array among the globals is seen",
        TAKES.replace("return type(x).__name__", "return float(x + WEIGHTS.sum())")
        + "WEIGHTS = np.array([1.0, 2.0])\nresult = f(1)",
        "2.0]", "3.0]", "miss",
    ),
    edited(
        "8. an array among the globals that is changed in place is seen",
        TAKES.replace("return type(x).__name__", "return float(x + WEIGHTS.sum())")
        + "WEIGHTS = np.array([1.0, 2.0])\nresult = f(1)",
        "\nresult", "\nWEIGHTS[0] = 9\nresult", "miss",
    ),
]  # fmt: skip

FRAMES = [
    calls(
        "21. block layout and the kind of an equal index don't matter",
        "pd.DataFrame({'a': [1, 2], 'b': [3, 4]})", "pd.DataFrame([[1, 3], [2, 4]], columns=['a', 'b'])",
        "pd.DataFrame({'a': [1, 2], 'c': 0, 'b': [3, 4]}).drop(columns='c')",
        then="miss hit hit",
    ),
    calls(
        "21. what a frame says matters",
        *("pd.DataFrame({'a': [1, 2]})", "pd.DataFrame({'b': [1, 2]})", "pd.DataFrame({'a': [1, 3]})"),
        *("pd.DataFrame({'a': [1.0, 2]})", "pd.DataFrame({'a': [1, 2]}, index=[1, 2])"),
        *("pd.DataFrame({'a': [1, 2]}).rename_axis('i')", "pd.DataFrame({'a': ['x', 'y']})"),
        "pd.DataFrame({'a': pd.Categorical(['x', 'y'])})",
        "pd.DataFrame({'a': pd.Categorical(['x', 'y'], ['y', 'x'])})",
        "pd.DataFrame({'a': pd.to_datetime(['2020', '2021'])})",
        *("pd.DataFrame({'a': pd.to_datetime(['2020', '2021']).tz_localize('UTC')})", "pd.Series([1, 2], name='a')"),
        then="miss " * 12,
    ),
    within("21. attrs of a frame matter", TAKES + """
one, two = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]})
two.attrs["unit"] = "m"
result = [f(one), f(two)]
""", "miss miss"),
    edited("8. a frame among the globals that is changed in place is seen", TAKES + """
TABLE = pd.DataFrame({"a": [1, 2]})
@checkpoint
def f(x):
    print("ran")
    return int(TABLE.a.sum()) + x
result = f(1)
""", "\nresult", "\nTABLE.loc[0, 'a'] = 9\nresult", "miss"),
]  # fmt: skip

MUTATIONS = [
    Scene(
        f"26. {name} that is changed in place is changed on a hit, too",
        within("", f"""
import numpy as np, pandas as pd
@checkpoint
def f(x):
    print("ran")
    {change}
one, two = {value}, {value}
same, inside = two, {inside}
result = [f(one), f(two), {shown.format("one")}, {shown.format("two")}, same is two, {seen}]
""", "").versions * 2,
        ("miss hit", "hit hit"),
        "in place",
    )
    for name, value, change, shown, inside, seen in [
        ("an array", "np.arange(3)", "x[0] = 7", "{}.tolist()", "two[:2]", "inside.tolist()"),
        ("an array in a dict", "{'a': np.ones(3)}", "x['a'][0] = 7", "{}['a'].tolist()", "two['a']", "inside.tolist()"),
        ("a frame with a new column", "pd.DataFrame({'a': [1, 2]})", "x['b'] = 1", "{}.to_dict()", "0", "0"),
        ("a frame with a new cell", "pd.DataFrame({'a': [1, 2]})", "x.loc[0, 'a'] = 5", "{}.to_dict()", "0", "0"),
        ("a sorted frame", "pd.DataFrame({'a': [2, 1]})", "x.sort_values('a', inplace=True)", "{}.to_csv()", "0", "0"),
        ("a series", "pd.Series([1, 2])", "x[0] = 5", "{}.tolist()", "0", "0"),
    ]
] + [
    within("26. an array that changes its shape in place runs again", """
import numpy as np
@checkpoint
def f(x):
    print("ran")
    x.resize(2, refcheck=False)
    return 1
one, two = np.arange(3), np.arange(3)
result = [f(one), f(two), one.tolist(), two.tolist()]
""", "miss miss", warns="in place"),
]  # fmt: skip

RESULTS = [
    within(
        "39. a result that is a view of an argument is one on a hit",
        """
import numpy as np
@checkpoint
def f(x):
    print("ran")
    return x[1:]
one, two = np.arange(100_000), np.arange(100_000)
result = [bool(np.shares_memory(f(one), one)), bool(np.shares_memory(f(two), two))]
""",
        "miss hit",
    ),
    within(
        "32. an array that is returned is the caller's own, and can be written",
        """
import numpy as np
@checkpoint
def f(n):
    print("ran")
    return np.zeros(n)
for n in (3, 100_000):
    for _ in range(3):
        a = f(n)
        a += 1
result = f(3).tolist(), float(f(100_000).sum())
""",
        "miss hit hit miss hit hit hit hit",
    ),
    unchanged(
        "60. a chain of calls is found again from its restored values",
        """
import numpy as np, pandas as pd
@checkpoint
def load(n):
    print("ran")
    return pd.DataFrame({"a": np.arange(n), "b": [str(i) for i in range(n)]})
@checkpoint
def split(df):
    print("ran")
    return {"odd": df[df.a % 2 == 1], "names": set(df.b), "matrix": np.asarray(df[["a"]]).T[:, ::2]}
@checkpoint
def total(parts):
    print("ran")
    return int(parts["odd"].a.sum()) + len(parts["names"]) + int(parts["matrix"].sum())
result = total(split(load(100)))
""",
        misses=3,
    ),
]

ATTRS = """
import attrs
@attrs.define
class Point:
    x: int = attrs.field(default=1, converter=lambda v: int(v) + 0)
    items: list = attrs.field(factory=lambda: [1])
    def value(self):
        return self.x + 1
@checkpoint
def f(p):
    print("ran")
    new = type(p)("5")
    return [p.value(), new.x, new.items]
result = f(Point(3))
"""

PYDANTIC = """
import pydantic
class Inner(pydantic.BaseModel):
    z: int = 5
class Model(pydantic.BaseModel):
    x: int = 1
    inner: Inner | None = None
    items: list = pydantic.Field(default_factory=lambda: [1])
    _secret: int = pydantic.PrivateAttr(default=2)
    @pydantic.field_validator("x", mode="after")
    @classmethod
    def check(cls, v):
        return v + 0
    def value(self):
        return self.x + 1
@checkpoint
def f(m):
    print("ran")
    new = type(m)(x=3, inner={})
    return [m.value(), new.x, new.items, new._secret, new.inner.z]
result = f(Model(x=2))
"""

LIBRARIES = {
    "attrs": [
        unchanged("12. an attrs class is found again", ATTRS),
        edited("12. the method of an attrs class is seen", ATTRS, "self.x + 1", "self.x + 2", "miss"),
        edited("12. the default of an attrs field is seen", ATTRS, "[1]", "[2]", "miss"),
        edited("12. the converter of an attrs field is seen", ATTRS, "int(v) + 0", "int(v) + 1", "miss"),
    ],
    "pydantic": [
        unchanged("12. a pydantic model is found again", PYDANTIC),
        edited("12. the method of a pydantic model is seen", PYDANTIC, "self.x + 1", "self.x + 2", "miss"),
        edited("12. the default of a pydantic field is seen", PYDANTIC, "[1]", "[2]", "miss"),
        edited("12. the private default of a pydantic model is seen", PYDANTIC, "default=2", "default=3", "miss"),
        edited("12. the validator of a pydantic model is seen", PYDANTIC, "v + 0", "v + 1", "miss"),
        edited("12. the mode of a pydantic validator is seen", PYDANTIC, 'mode="after"', 'mode="before"', "miss"),
        edited("12. a model inside a pydantic model is seen", PYDANTIC, "z: int = 5", "z: int = 6", "miss"),
    ],
}

INSTALLED = [scene for library, scenes in LIBRARIES.items() if find_spec(library) for scene in scenes]
SCENES = [*ARRAYS, *FRAMES, *MUTATIONS, *RESULTS, *INSTALLED]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Outcome]]:
    directory: Path = tmp_path_factory.mktemp("scenes")
    return {scene.claim: outcomes for scene, outcomes in zip(SCENES, play(SCENES, directory), strict=True)}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.claim)
def test_a_call(scene: Scene, seen: dict[str, list[Outcome]]) -> None:
    check(scene, seen[scene.claim])
