"""Run as a notebook cell by `write.py`: one of everything that a cell may define."""

import abc
import collections
import contextlib
import dataclasses
import enum
import functools
import sys
import typing
from dataclasses import dataclass, field

import numpy as np

T = typing.TypeVar("T")


class Base:
    registry = []

    def __init_subclass__(cls, tag=None, **kw):
        super().__init_subclass__(**kw)
        cls.tag = tag
        Base.registry.append(cls.__name__)


class Sub(Base, tag="t"):
    @property
    def p(self):
        return "p" + self.q

    q = "q"

    @staticmethod
    def s():
        return "s"

    @classmethod
    def c(cls):
        return cls


class Exc(ValueError):
    def __init__(self, a):
        super().__init__(a)
        self.a = a


class SubExc(Exc):
    pass


@dataclass
class D:
    x: int
    y: list = field(default_factory=list, metadata={"u": 1})
    k: typing.ClassVar[int] = 3
    i: dataclasses.InitVar[int] = 5
    z: str = field(default="z", repr=False, kw_only=True)

    def __post_init__(self, i):
        self.w = i


@dataclass(frozen=True, slots=True, order=True)
class F:
    a: int
    b: str = "b"


@dataclass
class D2(D):
    extra: int = 9


class Color(enum.Enum):
    RED = 1
    GREEN = "g"
    ROUGE = 1  # noqa: PIE796 - an alias is a case

    def hi(self):
        return self.name + "!"


class Planet(enum.Enum):
    E = (1, 2)
    M = (3, 4)

    def __init__(self, a, b):
        self.a = a
        self.b = b


class Fl(enum.Flag):
    A = enum.auto()
    B = enum.auto()


class IE(enum.IntEnum):
    X = 1


class SE(enum.StrEnum):
    X = "x"


class NT(typing.NamedTuple):
    a: int
    b: str = "q"

    def tot(self):
        return self.a


CNT = collections.namedtuple("CNT", "u v", defaults=[2])


class CN2(CNT):
    def m(self):
        return self.u


class TD(typing.TypedDict, total=False):
    a: int


class Ab(abc.ABC):
    @abc.abstractmethod
    def f(self): ...
    @classmethod
    def __subclasshook__(cls, o):
        return NotImplemented


class Con(Ab):
    def f(self):
        return 1


Ab.register(int)


class G(typing.Generic[T]):
    def __init__(self, v: T):
        self.v = v


class GI(G[int]):
    pass


class Proto(typing.Protocol):
    def f(self) -> int: ...


class Meta(type):
    def __new__(m, n, b, ns, **k):
        ns["made"] = True
        return super().__new__(m, n, b, ns)

    def __call__(cls, *a, **k):
        o = super().__call__(*a, **k)
        o.via = "meta"
        return o


class M(metaclass=Meta):
    pass


class Slots:
    __slots__ = ("a", "__b", "__weakref__")  # noqa: RUF023 - the order is kept

    def __init__(self):
        self.a = 1
        self.__b = 2

    def get(self):
        return self.__b


class Desc:
    def __set_name__(self, o, n):
        self.n = n

    def __get__(self, i, o):
        return self.n


class HasD:
    d = Desc()


class Cyc:
    pass


Cyc.me = Cyc
Cyc.inst = Cyc()


class Outer:
    class Inner:
        def g(self):
            return Outer


@functools.lru_cache(maxsize=5)
def cached(x):
    return x + 1


@functools.singledispatch
def sd(x):
    return "base"


@sd.register(int)
def _(x):
    return "int"


def deco(f):
    @functools.wraps(f)
    def w(*a, **k):
        return f(*a, **k) + 100

    return w


@deco
def decorated(x: int = 2) -> int:
    "doc"
    return x


@contextlib.contextmanager
def cm():
    yield 5


def gen(n):
    yield from range(n)


async def co():
    return 3


lam1, lam2 = lambda x: x + 1, lambda x: x + 2


class CP:
    @functools.cached_property
    def v(self):
        return 42


class Dd(dict):
    def __init__(self, *a):
        super().__init__(*a)
        self.t = 1


class WithInit(list):
    def __init_subclass__(cls, **k):
        raise RuntimeError("ran again")


type_alias = typing.Optional[D]  # noqa: UP045 - the older form is a case
values = dict(  # noqa: C408 - names are the point
    Sub=Sub,
    sub=Sub(),
    SubExc=SubExc,
    exc=SubExc(3),
    D=D,
    d=D(1, i=8),
    F=F,
    f=F(1),
    D2=D2,
    d2=D2(1),
    Color=Color,
    col=[Color.RED, Color.ROUGE],
    Planet=Planet,
    pl=Planet.M,
    Fl=Fl,
    fl=Fl.A | Fl.B,
    IE=IE,
    ie=IE.X,
    SE=SE,
    NT=NT,
    nt=NT(1),
    CN2=CN2,
    cn2=CN2(1),
    TD=TD,
    Ab=Ab,
    Con=Con,
    con=Con(),
    GI=GI,
    gi=GI(3),
    Proto=Proto,
    M=M,
    m=M(),
    Slots=Slots,
    sl=Slots(),
    HasD=HasD,
    Cyc=Cyc,
    Outer=Outer,
    inner=Outer.Inner(),
    cached=cached,
    sd=sd,
    decorated=decorated,
    cm=cm,
    gen=gen,
    co=co,
    lam1=lam1,
    lam2=lam2,
    CP=CP,
    cp=CP(),
    Dd=Dd,
    dd=Dd({1: 2}),
    meth=Outer.Inner().g,
    part=functools.partial(decorated, 3),
    alias=type_alias,
    Base=Base,
    ell=[..., NotImplemented, type(None)],
    mp=vars(D).__class__({1: 2}),
    mod=sys,
    prop=Sub.__dict__["p"],
    keys={1: 2}.keys(),
    array=np.arange(12.0).reshape(3, 4),
    fortran=np.asfortranarray(np.ones((2, 3), "i4")),
    large=np.arange(9000),
    plain={"a": [1, 2.5, None, True, "é", b"x", (1,), {2}, frozenset({3}), 1j]},
)
values["view"] = values["array"][1]


def counter():
    count = 0

    def up():
        nonlocal count
        count += 1
        return count

    def read():
        return count

    return up, read


values["up"], values["read"] = counter()
