"""What must hold for `definitions.py` after loading, whoever wrote it."""

import asyncio
import dataclasses
import inspect
import sys
import typing


def raises(kind, call):
    try:
        call()
    except kind:
        return True
    return False


def check(o, namespace):
    S = o["Sub"]
    assert type(o["sub"]) is S
    assert S.__bases__ == (o["Base"],)
    assert S.tag == "t"
    assert o["Base"].registry == ["Sub"], "__init_subclass__ ran again"
    assert o["sub"].p == "pq"
    assert S.s() == "s"
    assert S.c() is S
    assert o["exc"].a == 3
    assert isinstance(o["exc"], o["SubExc"])
    assert isinstance(o["exc"], ValueError)
    D = o["D"]
    assert D(1, i=8) == o["d"]
    assert [f.name for f in dataclasses.fields(D)] == ["x", "y", "z"]
    assert repr(D(1)) == "D(x=1, y=[])", repr(D(1))
    assert D(1).w == 5
    assert D.k == 3
    assert dataclasses.fields(D)[1].metadata["u"] == 1
    assert dataclasses.replace(o["d"], x=2, i=1).x == 2
    assert D.__init__.__annotations__["x"] is int
    D2 = o["D2"]
    assert issubclass(D2, D)
    assert o["d2"] == D2(1)
    assert D2(1).extra == 9
    assert D2(1) != D(1)
    F = o["F"]
    assert F(1) == o["f"]
    assert F(1) < F(2)
    assert hash(F(1)) == hash(o["f"])
    assert not hasattr(o["f"], "__dict__")
    assert raises(dataclasses.FrozenInstanceError, lambda: setattr(o["f"], "a", 3))

    class SubF(F):
        pass

    SubF(1)
    C = o["Color"]
    assert o["col"] == [C.RED, C.RED]
    assert C.RED.hi() == "RED!"
    assert C.ROUGE is C.RED
    assert C("g") is C.GREEN
    assert list(C) == [C.RED, C.GREEN]
    assert o["pl"] is o["Planet"].M
    assert o["pl"].b == 4
    assert o["fl"] == o["Fl"].A | o["Fl"].B
    assert o["ie"] is o["IE"].X
    assert o["ie"] == 1
    assert o["SE"].X == "x"
    assert str(o["SE"].X) == "x"
    assert o["nt"] == (1, "q")
    assert type(o["nt"]) is o["NT"]
    assert o["nt"].tot() == 1
    assert o["NT"](4).b == "q"
    assert o["NT"].__annotations__["a"] is int
    assert o["cn2"].m() == 1
    assert o["cn2"].v == 2
    assert o["cn2"]._replace(u=5).m() == 5
    assert o["TD"].__total__ is False
    assert o["TD"](a=1) == {"a": 1}
    assert o["TD"].__optional_keys__ == {"a"}
    assert raises(TypeError, o["Ab"])
    assert o["con"].f() == 1
    assert isinstance(o["con"], o["Ab"])
    assert isinstance(3, o["Ab"])
    assert not isinstance("", o["Ab"])
    assert o["gi"].v == 3
    assert o["GI"].__orig_bases__[0].__origin__ is o["GI"].__bases__[0]
    assert typing.get_args(o["GI"].__orig_bases__[0]) == (int,)
    o["GI"].__bases__[0][str]
    assert o["M"].made
    assert o["m"].via == "meta"
    assert o["M"]().via == "meta"
    assert o["sl"].a == 1
    assert o["sl"].get() == 2
    assert not hasattr(o["sl"], "__dict__")
    assert o["HasD"]().d == "d"
    assert o["Cyc"].me is o["Cyc"]
    assert type(o["Cyc"].inst) is o["Cyc"]
    assert o["inner"].__class__ is o["Outer"].Inner
    assert o["cached"](1) == 2
    assert o["cached"].cache_info().maxsize == 5
    assert o["cached"].__name__ == "cached"
    assert o["sd"](1) == "int"
    assert o["sd"]("") == "base"
    o["sd"].register(str, lambda x: "str")
    assert o["sd"]("") == "str"
    d = o["decorated"]
    assert d() == 102
    assert d.__wrapped__() == 2
    assert d.__doc__ == "doc"
    assert d.__name__ == "decorated"
    assert inspect.signature(d).parameters["x"].annotation is int
    with o["cm"]() as v:
        assert v == 5
    assert list(o["gen"](3)) == [0, 1, 2]
    assert asyncio.run(o["co"]()) == 3
    assert o["lam1"](1) == 2
    assert o["lam2"](1) == 3
    assert o["cp"].v == 42
    assert o["Dd"]({3: 4}).t == 1
    assert o["dd"] == {1: 2}
    assert o["dd"].t == 1
    assert o["part"]() == 103
    assert typing.get_args(o["alias"])[0] is D
    assert o["mod"] is sys
    assert o["ell"] == [..., NotImplemented, type(None)]
    assert list(o["keys"]) == [1]
    assert o["mp"][1] == 2
    assert o["prop"].fget(o["sub"]) == "pq"
    namespace["Outer"] = "live"
    assert o["meth"]() == "live"
    src = inspect.getsource(o["gen"])
    assert src.startswith("def gen(n)"), src
    assert "self.w = i" in inspect.getsource(D.__post_init__)
    assert o["array"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert o["fortran"].flags.f_contiguous
    assert o["large"].sum() == sum(range(9000))
    assert o["array"].flags.writeable
    o["array"][1, 1] = 70
    assert o["view"].tolist() == [4, 70, 6, 7]
    assert o["plain"] == {"a": [1, 2.5, None, True, "é", b"x", (1,), {2}, frozenset({3}), 1j]}
    assert (o["up"](), o["up"](), o["read"]()) == (1, 2, 2)
