"""Pairs of values that must be equal, or must differ, in their Digests.

Each function gives (claim, value, other) triples. Those of `EQUAL` must have one Digest, those of `DIFFERENT` two.
"""

from __future__ import annotations

import array
import collections
import copy
import datetime as dt
import decimal
import enum
import fractions
import importlib.util
import io
import pathlib
import pickle
import random
import re
import types
import uuid
import zoneinfo
from dataclasses import dataclass, field

EQUAL, DIFFERENT = {}, {}


def has(library):
    return importlib.util.find_spec(library) is not None


def equal(family, needs=()):
    return lambda function: EQUAL.__setitem__(family, function) if all(map(has, needs)) else None


def different(family, needs=()):
    return lambda function: DIFFERENT.__setitem__(family, function) if all(map(has, needs)) else None


class Colour(enum.Enum):
    RED = 1
    CRIMSON = 2


class Right(enum.Flag):
    READ = 1
    WRITE = 2


Point = collections.namedtuple("Point", "x y")


@dataclass
class Row:
    name: str
    tags: list = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slotted:
    a: int
    b: object = None


class Thing:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Words(list):
    pass


class Unique(set):
    pass


class Count(int):
    pass


class Table(dict):
    pass


def cycle(*labels):
    first = node = Thing(label=labels[0])
    for label in labels[1:]:
        node.next = Thing(label=label)
        node = node.next
    node.next = first
    return first


def family(name, *children):
    parent = Thing(name=name)
    parent.children = {Thing(name=child, parent=parent) for child in children}
    return parent


def looped(*items):
    items = [*items]
    items.append(items)
    return items


@equal("plain")
def _():
    shared = [1, 2]
    long = "x" * 5000
    yield "a shared and a copied item", [shared, shared], [[1, 2], [1, 2]]
    yield "a shared and a copied long text", [long, long], [long, "".join(list(long))]
    yield "interned and other texts", ["abc"], ["".join("abc")]
    yield "a set in another order", {"a", "b", "c", 1, None}, {None, "c", 1, "b", "a"}
    yield "a set with holes", set(range(0, 64, 8)), set(range(0, 64, 8)) | {100} - {100}
    yield "nested frozensets", {frozenset("ab"), frozenset("cd")}, {frozenset("dc"), frozenset("ba")}
    yield "NaN and NaN", [float("nan")], [float("nan")]
    yield "the attributes of an instance as a dict", {"d": vars(Thing(a=1, b=[2]))}, {"d": {"a": 1, "b": [2]}}


@different("plain")
def _():
    yield "1 and True", 1, True
    yield "1 and 1.0", 1, 1.0
    yield "1 and '1'", 1, "1"
    yield "'1' and b'1'", "1", b"1"
    yield "0.0 and -0.0", 0.0, -0.0
    yield "None and False", None, False
    yield "1 and 1+0j", 1.0, 1 + 0j
    yield "typed in a list", [1], [True]
    yield "typed as a key", {1: 0}, {True: 0}
    yield "typed in a set", {1}, {1.0}
    yield "list and tuple", [1, 2], (1, 2)
    yield "set and frozenset", {1}, frozenset({1})
    yield "empty ones", [], {}
    yield "framing", ("ab", "c"), ("a", "bc")
    yield "framing with other things between", ["ab", {1}, "c"], ["a", {1}, "bc"]
    yield "nesting", [[1], 2], [[1, 2]]
    yield "order of a dict", {"a": 1, "b": 2}, {"b": 2, "a": 1}
    yield "order of a dict that is not plain", {"a": {1}, "b": 2}, {"b": 2, "a": {1}}
    yield "bytes that look like an encoded leaf", {pickle.dumps(1, 5), pickle.dumps("a", 5)}, {1, "a"}
    yield "where the set is", [1, {2}], [{2}, 1]
    yield "key and value", {"a": "b"}, {"b": "a"}
    yield "a long text and its bytes", "x" * 5000, b"x" * 5000
    yield "one character of a long text", "x" * 5000, "x" * 4999 + "y"
    yield "lone surrogates", "\ud800", "\ud801"
    yield "huge numbers", 10**5000, 10**5000 + 1
    yield "depth", [[[]]], [[[[]]]]


@equal("cycles")
def _():
    yield "a list in itself", looped(1), looped(1)
    yield "a ring", cycle("a", "b", "c"), cycle("a", "b", "c")
    yield "a set in a cycle", family("p", "x", "y", "z"), family("p", "z", "x", "y")
    yield "a set of members of a cycle", {*family("p", "x", "y").children}, {*family("p", "y", "x").children}
    ring = cycle("a", "b")
    yield "two ways in", [ring, ring.next], copy.deepcopy([ring, ring.next])


@different("cycles")
def _():
    ring = cycle("a", "b", "a", "c")
    yield "another item", looped(1), looped(2)
    yield "the length of a ring", cycle("a", "a"), cycle("a", "a", "a")
    yield "the order in a ring", cycle("a", "b", "c"), cycle("a", "c", "b")
    yield "the way in", ring, ring.next
    yield "the second way in", [ring, ring.next], [ring, ring.next.next]
    yield "what hangs on a cycle", [looped(1), 1], [looped(1), 2]
    yield "a cycle and a tree", looped(), [[[]]]
    yield "a member of a set in a cycle", family("p", "x", "y"), family("p", "x", "z")


@equal("objects")
def _():
    yield "attributes in another order", Thing(a=1, b=2), Thing(b=2, a=1)
    yield "a path put together otherwise", pathlib.Path("a", "b"), pathlib.Path("a/b")
    yield "a set subclass in another order", Unique("abc"), Unique("cba")
    yield "a view of a memory", memoryview(b"abcd")[::2], memoryview(b"ac")
    yield "a pattern", re.compile("a+", re.IGNORECASE), re.compile("a+", re.IGNORECASE)
    yield "a generator in one state", random.Random(1), copy.deepcopy(random.Random(1))
    yield "an empty range", range(3), range(0, 3, 1)


@different("objects")
def _():
    day = dt.datetime(2020, 1, 1, tzinfo=None)  # noqa: DTZ001 - one without a zone is among the cases
    berlin, utc = zoneinfo.ZoneInfo("Europe/Berlin"), dt.UTC
    moved = random.Random(1)
    moved.random()
    read = io.StringIO("abc")
    read.read(1)
    yield "an attribute", Thing(a=1), Thing(a=2)
    yield "the name of an attribute", Thing(a=1), Thing(b=1)
    yield "an object and its attributes", Thing(a=1), {"a": 1}
    yield "the class", Thing(name="x", tags=[]), Row("x")
    yield "a slot", Slotted(1), Slotted(2)
    yield "members of an enumeration", Colour.RED, Colour.CRIMSON
    yield "member and value", Colour.RED, 1
    yield "flags", Right.READ, Right.READ | Right.WRITE
    yield "a named tuple and a tuple", Point(1, 2), (1, 2)
    yield "list subclass", Words([1]), [1]
    yield "dict subclass", Table(a=1), {"a": 1}
    yield "int subclass", Count(1), 1
    yield "int subclasses", Count(1), Count(2)
    yield "set subclass", Unique([1]), {1}
    yield "ordered dict", collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)
    yield "the factory of a default dict", collections.defaultdict(list), collections.defaultdict(set)
    yield "counters", collections.Counter("aab"), collections.Counter("abb")
    yield "chain maps", collections.ChainMap({1: 2}, {}), collections.ChainMap({}, {1: 2})
    yield "the length of a deque", collections.deque([1], 3), collections.deque([1], 4)
    yield "dates", dt.date(2020, 1, 1), day
    yield "time zones", day.replace(tzinfo=berlin), day.replace(tzinfo=utc)
    yield "fold", day.replace(fold=0), day.replace(fold=1)
    yield "durations", dt.timedelta(1), dt.timedelta(2)
    yield "decimals", decimal.Decimal("1.0"), decimal.Decimal("1.00")
    yield "fractions", fractions.Fraction(1, 2), fractions.Fraction(1, 3)
    yield "unique ids", uuid.UUID(int=1), uuid.UUID(int=2)
    yield "pure paths", pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a")
    yield "path and text", pathlib.Path("a"), "a"
    yield "ranges", range(3), range(4)
    yield "slices", slice(1, 2), slice(1, 2, 1)
    yield "complex numbers", complex(0.0, 0.0), complex(0.0, -0.0)
    yield "byte arrays", bytearray(b"a"), b"a"
    yield "arrays of the standard library", array.array("i", [1]), array.array("l", [1])
    yield "exceptions", ValueError("a"), ValueError("b")
    yield "kinds of exceptions", ValueError("a"), KeyError("a")
    yield "patterns", re.compile("a"), re.compile("a", re.IGNORECASE)
    yield "name spaces", types.SimpleNamespace(a=1), types.SimpleNamespace(a=2)
    yield "proxies", types.MappingProxyType({1: 2}), {1: 2}
    yield "states of a generator", random.Random(1), moved
    yield "positions in a text", io.StringIO("abc"), read
    yield "bytes in memory", io.BytesIO(b"a"), io.BytesIO(b"b")
    yield "views of a dict", {1: 2}.keys(), {1: 2}.values()
    yield "classes", dict, collections.OrderedDict
    yield "built-in functions", len, max
    yield "methods of built-in values", "a".upper, "b".upper
    yield "singletons", Ellipsis, NotImplemented


@equal("numpy", ["numpy"])
def _():
    import numpy as np

    grid = np.arange(12.0).reshape(3, 4)
    yield "Fortran order", grid, np.asfortranarray(grid)
    yield "strides", np.arange(24)[::2], np.arange(0, 24, 2)
    yield "backwards", grid[::-1, ::-1], grid[::-1, ::-1].copy()
    yield "broadcast", np.broadcast_to(np.arange(3), (4, 3)), np.array([np.arange(3)] * 4)
    frozen = grid.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen, grid
    yield "a large one in Fortran order", np.ones((1500, 1500)), np.ones((1500, 1500), order="F")
    yield "one with long rows", np.ones((2, 3_000_000))[:, ::2], np.ones((2, 1_500_000))
    tight, loose = np.dtype("i1,f8"), np.dtype("i1,f8", align=True)
    noisy = np.frombuffer(bytes(range(32)) * 1, loose).copy()
    yield "bytes between fields", noisy, noisy.astype(tight)
    yield "shared objects", np.array([[1], [1]], object)[:, :1], np.array([[1], [1]], object)
    masked = np.ma.array([1, 2], mask=[False, False])
    yield "no mask and nothing masked", np.ma.array([1, 2]), masked
    extended = np.ones(4, np.longdouble)
    dirty = np.frombuffer(bytearray(extended.tobytes()), np.longdouble)
    if extended.itemsize == 16 and np.finfo(np.longdouble).nmant == 63:
        dirty.view(np.uint8).reshape(-1, 16)[:, 10:] = 7
    yield "bytes after extended floats", extended, dirty
    yield "nothing in it", np.empty((0, 3)), np.ones((0, 3))
    yield "generators", np.random.default_rng(1), np.random.default_rng(1)
    yield "sequences of times", np.array(["2020"], "M8[s]"), np.array(["2020-01-01"], "M8[s]")


@different("numpy", ["numpy"])
def _():
    import numpy as np

    grid = np.arange(12).reshape(3, 4)
    yield "dtype", np.arange(3, dtype="i4"), np.arange(3, dtype="i8")
    yield "byte order", np.arange(3, dtype="<i4"), np.arange(3, dtype="<i4").astype(">i4")
    yield "shape", grid, grid.reshape(4, 3)
    yield "transposed", grid.reshape(4, 3), grid.T
    yield "one element of many", np.zeros(2_000_000), np.eye(1, 2_000_000, 77)[0]
    yield "zeros", np.array([0.0]), np.array([-0.0])
    yield "scalar and number", np.float64(1), 1.0
    yield "scalar and array", np.float64(1), np.array(1.0)
    yield "scalars", np.int64(1), np.int32(1)
    yield "texts of numpy", np.str_("a"), "a"
    yield "fields", np.zeros(2, [("a", "i4")]), np.zeros(2, [("b", "i4")])
    yield "values of fields", np.zeros(2, "i4,f8"), np.ones(2, "i4,f8")
    yield "subarrays", np.zeros(2, [("a", "i4", 2)]), np.zeros(2, [("a", "i4", 3)])
    yield "units of time", np.array([1], "M8[s]"), np.array([1], "M8[ms]")
    yield "lengths of texts", np.array(["a"], "U1"), np.array(["a"], "U2")
    yield "objects", np.array([1, None], object), np.array([1.0, None], object)
    yield "masks", np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[1, 0])
    yield "fill values", np.ma.array([1, 2], fill_value=3), np.ma.array([1, 2], fill_value=4)
    yield "masked and not", np.ma.array([1, 2]), np.array([1, 2])
    yield "subclasses", np.zeros(1, "i4,i4").view(np.recarray), np.zeros(1, "i4,i4")
    yield "seeds", np.random.default_rng(1), np.random.default_rng(2)
    yield "old generators", np.random.RandomState(1), np.random.RandomState(2)
    yield "functions", np.add, np.subtract
    yield "dtypes", np.dtype("i4"), np.dtype("i8")
    yield "dtype and name", [np.dtype("i4"), 5], [5, np.dtype("i4")]
    yield "array and list", np.arange(3), [0, 1, 2]


@equal("pandas", ["pandas"])
def _():
    import numpy as np
    import pandas as pd

    whole = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    pieces = pd.DataFrame({"a": [1, 2]})
    pieces["b"] = [3, 4]
    yield "layout of blocks", whole, pieces
    yield "a slice", pd.DataFrame({"a": range(10)})[::2], pd.DataFrame({"a": range(0, 10, 2)}, index=range(0, 10, 2))
    hidden = pd.array([1, 2, 3], "Int64")
    hidden[1] = pd.NA
    yield "what is under a mask", hidden, pd.array([1, None, 3], "Int64")
    texts = pd.Series(["a", None, "b"], dtype=object)
    yield "objects shared", texts, pd.Series(["".join("a"), None, "b"], dtype=object)
    yield "a view as a column", pd.Series(np.arange(10)[::2]), pd.Series(np.arange(0, 10, 2))
    yield "categories", pd.Categorical(["a", "b"]), pd.Categorical.from_codes([0, 1], ["a", "b"])


@different("pandas", ["pandas"])
def _():
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=[0, 1])
    other = frame.copy()
    other.attrs["unit"] = "m"
    yield "attrs", frame, other
    yield "flags", frame, frame.set_flags(allows_duplicate_labels=False)
    yield "name of a column", frame, frame.rename(columns={"a": "c"})
    yield "order of columns", frame, frame[["b", "a"]]
    yield "name of the columns", frame, frame.rename_axis(columns="n")
    yield "name of the index", frame, frame.rename_axis("n")
    yield "index", frame, frame.set_axis([0, 2])
    yield "kind of index", frame, frame.reset_index(drop=True)
    yield "dtype", frame, frame.astype({"a": "int32"})
    yield "a text", frame, frame.replace("x", "z")
    yield "objects and texts", frame, frame.astype(object)
    yield "series and frame", frame[["a"]], frame["a"]
    yield "name of a series", frame["a"], frame["a"].rename("q")
    ab, ba = pd.CategoricalDtype(["a", "b"]), pd.CategoricalDtype(["b", "a"])
    yield "order of categories", pd.Series(["a"], dtype=ab), pd.Series(["a"], dtype=ba)
    yield "ordered categories", pd.Categorical(["a"]), pd.Categorical(["a"], ordered=True)
    yield "dtypes of categories", ab, ba
    times = pd.date_range("2020", periods=3, freq="D")
    yield "time zones", times.tz_localize("UTC"), times.tz_localize("Europe/Berlin")
    yield "no time zone", times, times.tz_localize("UTC")
    yield "frequency", times, pd.DatetimeIndex(list(times))
    yield "units", times.as_unit("s"), times.as_unit("ns")
    yield "periods", pd.period_range("2020", periods=2, freq="D"), pd.period_range("2020", periods=2, freq="M")
    yield "intervals", pd.interval_range(0, 2, closed="left"), pd.interval_range(0, 2, closed="right")
    yield "missing ones", pd.Series([1, None], dtype="Int64"), pd.Series([1, 0], dtype="Int64")
    yield "kinds of missing", [None, pd.NA, pd.NaT], [pd.NaT, None, pd.NA]
    nan = float("nan")
    yield "missing objects", pd.Series(["a", None], dtype=object), pd.Series(["a", nan], dtype=object)
    yield "nullable and not", pd.Series([1, 2]), pd.Series([1, 2], dtype="Int64")
    yield "levels", pd.MultiIndex.from_product([[1, 2], ["a", "b"]]), pd.MultiIndex.from_product([[1, 2], ["a", "c"]])
    yield "sparse", pd.arrays.SparseArray([0, 1]), pd.arrays.SparseArray([1, 0])
    yield "time stamps", pd.Timestamp("2020"), pd.Timestamp("2020", tz="UTC")
    yield "nanoseconds", pd.Timestamp(1), pd.Timestamp(2)
    yield "durations", pd.Timedelta(1), pd.Timedelta(2)
    yield "ranges", pd.RangeIndex(3), pd.RangeIndex(4)


@equal("arrow", ["pyarrow"])
def _():
    import pyarrow as pa

    columns = {
        "n": [1, None, 3, 4],
        "b": [True, None, False, True],
        "t": ["a", None, "", "ü"],
        "l": [[1], None, [], [2, None]],
        "s": [{"x": 1, "y": "a"}, None, {"x": None, "y": "b"}, {"x": 3, "y": None}],
        "m": [[("k", 1)], None, [], [("a", 2), ("b", 3)]],
        "z": [None] * 4,
    }
    types_ = {"m": pa.map_(pa.string(), pa.int64()), "l": pa.large_list(pa.int32())}
    table = pa.table({name: pa.array(items, types_.get(name)) for name, items in columns.items()})
    yield "chunks", table, pa.concat_tables([table[:1], table[1:3], table[3:]])
    yield "a slice", table[1:3], pa.table([pa.array(c[1:3].to_pylist(), c.type) for c in table.columns], table.schema)
    full = pa.array([1, 2, 3])
    gaps = pa.Array.from_buffers(pa.int64(), 3, [pa.py_buffer(b"\x05"), full.buffers()[1]])
    yield "what is under nulls", gaps, pa.array([1, None, 3])
    words = pa.array(["a", "b", "a"]).dictionary_encode()
    yield "chunked dictionaries", pa.chunked_array([words]), pa.chunked_array([words[:1], words[1:]])
    yield (
        "fixed lists",
        pa.array([[1, 2], None], pa.list_(pa.int8(), 2)),
        pa.array([[0, 0], [1, 2], None], pa.list_(pa.int8(), 2))[1:],
    )
    yield "decimals", pa.array([None, 1], pa.decimal128(5, 2))[1:], pa.array([1], pa.decimal128(5, 2))
    yield "empty", pa.chunked_array([], pa.string()), pa.chunked_array([pa.array([], pa.string())])


@different("arrow", ["pyarrow"])
def _():
    import pyarrow as pa

    yield "nulls", pa.array([1, None]), pa.array([1, 0])
    yield "where nulls are", pa.array([1, None, 1]), pa.array([1, 1, None])
    yield "types", pa.array([1], pa.int32()), pa.array([1], pa.int64())
    yield "texts", pa.array(["ab", "c"]), pa.array(["a", "bc"])
    yield "lists", pa.array([[1], [2]]), pa.array([[1, 2], []])
    yield "structs", pa.array([{"a": 1}]), pa.array([{"b": 1}])
    yield "bits", pa.array([True, False]), pa.array([False, True])
    yield "names", pa.table({"a": [1]}), pa.table({"b": [1]})
    yield "metadata", pa.table({"a": [1]}), pa.table({"a": [1]}).replace_schema_metadata({"k": "v"})
    yield "scalars", pa.scalar(1), pa.scalar(2)
    yield "arrow types", pa.int8(), pa.int16()
    if hasattr(pa, "string_view"):  # since pyarrow 16
        yield "views", pa.array(["a"], pa.string_view()), pa.array(["b"], pa.string_view())


@equal("polars", ["polars", "pyarrow"])
def _():
    import polars as pl

    frame = pl.DataFrame({"a": [1, None, 3], "b": ["x", "y", None], "c": [[1], [], None]})
    yield "chunks", frame, pl.concat([frame[:1], frame[1:]], rechunk=False)
    yield "a slice", frame[1:], pl.DataFrame({"a": [None, 3], "b": ["y", None], "c": [[], None]}, frame.schema)
    yield (
        "categories",
        pl.Series(["b", "a"], dtype=pl.Categorical),
        pl.Series(["a", "b", "a"], dtype=pl.Categorical)[1:],
    )


@different("polars", ["polars"])
def _():
    import polars as pl

    yield "values", pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})
    yield "names", pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [1]})
    yield "types", pl.Series([1], dtype=pl.Int8), pl.Series([1], dtype=pl.Int16)
    yield "name of a series", pl.Series("a", [1]), pl.Series("b", [1])
    yield "enumerations", pl.Series(["a"], dtype=pl.Enum(["a", "b"])), pl.Series(["a"], dtype=pl.Enum(["b", "a"]))
    yield "frame and series", pl.DataFrame({"a": [1]}), pl.Series("a", [1])


@equal("sparse", ["scipy"])
def _():
    import numpy as np
    import scipy.sparse as sp

    looked_at = sp.csr_array(np.eye(3))
    assert looked_at.has_sorted_indices
    yield "what it has found out about itself", looked_at, sp.csr_array(np.eye(3))


@different("sparse", ["scipy"])
def _():
    import numpy as np
    import scipy.sparse as sp

    yield "shapes", sp.csr_array((3, 4)), sp.csr_array((4, 3))
    yield "formats", sp.csr_array(np.eye(3)), sp.csc_array(np.eye(3))
    yield "array and matrix", sp.csr_array(np.eye(3)), sp.csr_matrix(np.eye(3))
    for kind in ("csr", "csc", "bsr", "coo", "dia", "lil", "dok"):
        made = getattr(sp, f"{kind}_array")
        yield kind, made(np.eye(3)), made(np.eye(3)) * 2


@equal("torch", ["torch"])
def _():
    import torch

    yield "strides", torch.arange(6).reshape(2, 3).T, torch.arange(6).reshape(2, 3).T.contiguous()
    yield "conjugated", torch.tensor([1 + 2j]).conj(), torch.tensor([1 - 2j])
    torch.manual_seed(0)
    layer = torch.nn.Linear(2, 3)
    yield "modules", layer, copy.deepcopy(layer)
    pairs = torch.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (2,), check_invariants=True)
    yield "sums in a sparse tensor", pairs, torch.sparse_coo_tensor([[0]], [3.0], (2,), check_invariants=True)


@different("torch", ["torch"])
def _():
    import torch

    yield "values", torch.zeros(2), torch.ones(2)
    yield "types", torch.zeros(2), torch.zeros(2, dtype=torch.bfloat16)
    yield "shapes", torch.zeros(2, 1), torch.zeros(1, 2)
    yield "gradients wanted", torch.zeros(2), torch.zeros(2, requires_grad=True)
    yield "parameters", torch.zeros(2, requires_grad=True), torch.nn.Parameter(torch.zeros(2))
    waiting = torch.zeros(2, requires_grad=True)
    waiting.sum().backward()
    yield "gradients that wait", waiting, torch.zeros(2, requires_grad=True)
    yield "generators", torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    yield "dtypes", torch.float32, torch.float64
    yield "modules", torch.nn.ReLU(), torch.nn.GELU()
    yield "training", torch.nn.ReLU().eval(), torch.nn.ReLU().train()


@different("images", ["PIL"])
def _():
    from PIL import Image

    grey = Image.new("L", (2, 3))
    yield "modes", grey, Image.new("RGB", (2, 3))
    yield "sizes", grey, Image.new("L", (3, 2))
    yield "pixels", grey, Image.new("L", (2, 3), 1)
    noted = grey.copy()
    noted.info["dpi"] = 300
    yield "info", grey, noted
    red, blue = Image.new("P", (1, 1)), Image.new("P", (1, 1))
    red.putpalette([255, 0, 0])
    blue.putpalette([0, 0, 255])
    yield "palettes", red, blue


@equal("images", ["PIL"])
def _():
    from PIL import Image

    stream = io.BytesIO()
    Image.new("L", (2, 3), 7).save(stream, "png")
    yield "read from a file", Image.open(stream), Image.new("L", (2, 3), 7)


@different("models", ["pydantic", "attrs"])
def _():
    import pydantic

    Model = pydantic.create_model("Model", __module__=__name__, a=(int, 0))
    globals()["Model"] = Model
    yield "fields of a model", Model(a=1), Model(a=2)
    yield "fields that were set", Model(a=0), Model()


@equal("models", ["pydantic", "attrs"])
def _():
    import attrs

    Attrs = attrs.make_class("Attrs", ["a", "b"], slots=True)
    Attrs.__module__ = __name__
    globals()["Attrs"] = Attrs
    yield "attrs classes", Attrs(1, [2]), Attrs(1, [2])


@equal("estimators", ["sklearn"])
def _():
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.integers(0, 2, 60)
    for estimator in (
        RandomForestClassifier(5, random_state=0),
        HistGradientBoostingClassifier(max_iter=3, random_state=0),
        KNeighborsClassifier(algorithm="kd_tree"),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ):
        name = type(estimator).__name__
        yield name, copy.deepcopy(estimator).fit(x, y), copy.deepcopy(estimator).fit(x, y)


def cases(table):
    for name, function in table.items():
        for claim, *values in function():
            yield f"{name}: {claim}", values


def digests():
    """The Digests of all specimens, by claim."""
    from ipycheckpoint.identity.values import digest_value

    return {
        f"{claim} {i}": digest_value(value)
        for table in (EQUAL, DIFFERENT)
        for claim, values in cases(table)
        for i, value in enumerate(values)
    }
