"""What makes a call of a checkpointed function a hit or a miss, from one process to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.semantics.scenes import Outcome, Scene, check, edited, play, unchanged, within

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = """
@checkpoint
def f(x):
    print("ran")
    total = x + 1
    return total

result = f(1)
"""

HELPED = """
def inner(x):
    return x * 2

def helper(x):
    return inner(x) + 1

@checkpoint
def f(x):
    print("ran")
    return helper(x)

result = f(1)
"""

FACT = """
@checkpoint
def fact(n):
    print("ran")
    return n * fact(n - 1) if n else 1

result = fact(2)
"""

GLOBALS = """
LIMIT = 3
UNUSED = 0
TABLE = {"a": [1, 2]}

@checkpoint
def f(x):
    print("ran")
    return x + LIMIT + sum(TABLE["a"])

result = f(1)
"""

CODE = [
    edited("1. an edited body runs again", PLAIN, "x + 1", "x + 2", "miss"),
    Scene(
        "1. an edit that is reverted finds the old result",
        (edited("", PLAIN, "x + 1", "x + 2", "").versions * 2)[:3],
        ("miss", "miss", "hit"),
    ),
    edited("2. a comment changes nothing", PLAIN, "x + 1", "x + 1  # one more", "hit"),
    edited("2. another layout changes nothing", PLAIN, "x + 1", "(\n        x\n        + 1\n    )", "hit"),
    edited("2. a docstring changes nothing", PLAIN, '    print("ran")', '    """Add."""\n    print("ran")', "hit"),
    edited("2. annotations change nothing", PLAIN, "def f(x):", "def f(x: int) -> int:", "hit"),
    edited("2. an annotated local changes nothing", PLAIN, "total = x", "total: int = x", "hit"),
    edited("3. a renamed local changes nothing", PLAIN, "total", "all_of_it", "hit"),
    edited("3. a renamed parameter changes nothing", PLAIN, "x", "number", "hit"),
    edited("3. a renamed global changes nothing", GLOBALS, "LIMIT", "MOST", "hit"),
    edited("3. a renamed function changes nothing", PLAIN, "f(", "g(", "hit"),
    Scene(
        "3. a function that calls itself may be renamed",
        edited("", FACT, "fact", "factorial", "").versions,
        ("miss miss miss", "hit hit hit"),
    ),
    edited(
        "4. code inserted above changes nothing", PLAIN, "@checkpoint", "import json\nVALUE = 7\n\n@checkpoint", "hit"
    ),
    edited("4. being moved down in the file changes nothing", PLAIN, "@checkpoint", "\n" * 40 + "@checkpoint", "hit"),
    unchanged("4. a new process changes nothing", PLAIN),
    edited("5. an edited helper is seen", HELPED, "inner(x) + 1", "inner(x) + 2", "miss"),
    edited("5. an edited helper of a helper is seen", HELPED, "x * 2", "x * 3", "miss"),
    edited("5. a renamed helper changes nothing", HELPED, "helper", "assistant", "hit"),
    edited("5. a helper of a helper that is renamed changes nothing", HELPED, "inner", "core", "hit"),
    edited("5. a comment in a helper changes nothing", HELPED, "x * 2", "x * 2  # twice", "hit"),
    edited(
        "5. helpers defined in another order change nothing",
        HELPED,
        HELPED.partition("@checkpoint")[0],
        """
def helper(x):
    return inner(x) + 1

def inner(x):
    return x * 2

""",
        "hit",
    ),
    edited(
        "5. an edited helper that is itself checkpointed is seen",
        HELPED.replace("def helper", "@checkpoint\ndef helper"),
        "inner(x) + 1",
        "inner(x) + 2",
        "miss",
    ),
    edited(
        "5. a helper that gets a checkpoint of its own changes nothing",
        HELPED,
        "def helper",
        "@checkpoint\ndef helper",
        "hit",
    ),
    edited("7. a helper's default is seen", HELPED.replace("def inner(x)", "def inner(x, k=2)"), "k=2", "k=3", "miss"),
    edited(
        "7. a helper's keyword default is seen",
        HELPED.replace("def inner(x)", "def inner(x, *, k=2)"),
        "k=2",
        "k=3",
        "miss",
    ),
    edited(
        "7. an argument of a helper's decorator is seen",
        """
        def times(k):
            def decorate(function):
                def wrapper(x):
                    return k * function(x)
                return wrapper
            return decorate
        @times(2)
        def helper(x):
            return x
        @checkpoint
        def f(x):
            print("ran")
            return helper(x)
        result = f(1)
        """,
        "times(2)",
        "times(3)",
        "miss",
    ),
    edited("8. a global of another value is seen", GLOBALS, "LIMIT = 3", "LIMIT = 4", "miss"),
    edited("8. a global of another type is seen", GLOBALS, "LIMIT = 3", "LIMIT = 3.0", "miss"),
    edited("8. a global that changed inside is seen", GLOBALS, "[1, 2]", "[1, 3]", "miss"),
    edited("8. a global changed in place is seen", GLOBALS, "\nresult", "\nTABLE['a'].append(5)\nresult", "miss"),
    edited("8. a global that it doesn't use may change", GLOBALS, "UNUSED = 0", "UNUSED = 1", "hit"),
    edited(
        "8. a global behind a local of the same name may change",
        GLOBALS.replace("print", "UNUSED = print"),
        "UNUSED = 0",
        "UNUSED = 1",
        "hit",
    ),
    edited(
        "8. an attribute of a global object is seen",
        """
        import types
        config = types.SimpleNamespace(rate=1)
        @checkpoint
        def f(x):
            print("ran")
            return x * config.rate
        result = f(2)
        """,
        "rate=1",
        "rate=2",
        "miss",
    ),
    edited(
        "8. a global that a nested function uses is seen",
        """
        LIMIT = 3
        @checkpoint
        def f(x):
            print("ran")
            return [y + LIMIT for y in (lambda: [x + LIMIT])()]
        result = f(1)
        """,
        "LIMIT = 3",
        "LIMIT = 4",
        "miss",
    ),
    edited(
        "8. a global that appears is seen",
        """
        @checkpoint
        def f(x):
            print("ran")
            try:
                return x + BONUS
            except NameError:
                return x
        result = f(1)
        """,
        "@checkpoint",
        "BONUS = 5\n        @checkpoint",
        "miss",
    ),
    edited(
        "8. a builtin that is shadowed is seen",
        """
        @checkpoint
        def f(x):
            print("ran")
            return len(x)
        result = f("abc")
        """,
        "@checkpoint",
        "len = hash and (lambda x: -1)\n        @checkpoint",
        "miss",
    ),
    edited(
        "10. a closure made with another value is another function",
        """
        def make(k):
            @checkpoint
            def f(x):
                print("ran")
                return x * k
            return f
        result = [make(2)(10)]
        """,
        "make(2)",
        "make(3)",
        "miss",
    ),
    within(
        "10. closures over two values are both right",
        """
        def make(k):
            @checkpoint
            def f(x):
                print("ran")
                return x * k
            return f
        two, three = make(2), make(3)
        result = [two(10), three(10), two(10), three(10)]
        """,
        "miss miss hit hit",
    ),
]

KINDS = [
    edited(
        "11. an edited lambda is seen",
        """
        def run(x):
            print("ran")
            return double(x)
        double = lambda x: x * 2
        f = checkpoint(run)
        result = f(1)
        """,
        "x * 2",
        "x * 3",
        "miss",
    ),
    edited(
        "11. an edited lambda among several on a line is seen",
        """
        one, two = (lambda x: x + 1), (lambda x: x + 2)
        @checkpoint
        def f(x):
            print("ran")
            return two(x)
        result = f(1)
        """,
        "x + 2",
        "x + 3",
        "miss",
    ),
    edited(
        "11. the other lambda on a line may be edited",
        """
        one, two = (lambda x: x + 1), (lambda x: x + 2)
        @checkpoint
        def f(x):
            print("ran")
            return two(x)
        result = f(1)
        """,
        "x + 1",
        "x + 9",
        "hit",
    ),
    edited(
        "11. a checkpointed lambda that is edited runs again",
        """
        f = checkpoint(lambda x: print("ran") or x * 2)
        result = f(1)
        """,
        "x * 2",
        "x * 3",
        "miss",
    ),
    edited(
        "11. an edited nested function is seen",
        """
        @checkpoint
        def f(x):
            print("ran")
            def inner(y):
                return y + 1
            return inner(x)
        result = f(1)
        """,
        "y + 1",
        "y + 2",
        "miss",
    ),
    edited(
        "11. the function of a partial is seen",
        """
        import functools
        def power(base, exponent):
            return base ** exponent
        square = functools.partial(power, exponent=2)
        @checkpoint
        def f(x):
            print("ran")
            return square(x)
        result = f(3)
        """,
        "base ** exponent",
        "base ** exponent + 1",
        "miss",
    ),
    edited(
        "11. the arguments of a partial are seen",
        """
        import functools
        def power(base, exponent):
            return base ** exponent
        square = functools.partial(power, exponent=2)
        @checkpoint
        def f(x):
            print("ran")
            return square(x)
        result = f(3)
        """,
        "exponent=2",
        "exponent=3",
        "miss",
    ),
    edited(
        "11. a checkpointed partial is the function with those arguments",
        """
        import functools
        def power(base, exponent):
            print("ran")
            return base ** exponent
        f = checkpoint(functools.partial(power, exponent=2))
        result = f(3)
        """,
        "functools.partial(power, exponent=2))\n        result = f(3)",
        "power)\n        result = f(3, 2)",
        "hit",
    ),
    edited(
        "11. an edited bound method is seen",
        """
        class Model:
            def predict(self, x):
                return x + 1
        predict = Model().predict
        @checkpoint
        def f(x):
            print("ran")
            return predict(x)
        result = f(1)
        """,
        "x + 1",
        "x + 2",
        "miss",
    ),
    edited(
        "11. the object behind a bound method is seen",
        """
        class Model:
            def __init__(self, k):
                self.k = k
            def predict(self, x):
                return x + self.k
        predict = Model(1).predict
        @checkpoint
        def f(x):
            print("ran")
            return predict(x)
        result = f(1)
        """,
        "Model(1)",
        "Model(2)",
        "miss",
    ),
    edited(
        "11. what functools.wraps wraps is seen",
        """
        import functools
        def logged(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper
        @logged
        def helper(x):
            return x + 1
        @checkpoint
        def f(x):
            print("ran")
            return helper(x)
        result = f(1)
        """,
        "x + 1",
        "x + 2",
        "miss",
    ),
    edited(
        "11. an edited wrapper is seen",
        """
        import functools
        def logged(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args) + 0
            return wrapper
        @logged
        def helper(x):
            return x + 1
        @checkpoint
        def f(x):
            print("ran")
            return helper(x)
        result = f(1)
        """,
        "+ 0",
        "+ 10",
        "miss",
    ),
    edited(
        "11. an edited wrapper under the checkpoint is seen",
        """
        import functools
        def logged(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args) + 0
            return wrapper
        @checkpoint
        @logged
        def f(x):
            print("ran")
            return x
        result = f(1)
        """,
        "+ 0",
        "+ 10",
        "miss",
    ),
    edited(
        "11. a function under a wrapper under the checkpoint is seen",
        """
        import functools
        def logged(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args) + 0
            return wrapper
        @checkpoint
        @logged
        def f(x):
            print("ran")
            return x + 1
        result = f(1)
        """,
        "x + 1",
        "x + 2",
        "miss",
    ),
    edited(
        "11. what lru_cache wraps is seen",
        """
        import functools
        @functools.lru_cache
        def helper(x):
            return x + 1
        @checkpoint
        def f(x):
            print("ran")
            return helper(x)
        result = f(1)
        """,
        "x + 1",
        "x + 2",
        "miss",
    ),
    edited(
        "11. a function under lru_cache under the checkpoint is seen",
        """
        import functools
        @checkpoint
        @functools.lru_cache
        def f(x):
            print("ran")
            return x + 1
        result = f(1)
        """,
        "x + 1",
        "x + 2",
        "miss",
    ),
    edited(
        "11. an implementation of a singledispatch function is seen",
        """
        import functools
        @functools.singledispatch
        def show(x):
            return "?"
        @show.register
        def _(x: int):
            return f"int {x}"
        @checkpoint
        def f(x):
            print("ran")
            return show(x)
        result = f(1)
        """,
        'f"int {x}"',
        'f"number {x}"',
        "miss",
    ),
    edited(
        "11. a registration on a singledispatch function is seen",
        """
        import functools
        @functools.singledispatch
        def show(x):
            return "?"
        @checkpoint
        def f(x):
            print("ran")
            return show(x)
        result = f(1)
        """,
        "@checkpoint",
        "show.register(int, lambda x: 'int')\n        @checkpoint",
        "miss",
    ),
    edited(
        "11. a function in a dict is seen",
        """
        def one(x):
            return x + 1
        HANDLERS = {"one": one, "other": [len]}
        @checkpoint
        def f(name, x):
            print("ran")
            return HANDLERS[name](x)
        result = f("one", 1)
        """,
        "x + 1",
        "x + 2",
        "miss",
    ),
    edited(
        "11. a function as an argument is seen",
        """
        def one(x):
            return x + 1
        @checkpoint
        def f(function, x):
            print("ran")
            return function(x)
        result = f(one, 1)
        """,
        "x + 1",
        "x + 2",
        "miss",
    ),
    edited(
        "11. a function as a default is seen",
        """
        def one(x):
            return x + 1
        @checkpoint
        def f(x, function=one):
            print("ran")
            return function(x)
        result = f(1)
        """,
        "x + 1",
        "x + 2",
        "miss",
    ),
    edited(
        "11. a callable object is seen by its method",
        """
        class Adder:
            def __call__(self, x):
                return x + 1
        add = Adder()
        @checkpoint
        def f(x):
            print("ran")
            return add(x)
        result = f(1)
        """,
        "x + 1",
        "x + 2",
        "miss",
    ),
    edited(
        "11. a checkpointed callable object is seen by its method",
        """
        class Adder:
            def __init__(self, k):
                self.k = k
            def __call__(self, x):
                print("ran")
                return x + self.k
        f = checkpoint(Adder(1))
        result = f(1)
        """,
        "x + self.k",
        "x - self.k",
        "miss",
    ),
    edited(
        "11. a checkpointed callable object counts by value",
        """
        class Adder:
            def __init__(self, k):
                self.k = k
            def __call__(self, x):
                print("ran")
                return x + self.k
        f = checkpoint(Adder(1))
        result = f(1)
        """,
        "Adder(1)",
        "Adder(2)",
        "miss",
    ),
    edited(
        "11. state that a function keeps in its attributes is seen",
        """
        def helper(x):
            return x + helper.offset
        helper.offset = 1
        @checkpoint
        def f(x):
            print("ran")
            return helper(x)
        result = f(1)
        """,
        "offset = 1",
        "offset = 2",
        "miss",
    ),
    edited(
        "11. state that a function keeps in its own attributes is seen",
        """
        @checkpoint
        def f(x):
            print("ran")
            return x + f.offset
        f.offset = 1
        result = f(1)
        """,
        "offset = 1",
        "offset = 2",
        "miss",
    ),
    edited(
        "11. what a context manager of one's own does is seen",
        """
        import contextlib
        @contextlib.contextmanager
        def doubled(x):
            yield x * 2
        @checkpoint
        def f(x):
            print("ran")
            with doubled(x) as y:
                return y
        result = f(1)
        """,
        "x * 2",
        "x * 3",
        "miss",
    ),
]

CLASS = """
    import functools
    class Base:
        shared = 1
        def inherited(self):
            return 1
    class Model(Base):
        rate = 1
        def __init__(self, x):
            self.x = x
        def method(self):
            return self.x + 1
        @property
        def prop(self):
            return self.x + 10
        @staticmethod
        def static():
            return 100
        @classmethod
        def klass(cls):
            return 1000
        @functools.cached_property
        def cached(self):
            return 10000
    @checkpoint
    def f(model):
        print("ran")
        return [model.method(), model.prop, model.static(), model.klass(), model.rate, model.shared, model.inherited()]
    result = f(Model(1))
    """

CLASSES = [
    unchanged("12. an argument of a class of one's own is found again", CLASS),
    edited("12. an edited method of an argument is seen", CLASS, "self.x + 1\n", "self.x + 2\n", "miss"),
    edited("12. an edited property is seen", CLASS, "self.x + 10\n", "self.x + 20\n", "miss"),
    edited("12. an edited static method is seen", CLASS, "return 100\n", "return 200\n", "miss"),
    edited("12. an edited class method is seen", CLASS, "return 1000\n", "return 2000\n", "miss"),
    edited("12. an edited cached property is seen", CLASS, "return 10000\n", "return 20000\n", "miss"),
    edited("12. an edited class attribute is seen", CLASS, "rate = 1\n", "rate = 2\n", "miss"),
    edited("12. an edited attribute of a base class is seen", CLASS, "shared = 1\n", "shared = 2\n", "miss"),
    edited("12. an edited method of a base class is seen", CLASS, "        return 1\n", "        return 2\n", "miss"),
    edited(
        "12. another base class is seen",
        CLASS,
        "class Model(Base)",
        "class Other(Base):\n        shared = 5\n    class Model(Other)",
        "miss",
    ),
    edited("12. a comment in a method changes nothing", CLASS, "self.x + 1\n", "self.x + 1  # more\n", "hit"),
    edited(
        "12. a docstring of a class changes nothing", CLASS, "class Base:\n", 'class Base:\n        """All."""\n', "hit"
    ),
    edited(
        "12. methods in another order change nothing",
        """
        class Model:
            def one(self):
                return 1
            def two(self):
                return 2
        @checkpoint
        def f(model):
            print("ran")
            return model.one()
        result = f(Model())
        """,
        "def one(self):\n                return 1\n            def two(self):\n                return 2",
        "def two(self):\n                return 2\n            def one(self):\n                return 1",
        "hit",
    ),
    edited(
        "12. a class that the function makes itself is seen",
        """
        class Model:
            def value(self):
                return 1
        @checkpoint
        def f():
            print("ran")
            return Model().value()
        result = f()
        """,
        "return 1",
        "return 2",
        "miss",
    ),
    edited(
        "12. a helper of a method is seen",
        """
        def helper():
            return 1
        class Model:
            def value(self):
                return helper()
        @checkpoint
        def f(model):
            print("ran")
            return model.value()
        result = f(Model())
        """,
        "return 1",
        "return 2",
        "miss",
    ),
    edited(
        "12. a method put on the class later is seen",
        """
        class Model:
            def value(self):
                return 1
        @checkpoint
        def f(model):
            print("ran")
            return model.value()
        result = f(Model())
        """,
        "@checkpoint",
        "Model.value = lambda self: 2\n        @checkpoint",
        "miss",
    ),
    edited(
        "12. a metaclass is seen",
        """
        class Meta(type):
            def size(cls):
                return 1
        class Model(metaclass=Meta):
            pass
        @checkpoint
        def f(model):
            print("ran")
            return type(model).size()
        result = f(Model())
        """,
        "return 1",
        "return 2",
        "miss",
    ),
    edited(
        "12. the method of a dataclass is seen",
        """
        from dataclasses import dataclass
        @dataclass
        class Point:
            x: int = 1
            def value(self):
                return self.x + 1
        @checkpoint
        def f(p):
            print("ran")
            return p.value()
        result = f(Point(3))
        """,
        "self.x + 1",
        "self.x + 2",
        "miss",
    ),
    edited(
        "12. the default of a dataclass field is seen",
        """
        from dataclasses import dataclass
        @dataclass
        class Point:
            x: int = 1
        @checkpoint
        def f(p):
            print("ran")
            return type(p)().x
        result = f(Point(3))
        """,
        "x: int = 1",
        "x: int = 2",
        "miss",
    ),
    edited(
        "12. the default factory of a dataclass field is seen",
        """
        from dataclasses import dataclass, field
        @dataclass
        class Point:
            x: list = field(default_factory=lambda: [1])
        @checkpoint
        def f(p):
            print("ran")
            return type(p)().x
        result = f(Point(3))
        """,
        "[1]",
        "[2]",
        "miss",
    ),
    edited(
        "12. the member of an Enum is seen",
        """
        import enum
        class Colour(enum.Enum):
            RED = 1
            BLUE = 2
        @checkpoint
        def f(c):
            print("ran")
            return [c.value, type(c)["BLUE"].value]
        result = f(Colour.RED)
        """,
        "BLUE = 2",
        "BLUE = 3",
        "miss",
    ),
    edited(
        "12. the method of an Enum is seen",
        """
        import enum
        class Colour(enum.Enum):
            RED = 1
            def shade(self):
                return "dark"
        @checkpoint
        def f(c):
            print("ran")
            return c.shade()
        result = f(Colour.RED)
        """,
        "dark",
        "light",
        "miss",
    ),
    unchanged(
        "12. an Enum is found again",
        """
        import enum
        class Colour(enum.Flag):
            RED = enum.auto()
            BLUE = enum.auto()
        @checkpoint
        def f(c):
            print("ran")
            return c.name
        result = f(Colour.RED | Colour.BLUE)
        """,
    ),
    edited(
        "12. the method of a NamedTuple is seen",
        """
        from typing import NamedTuple
        class Point(NamedTuple):
            x: int
            y: int = 2
            def value(self):
                return self.x + 1
        @checkpoint
        def f(p):
            print("ran")
            return p.value()
        result = f(Point(3))
        """,
        "self.x + 1",
        "self.x + 2",
        "miss",
    ),
    edited(
        "12. the default of a NamedTuple is seen",
        """
        from typing import NamedTuple
        class Point(NamedTuple):
            x: int
            y: int = 2
        @checkpoint
        def f(p):
            print("ran")
            return type(p)(1)
        result = f(Point(3, 4))[1]
        """,
        "y: int = 2",
        "y: int = 5",
        "miss",
    ),
    edited(
        "12. a class that a third library's object holds is seen",
        """
        import collections
        class Item:
            def value(self):
                return 1
        @checkpoint
        def f(items):
            print("ran")
            return [item.value() for item in items]
        result = f(collections.deque([Item()]))
        """,
        "return 1",
        "return 2",
        "miss",
    ),
]

TWO = """
@checkpoint
def f(a, b=2):
    print("ran")
    return a + b
"""

ARGUMENTS = [
    within(
        "13. a call by position, by name and by default are one",
        TWO + "result = [f(1, 2), f(a=1, b=2), f(1), f(b=2, a=1)]",
        "miss hit hit hit",
    ),
    edited("13. another default doesn't matter where it isn't used", TWO + "result = f(1, 2)", "b=2", "b=3", "hit"),
    edited("13. another default matters where it is used", TWO + "result = f(1)", "b=2", "b=3", "miss"),
    within(
        "14. positional-only parameters count by value",
        """
        @checkpoint
        def f(a, /, b):
            print("ran")
            return a - b
        result = [f(1, 2), f(1, b=2), f(2, 1)]
        """,
        "miss hit miss",
    ),
    within(
        "14. keyword-only parameters count by value",
        """
        @checkpoint
        def f(*, a, b=2):
            print("ran")
            return a - b
        result = [f(a=1), f(b=2, a=1), f(a=2, b=1)]
        """,
        "miss hit miss",
    ),
    within(
        "14. more arguments count by value",
        """
        @checkpoint
        def f(a, *rest):
            print("ran")
            return [a, *rest]
        result = [f(1, 2, 3), f(1, 2, 3), f(1, (2, 3)), f(1)]
        """,
        "miss hit miss miss",
    ),
    within(
        "14. more keywords count by name and value",
        """
        @checkpoint
        def f(a, **more):
            print("ran")
            return [a, more]
        result = [f(1, b=2), f(a=1, b=2), f(1, c=2), f(1, b=3)]
        """,
        "miss hit miss miss",
    ),
    within(
        "14. a keyword may have the name of a positional-only parameter",
        """
        @checkpoint
        def f(a, /, **more):
            print("ran")
            return [a, more]
        result = [f(1, a=2), f(1), f(2, a=1)]
        """,
        "miss miss miss",
    ),
    within(
        "15. equal numbers of several types differ",
        """
        @checkpoint
        def f(x):
            print("ran")
            return [type(x).__name__, x]
        result = [f(1), f(True), f(1.0), f("1"), f(b"1"), f([1]), f((1,)), f(1 + 0j), f(None)]
        """,
        "miss " * 9,
    ),
    *(
        edited(
            f"15. {old} and {new} in the code differ",
            f"""
        @checkpoint
        def f():
            print("ran")
            return repr({old})
        result = f()
        """,
            old,
            new,
            "miss",
        )
        for old, new in [
            ("1", "True"),
            ("1", "1.0"),
            ("'1'", "b'1'"),
            ("(1,)", "[1]"),
            ("0.0", "-0.0"),
            ("('ab', 'c')", "('a', 'bc')"),
        ]
    ),
    within(
        "16. the zeros differ, and NaN equals itself",
        """
        @checkpoint
        def f(x):
            print("ran")
            return repr(x)
        result = [f(0.0), f(-0.0), f(float("nan")), f(float("nan"))]
        """,
        "miss miss miss hit",
    ),
    unchanged(
        "17. sets of strings are found under another hash seed",
        """
        NAMES = {"x", "y", "zebra", "apple"}
        @checkpoint
        def f(x):
            print("ran")
            return sorted(x["a"] | NAMES | {"lit", "eral"} if "v" in {"u", "v", "w"} else x["b"])
        result = f({"a": frozenset({"p", "q", "r"}), "b": {("s", "t"), ("u",)}})
        """,
    ),
    edited(
        "18. a dict in another order differs",
        """
        @checkpoint
        def f(x):
            print("ran")
            return list(x)
        result = f({"a": 1, "b": 2})
        """,
        '"a": 1, "b": 2',
        '"b": 2, "a": 1',
        "miss",
    ),
    edited(
        "18. attributes set in another order don't matter",
        """
        class Box:
            pass
        @checkpoint
        def f(x):
            print("ran")
            return x.a - x.b
        box = Box()
        box.a = 1; box.b = 2
        result = f(box)
        """,
        "box.a = 1; box.b = 2",
        "box.b = 2; box.a = 1",
        "hit",
    ),
    within(
        "19. shared or not, interned or not, equal is equal",
        """
        @checkpoint
        def f(x):
            print("ran")
            return x
        row = [1, "text"]
        result = [f([row, row]), f([[1, "text"], [1, "te" + "".join("xt")]]), f([row, list(row)])]
        """,
        "miss hit hit",
    ),
    within(
        "23. texts that join to the same differ",
        """
        @checkpoint
        def f(*args):
            print("ran")
            return list(args)
        result = [f("ab", "c"), f("a", "bc"), f("abc"), f(["ab", "c"])]
        """,
        "miss " * 4,
    ),
    within(
        "34. what is ignored doesn't matter",
        """
        @checkpoint(ignore=["verbose"])
        def f(x, verbose=False):
            print("ran")
            return x
        result = [f(1), f(1, verbose=True), f(1, object()), f(2)]
        """,
        "miss hit hit miss",
    ),
    edited(
        "34. ignoring another argument is another call",
        """
        @checkpoint(ignore=["a"])
        def f(a, b):
            print("ran")
            return [a, b]
        result = f(5, 5)
        """,
        'ignore=["a"]',
        'ignore=["b"]',
        "miss",
    ),
    edited(
        "34. an ignored global doesn't matter",
        """
        import threading
        LEVEL = 1
        lock = threading.Lock()
        @checkpoint(ignore=["LEVEL", "lock"])
        def f(x):
            print("ran")
            with lock:
                return x if LEVEL else x
        result = f(1)
        """,
        "LEVEL = 1",
        "LEVEL = 2",
        "hit",
    ),
    within(
        "34. a fingerprint by name stands for the argument",
        """
        @checkpoint(fingerprints={"path": lambda p: p.lower()})
        def f(path, x):
            print("ran")
            return x
        result = [f("A", 1), f("a", 1), f("b", 1), f("a", "A")]
        """,
        "miss hit miss miss",
    ),
    within(
        "34. a fingerprint by type stands for values of it, inside others too",
        """
        class Handle:
            def __init__(self, number, socket):
                self.number, self.socket = number, socket
        @checkpoint(fingerprints={Handle: lambda h: h.number})
        def f(handles):
            print("ran")
            return [h.number for h in handles]
        result = [f([Handle(1, print)]), f([Handle(1, object())]), f([Handle(2, None)])]
        """,
        "miss hit miss",
    ),
    edited(
        "34. a value is not what stands for another",
        """
        @checkpoint(fingerprints={"x": len})
        def f(x):
            print("ran")
            return x
        result = f([7, 8])
        """,
        "result = f([7, 8])",
        "f = checkpoint(f.__wrapped__)\n        result = f(2)",
        "miss",
    ),
    edited(
        "34. another fingerprint function is another identity",
        """
        @checkpoint(fingerprints={"x": lambda x: x[0]})
        def f(x):
            print("ran")
            return x
        result = f([7, 7])
        """,
        "x[0]",
        "x[1]",
        "miss",
    ),
    Scene(
        "34. a lock inside an argument is refused with its path, and the function runs",
        (
            within(
                "",
                """
        import threading
        class Model:
            def __init__(self):
                self.lock = threading.Lock()
        @checkpoint
        def f(model, x):
            print("ran")
            return x
        result = f({"m": Model()}, 1)
        """,
                "",
            ).versions
            * 2
        ),
        ("miss", "miss"),
        "`model['m'].lock`",
    ),
]

CONFIG = """
import config
@checkpoint
def f(x):
    print("ran")
    return x * config.X
result = f(2)
# module config
X = 1
Y = 1
"""

FROM = """
from helpers import clean
@checkpoint
def f(x):
    print("ran")
    return clean(x)
result = f(1)
# module helpers
from deeper import work
def clean(x):
    return work(x) + 1
# module deeper
def work(x):
    return x * 2
"""

INSIDE = """
@checkpoint
def f(x):
    print("ran")
    import helpers
    from deeper import work as w
    return helpers.clean(x) + w(x)
result = f(1)
# module helpers
def clean(x):
    return x + 1
def other(x):
    return x
# module deeper
def work(x):
    return x * 2
"""

PACKAGE = """
@checkpoint
def f(x):
    print("ran")
    from pkg import sub
    return sub.work(x)
result = f(1)
# module pkg.__init__
# module pkg.sub
from .base import K
def work(x):
    from . import late
    return late.more(x) * K
# module pkg.base
K = 2
# module pkg.late
def more(x):
    return x + 1
"""

MODULES = [
    edited("6. a helper imported by name is seen", FROM, "work(x) + 1", "work(x) + 2", "miss"),
    edited("6. a helper of a helper in a further module is seen", FROM, "x * 2", "x * 3", "miss"),
    edited("6. a comment in a module changes nothing", FROM, "x * 2", "x * 2  # twice", "hit"),
    edited("6. a module that is imported inside is seen", INSIDE, "x + 1", "x + 2", "miss"),
    edited("6. a name imported inside is seen", INSIDE, "x * 2", "x * 3", "miss"),
    edited(
        "6. another function of a module imported inside may change",
        INSIDE,
        "def other(x):\n    return x",
        "def other(x):\n    return 2",
        "hit",
    ),
    unchanged("6. modules imported inside are found again", INSIDE),
    edited(
        "6. a module of a package imported inside is seen", PACKAGE, "late.more(x) * K", "late.more(x) * K + 1", "miss"
    ),
    edited("6. a relative import inside a helper is seen", PACKAGE, "x + 1", "x + 2", "miss"),
    edited("6. a constant of a package is seen", PACKAGE, "K = 2", "K = 3", "miss"),
    edited("9. an attribute of a module that it uses is seen", CONFIG, "X = 1", "X = 2", "miss"),
    edited("9. an attribute of a module that it doesn't use may change", CONFIG, "Y = 1", "Y = 2", "hit"),
]

RESULTS = [
    within(
        "34. what is ignored is ignored inside an argument's class, too",
        """
        import threading
        lock = threading.Lock()
        class Model:
            @checkpoint(ignore=["lock"])
            def predict(self, x):
                print("ran")
                with lock:
                    return x
        result = [Model().predict(1), Model().predict(1)]
        """,
        "miss hit",
    ),
    within(
        "24. a name defined twice is right by turns",
        """
        @checkpoint
        def f(x):
            print("ran")
            return x + 1
        first = f
        @checkpoint
        def f(x):
            print("ran")
            return x - 1
        result = [first(1), f(1), first(1), f(1)]
        """,
        "miss miss hit hit",
    ),
    *(
        unchanged(
            f"25. {name} is kept as any other result",
            f"""
        @checkpoint
        def f(x):
            print("ran")
            return {text}
        result = repr(f(1))
        """,
        )
        for name, text in [
            ("None", "None"),
            ("False", "False"),
            ("an exception", "ValueError('no')"),
            ("a huge int", "1 << 9000"),
            ("an empty tuple", "()"),
            ("NotImplemented", "NotImplemented"),
            ("an ellipsis", "..."),
            ("a class", "int"),
        ]
    ),
    within(
        "25. a raised exception is not kept",
        """
        @checkpoint
        def f(x):
            print("ran")
            raise ValueError(x)
        result = []
        for _ in range(2):
            try:
                f(1)
            except ValueError as error:
                result.append(error.args)
        """,
        "miss miss",
    ),
    within(
        "27. a result that can't be kept is returned, with one warning",
        """
        import threading
        @checkpoint
        def f(x):
            print("ran")
            return {"lock": threading.Lock(), "x": x}
        result = [f(1)["x"], f(1)["x"]]
        """,
        "miss miss",
        warns="lock",
    ),
    within(
        "29. each level of a recursion is kept",
        """
        @checkpoint
        def fact(n):
            print("ran")
            return n * fact(n - 1) if n else 1
        result = [fact(3), fact(2), fact(4)]
        """,
        "miss miss miss miss hit miss",
    ),
    within(
        "29. functions that call each other are kept",
        """
        @checkpoint
        def even(n):
            print("ran")
            return n == 0 or odd(n - 1)
        @checkpoint
        def odd(n):
            print("ran")
            return n != 0 and even(n - 1)
        result = [even(3), odd(2), even(1)]
        """,
        "miss miss miss miss hit hit",
    ),
    edited(
        "29. an edit of the other one is seen",
        """
        @checkpoint
        def even(n):
            print("ran")
            return n == 0 or odd(n - 1)
        def odd(n):
            return n != 0 and even(n - 1)
        result = even(1)
        """,
        "n != 0",
        "n > 0",
        "miss",
    ),
    within(
        "32. what is returned is the caller's own",
        """
        @checkpoint
        def f(x):
            print("ran")
            return [x, {"a": []}]
        one = f(1)
        one[1]["a"].append("spoiled")
        two = f(1)
        two.clear()
        result = f(1)
        """,
        "miss hit hit",
    ),
    edited(
        "56. a file that an inner checkpoint watches is seen by the outer",
        """
        import pathlib
        FILE = pathlib.Path(__file__).with_name("data.txt")
        FILE.write_text("1")
        @checkpoint(watch=str(FILE))
        def inner():
            return pathlib.Path(__file__).with_name("data.txt").read_text()
        @checkpoint(ignore=["FILE"])
        def f():
            print("ran")
            return inner()
        result = f()
        """,
        'write_text("1")',
        'write_text("2")',
        "miss",
    ),
]

MUTATIONS = [
    Scene(
        f"26. {name} that is changed in place is changed on a hit, too",
        within(
            "",
            f"""
        import collections
        class Box:
            def __init__(self):
                self.items = [1]
        class Slots:
            __slots__ = ("x", "__y")
            def __init__(self):
                self.x = 1
                self.__y = 2
        @checkpoint
        def f(x):
            print("ran")
            {change}
            return "done"
        def fresh():
            return {value}
        one, two = fresh(), fresh()
        same = two
        result = [f(one), f(two), {shown.format("one")}, {shown.format("two")}, same is two]
        """,
            "",
        ).versions
        * 2,
        ("miss hit", "hit hit"),
        "in place",
    )
    for name, value, change, shown in [
        ("a list", "[1]", "x.append(2)", "{}"),
        ("a dict", "{'a': 1}", "x['b'] = x.pop('a')", "{}"),
        ("a set", "{1}", "x.add(2)", "{}"),
        ("a bytearray", "bytearray(b'a')", "x.extend(b'b')", "{}"),
        ("a deque", "collections.deque([1])", "x.appendleft(0)", "{}"),
        ("a nested list", "{'a': [[1]]}", "x['a'][0].append(2)", "{}"),
        ("an object", "Box()", "x.items.append(2); x.new = 3; del x.__dict__['items'][0]", "vars({})"),
        ("an object with slots", "Slots()", "x.x = 5", "{}.x"),
        ("a defaultdict", "collections.defaultdict(list)", "x['a'].append(1)", "{}"),
    ]
] + [
    within(
        "26. a result that is the argument is the argument on a hit",
        """
        @checkpoint
        def f(x):
            print("ran")
            return x
        one, two = [1], [1]
        result = [f(one) is one, f(two) is two]
        """,
        "miss hit",
    ),
    within(
        "26. a changed argument that is the result is both on a hit",
        """
        @checkpoint
        def f(x):
            print("ran")
            x.append(2)
            return x
        one, two = [1], [1]
        result = [f(one) is one, f(two) is two, one, two]
        """,
        "miss hit",
        warns="in place",
    ),
    within(
        "26. a result that holds the argument holds it on a hit",
        """
        @checkpoint
        def f(x):
            print("ran")
            return {"it": x}
        one, two = [1], [1]
        result = [f(one)["it"] is one, f(two)["it"] is two]
        """,
        "miss hit",
    ),
    within(
        "26. the key is of the argument as it was before the call",
        """
        @checkpoint
        def f(x):
            print("ran")
            x.append(len(x))
            return len(x)
        value = []
        result = [f(value), f(value), f([]), value]
        """,
        "miss miss hit",
        warns="in place",
    ),
    within(
        "26. a global that is changed in place is changed on a hit, too",
        """
        SEEN = []
        @checkpoint
        def f(x):
            print("ran")
            SEEN.append(x)
            return x
        result = [f(1), list(SEEN)]
        SEEN.clear()
        result += [f(1), list(SEEN)]
        """,
        "miss hit",
        warns="in place",
    ),
]

METHODS = [
    within(
        "33. a method counts its instance by value",
        """
        class Model:
            def __init__(self, k):
                self.k = k
            @checkpoint
            def predict(self, x):
                print("ran")
                return self.k * x
        result = [Model(2).predict(5), Model(2).predict(5), Model(3).predict(5), Model.predict(Model(2), x=5)]
        """,
        "miss hit miss hit",
    ),
    *(
        within(
            f"33. {order} is kept by its arguments",
            f"""
        class Model:
            {decorators}
                print("ran")
                return x + 1
        result = [Model.make(1), Model().make(1), Model.make(2)]
        """,
            "miss hit miss",
        )
        for order, decorators in [
            ("a checkpoint under classmethod", "@classmethod\n            @checkpoint\n            def make(cls, x):"),
            ("a checkpoint over classmethod", "@checkpoint\n            @classmethod\n            def make(cls, x):"),
            ("a checkpoint under staticmethod", "@staticmethod\n            @checkpoint\n            def make(x):"),
            ("a checkpoint over staticmethod", "@checkpoint\n            @staticmethod\n            def make(x):"),
        ]
    ),
    *(
        within(
            f"33. {order} is kept",
            f"""
        class Model:
            def __init__(self, k):
                self.k = k
            {decorators}
            def value(self):
                print("ran")
                return self.k + 1
        result = [Model(1).value, Model(1).value, Model(2).value]
        """,
            "miss hit miss",
        )
        for order, decorators in [
            ("a checkpoint under property", "@property\n            @checkpoint"),
            ("a checkpoint over property", "@checkpoint\n            @property"),
        ]
    ),
    within(
        "33. a class method of a subclass is another call",
        """
        class Base:
            k = 1
            @classmethod
            @checkpoint
            def make(cls):
                print("ran")
                return cls.k
        class Sub(Base):
            k = 2
        result = [Base.make(), Sub.make(), Sub.make()]
        """,
        "miss miss hit",
    ),
    within(
        "33. super() reaches a checkpointed method",
        """
        class Base:
            @checkpoint
            def value(self, x):
                print("ran")
                return x + 1
        class Sub(Base):
            def value(self, x):
                return super().value(x) * 10
        result = [Sub().value(1), Sub().value(1)]
        """,
        "miss hit",
    ),
    edited(
        "33. an edited base method behind super() is seen",
        """
        class Base:
            def value(self, x):
                return x + 1
        class Sub(Base):
            @checkpoint
            def value(self, x):
                print("ran")
                return super().value(x) * 10
        result = Sub().value(1)
        """,
        "x + 1",
        "x + 2",
        "miss",
    ),
    within(
        "33. checkpoints stacked on one function are one",
        """
        @checkpoint(name="outer")
        @checkpoint(name="inner")
        def f(x):
            print("ran")
            return x
        result = [f(1), f(1), f.label]
        """,
        "miss hit",
    ),
    within(
        "33. a decorator over the checkpoint works",
        """
        import functools
        @functools.lru_cache
        @checkpoint
        def f(x):
            print("ran")
            return x
        result = [f(1), f(1), f(2)]
        """,
        "miss hit miss",
    ),
]

SCENES = [*CODE, *KINDS, *CLASSES, *ARGUMENTS, *MODULES, *RESULTS, *MUTATIONS, *METHODS]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Outcome]]:
    directory: Path = tmp_path_factory.mktemp("scenes")
    return {scene.claim: outcomes for scene, outcomes in zip(SCENES, play(SCENES, directory), strict=True)}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.claim)
def test_a_call(scene: Scene, seen: dict[str, list[Outcome]]) -> None:
    check(scene, seen[scene.claim])


def test_every_scene_has_a_claim_of_its_own() -> None:
    assert len({scene.claim for scene in SCENES}) == len(SCENES)
