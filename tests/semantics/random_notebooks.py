"""Notebooks at random: made of statements that mostly make sense, and made smaller where they show a fault."""

# ruff: noqa: E501 - a table reads by the row

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

MAGIC = "%%checkpoint\n"


@dataclass(frozen=True)
class Notebook:
    """Cells as lists of statements, which of them are checkpoints, and the order of their executions."""

    cells: tuple[tuple[str, ...], ...]
    marked: tuple[bool, ...]
    order: tuple[int, ...]
    edited: tuple[int, tuple[str, ...]] | None = None
    """A cell, and what it is edited to afterwards."""

    def script(self, *, magic: bool) -> list[str]:
        """The texts in the order of their executions."""
        return [(MAGIC if magic and self.marked[i] else "") + ("\n".join(self.cells[i]) or "pass") for i in self.order]

    def after_edit(self) -> Notebook:
        assert self.edited is not None
        place, statements = self.edited
        cells = tuple(statements if i == place else cell for i, cell in enumerate(self.cells))
        return dataclasses.replace(self, cells=cells, edited=None)

    def __str__(self) -> str:
        shown = []
        for number, (cell, marked) in enumerate(zip(self.cells, self.marked, strict=True)):
            if number in self.order:
                shown.append(f"# cell {number}\n" + (MAGIC if marked else "") + "\n".join(cell))
        shown.append(f"# executed: {self.order}")
        if self.edited is not None:
            shown.append(f"# then cell {self.edited[0]} edited to\n" + "\n".join(self.edited[1]))
        return "\n\n".join(shown)


# The generator. `@k` binds a new name to something of kind k, `$k` is a name that has that kind now, `#` a number.
# Kinds: i int, l list of ints, n list of anything, d dict, t tuple, e set, a array, f frame, s series, o instance,
# c class, g function of one argument, x exception, ? unknown, * any.

_SIMPLE = """
@i = #|@i = $i + #|$i += #|@i = len($l)|@i = $i|@i, @i = #, $i|@i = sum($l)|(@i := #)|@i = @i = #|print($i)|@i = $o.v
@l = [#, #]|@l = [#, $i]|@l = $l|@l = $l[:]|@l = list(range(#))|@l = [x + # for x in $l]|@l = sorted($l)|$l.append(#)
$l.append($i)|$l += [#]|$l = $l + [#]|$l[0] = #|$l[:] = [#]|$l.pop()|del $l[0]|$l.clear()|$l.extend($l)|$l.reverse()
print($l)|@i, *@l = [#, #, #]|@l = [y for x in $n for y in x]|@l = [(@i := x) for x in $l]|@l = @l = [#]|$l *= 2
@l = $d['k']|@l = $n[0]|@l = $t[0]|@l = $o.v|@l = $n.pop()|@l = [*$l, #]|@l, @i = $l, #|@l = $g(#)|@l = getattr($c, 'kept')
@n = [[#], [#]]|@n = [$l, $l]|@n = [$*, #]|@n = [$l] * 2|$n.append($*)|$n.append($l)|$n[0] = $*|@n = $n|@n = list($n)
$n[0].append(#)|$n[0][0] = #|$n.append($n)|@n = [$o, $o]|@? = $n[0]|@? = $n[-1]|$n.insert(0, [#])|@n = [$g, $l]|del $n[0]
@n = [[$l]]|$n[0] += [#]|for @l in $n: @l.append(#)|@n = [$c, $c()]|@n = sorted($n, key=len)|@n = [$a, $a[1:]]
@d = {'k': [#]}|@d = {'k': $l}|@d = {'k': #, 'm': $*}|$d['k'] = #|$d['k'] = $*|$d['m'] = $l|$d['k'].append(#)|@d = $d
@d = dict($d)|@d = {**$d, 'm': $*}|$d.update(m=$*)|del $d['k']|$d.pop('k', None)|$d.clear()|@d = dict(k=$n, m=$n)
@? = $d['k']|@? = $d.get('m')|$d[#] = $*|$d |= {'k': $l}|@d = {x: [x] for x in $l}|@l = list($d)|$d.setdefault('m', []).append($i)
$d[(#, #)] = $l|$d['k'] = $d|@? = $d[(#, #)]|$d[True] = $l
@t = ([#], #)|@t = ($l, $*)|@t = $t|$t[0].append(#)|@t = ($*,)|@i, @? = #, $*|@t = tuple($l)|@? = $t[0]|@t = $t + ([#],)
@e = {#, #}|$e.add(#)|@e = $e|$e.discard(#)|@e = set($l)|$e |= {#}|@i = len($e)|@e = frozenset({#, #})|$e.clear()
@a = np.arange(6)|@a = np.arange(6).reshape(2, 3)|@a = $a|@a = $a[1:]|@a = $a.T|@a = $a + 1|$a[0] = #|$a += #|@a = $a[::-1]
$a.sort()|@a = $a.copy()|@a = $a.reshape(-1)|@a = np.array($l)|@a = $a[::2]|$a[$a > 2] = #|@i = int($a.sum())|@a = $a.view('u1')
@a = np.array([$l, $o], dtype=object)|@a = np.asarray($a)|@a, @a = $a, $a[1:]|@a = $a.astype(float)|$a.fill(#)
@a = np.ones(3)
@f = pd.DataFrame({'x': [#, #], 'y': [1., 2.]})|$f['z'] = #|$f.loc[0, 'x'] = #|@f = $f|@f = $f[['x']]|@f = $f.copy()
$f.drop(columns='y', inplace=True, errors='ignore')|$f.index.name = 'i'|@s = $f['x']|$s.iloc[0] = #|@s = $s|@a = $f['x'].to_numpy()
$f.attrs['k'] = $l|$f.columns = list(range($f.shape[1]))|@f = $f.T|@i = int($f.shape[0])|$f['w'] = $s|$f.sort_index(inplace=True)
$s.name = 'n'|@s = pd.Series([#, #])|$s += #|@s = $s + 1|@f = $f.assign(q=#)|@i = int($s.sum())|@a = $s.values
@o = $c()|@o = $c()|@o = $o|$o.v = #|$o.v = $*|$o.v = $l|$o.w = $o|$o.v.append(#)|del $o.v|@l = $o.v|@o = type($o)()|@? = $o.w
@g = $o.add|$o.add(#)|@g = $c.add|@o = $c(); @o.v = $l|$o.__dict__['z'] = #|@? = $o.v|@i = $o.twice|$o.add($l)|@i = $o.here(#)
@c = $c|@c = type($o)|$c.kept = [#]|$c.kept.append(#)|@l = $c.kept|@g = $c|@c = type('T', (), {'kept': [#], 'v': #})
@? = $g(#)|$g(#)|@? = $g($*)|@g = $g|@n = [$g(#), $g(#)]|@g = lambda x: x|@g = lambda x: $*|@g = lambda x: ($i, x)|$g.mark = #
@g = lambda x, y=$l: y|@g = partial($g, #)|@i = $g.mark|@l = $g(#)|$g.mark = $l|@g = lru_cache(lambda x: (x,))|@g = [lambda x: $l, $g][0]
@g = $l.append|@g = $l.index|@g = len|@g = math.sqrt|@d = {'k': $g}|@g = staticmethod($g)|@g = $n.append
import math|import math as @m|from math import floor as @g|from os import path as @m|import collections.abc|from collections import deque as @c
@q = deque([#, #])|$q.append($*)|@q = $q|$q.popleft()|@? = Counter($l)|@? = defaultdict(list, k=$l)|@? = OrderedDict(k=$l)
@b = bytearray(b'ab')|$b.append(65)|@b = $b|@x = ValueError($l)|@? = (x for x in $l)|@? = $x.args[0]
del $*|1 / 0|raise ValueError($i)|assert $i|$l[99]|print(undefined)|print('done')|globals()['@l'] = [#]|exec('@i = #')
@? = eval('$*')|@? = _|@? = Out.get(1)|@? = copy.deepcopy($*)|@? = copy.copy($*)|@? = pickle.loads(pickle.dumps($l))
@i = id($l) == id($l)|@i = int($* is $*)|@? = $* or $*|@? = $* if $i else $*|@? = [$*, $*][$i % 2]|print($i, end='')
@? = re.compile('a')|@? = Fraction(1, #)|@? = np.random.default_rng(#)|@? = None|@? = 1.5|@? = 'text'|@? = datetime.date(2020, 1, #)
@r = np.random.default_rng(#)|@i = int($r.integers(9))|@r = $r|@? = SimpleNamespace(v=$l, w=$*)|@? = weakref.ref($o)|@o = SimpleNamespace(v=$*)
"""

_BLOCKS = [
    "def @g(x):\n    return x",
    "def @g(x):\n    return $*",
    "def @g(x):\n    $l.append(x)\n    return $l",
    "def @g(x):\n    global @i\n    @i = x\n    return x",
    "def @g(x):\n    global $i\n    $i += 1\n    return $i",
    "def @g(x):\n    global @l\n    @l = [x]\n    return @l",
    "def @g(x):\n    global $*\n    del $*",
    "def @g(x, kept=[]):\n    kept.append(x)\n    return kept",
    "def @g(x, kept=$l):\n    kept.append(x)\n    return kept",
    "def @g(x, *, kept=$*):\n    return kept",
    "def @g(x):\n    return $g(x)",
    "def @g(x):\n    '''Doc.'''\n    return [x, $i]",
    "def @g(x):\n    def inner(y):\n        return [x, y]\n    return inner",
    "def @g(x):\n    print('called')\n    return x",
    "def @g(x):\n    import math\n    return math.floor(2.5)",
    "def @g(x):\n    $o.v = x\n    return $o",
    "def @g(x):\n    return $c()",
    "def @g(x):\n    x.append(#)\n    return x",
    "def many(x):\n    yield x\n@l = list(many(#))",
    "def @g(x):\n    @g.count = getattr(@g, 'count', 0) + 1\n    return @g.count",
    "def @g(x):\n    return @g(x - 1) + 1 if isinstance(x, int) and x > 0 else 0",
    "def make(held):\n    def inner(x):\n        held.append(x)\n        return held\n    return inner\n@g = make($l)",
    "def make(held):\n    return lambda x: held\n@g = make($*)\n@g = make($l)",
    "def make():\n    n = 0\n    def inner(x):\n        nonlocal n\n        n += 1\n        return n\n    return inner\n@g = make()",
    "def make():\n    n = []\n    def put(x):\n        n.append(x)\n        return n\n    def get(x):\n        return n\n    return put, get\n@g, @g = make()",
    "def deco(f):\n    @wraps(f)\n    def inner(x):\n        return [f(x)]\n    return inner\n@deco\ndef @g(x):\n    return x",
    "@lru_cache\ndef @g(x):\n    return (x,)",
    "class @c:\n    def __init__(self, v=#):\n        self.v = v\n    def add(self, x):\n        self.v = x\n        return self",
    "class @c:\n    kept = []\n    v = #\n    def add(self, x):\n        self.kept.append(x)\n        return self.kept",
    "class @c:\n    kept = $l\n    def add(self, x):\n        return $*\n    def here(self, x):\n        return __class__",
    "class @c($c):\n    def add(self, x):\n        return super().add(x)",
    "class @c($c):\n    v = $l",
    "class @c:\n    __slots__ = ('v', 'w')\n    def __init__(self):\n        self.v = [#]\n    def add(self, x):\n        self.w = x",
    "@dataclass\nclass @c:\n    v: int = #\n    w: list = field(default_factory=list)\n    def add(self, x):\n        self.w.append(x)",
    "class @c:\n    def __init__(self):\n        self._v = #\n    @property\n    def v(self):\n        return self._v\n    @v.setter\n    def v(self, x):\n        self._v = x\n    @property\n    def twice(self):\n        return 2 * self._v",
    "class @c:\n    count = 0\n    def __init__(self):\n        @c.count += 1\n        self.v = @c.count",
    "class @c:\n    made = []\n    def __init__(self):\n        self.made.append(self)\n        self.v = []",
    "class @c(list):\n    def add(self, x):\n        self.append(x)\n        self.v = x",
    "class @c(dict):\n    v = #\n    def add(self, x):\n        self[x] = [x]",
    "class @c:\n    def __call__(self, x):\n        return [x, self]\n    def __eq__(self, other):\n        return type(self) is type(other)\n    def __hash__(self):\n        return 1",
    "class @c:\n    @classmethod\n    def make(cls):\n        return cls()\n    @staticmethod\n    def help(x):\n        return x\n    v = #\n@o = @c.make()",
    "class @c(NamedTuple):\n    v: int = #\n    w: object = None",
    "class @c(Enum):\n    A = #\n    B = 'b'\n@? = @c.A",
    "try:\n    @i = 1 // ($i - #)\nexcept ZeroDivisionError as error:\n    @i = 0",
    "try:\n    @l = $l[$i:]\n    $l[0] = #\nexcept Exception:\n    @l = []\nfinally:\n    @i = #",
    "for @i in range(#):\n    $l.append(@i)",
    "for @i, @? in enumerate([$*, $*]):\n    pass",
    "while len($l) < #:\n    $l.append(#)",
    "with suppress(Exception):\n    $d['k'].append(#)\n    @? = $d['k']",
    "with io.StringIO('text') as @?:\n    @i = len(@?.read())\ndel @?",
    "match $*:\n    case [@?, *@l]:\n        pass\n    case {'k': @?}:\n        pass\n    case int(@i):\n        pass",
    "@l = []\n@n = [@l]\n@l.append(@n)",
    "@o = $c()\n@o = $c()\n@o.w = $o",
    "@a = $a[1:]\n@a[0] = #",
    "if '$*' in globals():\n    del $*",
    "async def wait():\n    return [#]\n@l = await wait()",
]  # fmt: skip

_TEMPLATES = [line.strip() for line in re.split(r"[\n|](?!\s*=)(?!=)", _SIMPLE.strip()) if line.strip()]
NAMES = list("abcdefgh")
SETUP = (
    "import collections, contextlib, copy, datetime, io, math, pickle, re, weakref",
    "from collections import Counter, OrderedDict, defaultdict, deque",
    "from contextlib import suppress",
    "from dataclasses import dataclass, field",
    "from enum import Enum",
    "from fractions import Fraction",
    "from functools import lru_cache, partial, wraps",
    "from types import SimpleNamespace",
    "from typing import NamedTuple",
    "import numpy as np, pandas as pd",
)


class Generator:
    """Writes statements that mostly make sense, since it knows of what kind each name is."""

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._kinds: dict[str, str] = {}

    def notebook(self) -> Notebook:
        """A whole notebook."""
        random = self._random
        count = random.randint(2, 6)
        cells = [SETUP, *(tuple(self._cell()) for _ in range(count))]
        marked = [False, *(random.random() < 0.8 for _ in range(count))]
        order = list(range(len(cells)))
        if random.random() < 0.5:
            order += [random.randint(1, count) for _ in range(random.randint(1, 4))]
        place = random.randint(1, count)
        edited = list(cells[place])
        if random.random() < 0.5 and len(edited) > 1:
            del edited[random.randrange(len(edited))]
        else:
            edited.insert(random.randint(0, len(edited)), self._statement())
        return Notebook(tuple(cells), tuple(marked), tuple(order), (place, tuple(edited)))

    def _cell(self) -> list[str]:
        statements = [self._statement() for _ in range(self._random.randint(1, 5))]
        if self._random.random() < 0.4 and self._kinds:
            last = self._random.choice(sorted(self._kinds))
            statements.append(last + self._random.choice(["", "", ";"]))
        return statements

    def _statement(self, depth: int = 0) -> str:
        chance = self._random.random()
        if chance < 0.1 and depth < 2 and "i" in self._kinds.values():
            return self._compound(depth)
        while True:
            template = self._random.choice(_BLOCKS if chance < 0.35 else _TEMPLATES)
            text = self._filled(template)
            if text is not None:
                return text

    def _compound(self, depth: int) -> str:
        body = "\n".join(self._statement(depth + 1) for _ in range(self._random.randint(1, 2)))
        heads = [
            f"if {self._filled('$i')} > #:", f"if {self._filled('$i')} < #:", "for _n in range(2):", "try:",
            f"def run(x):\n    global {', '.join(sorted(self._kinds))}",
        ]  # fmt: skip
        head = self._random.choice(heads).replace("#", str(self._random.randint(0, 5)))
        if head.startswith("def") and re.search(r"global|await|nonlocal|^class|__class__", body):
            head = "if True:"
        text = head + "\n" + "\n".join("    " + line for line in body.split("\n"))
        if head == "try:":
            text += "\nexcept Exception:\n    pass"
        if head.startswith("def"):
            text += "\nrun(1)"
        return text

    def _filled(self, template: str) -> str | None:
        new: dict[str, str] = {}
        fixed: dict[str, str] = {}
        text = ""
        uses_again = "\n" in template or (template.startswith(("$", "for", "@o = $c(); ")) and " = " in template)
        for part in re.split(r"([@$][a-z?*](?![a-z])|#)", template):
            if part == "#":
                text += str(self._random.randint(0, 5))
            elif re.fullmatch(r"\$[a-z?*]", part):
                kind = part[1]
                known = [n for n, k in sorted(self._kinds.items()) if kind in (k, "*")]
                if not known:
                    return None
                fixed.setdefault(part, self._random.choice(known))
                text += fixed[part] if uses_again else self._random.choice(known)
            elif re.fullmatch(r"@[a-z?*]", part):
                name = self._random.choice(NAMES)
                if uses_again and part in new and self._random.random() < 0.8:
                    name = new[part]
                new[part] = name
                text += name
            else:
                text += part
        for part, name in new.items():
            kind = part[1]
            self._kinds[name] = self._random.choice("lnodg") if kind == "?" else kind
        return text


def shrunk(notebook: Notebook, fails: Callable[[Notebook], bool]) -> Notebook:
    """The smallest notebook that still fails that can be had by leaving things out."""
    while True:
        for smaller in _smaller(notebook):
            if fails(smaller):
                notebook = smaller
                break
        else:
            return notebook


def _smaller(notebook: Notebook) -> Iterator[Notebook]:
    replace = dataclasses.replace
    if notebook.edited is not None:
        yield replace(notebook, edited=None)
    half = len(notebook.order) // 2
    if half > 1:
        yield replace(notebook, order=notebook.order[:half])
        yield replace(notebook, order=(0, *notebook.order[half:]))
    for place in reversed(range(len(notebook.order))):
        order = notebook.order[:place] + notebook.order[place + 1 :]
        yield replace(notebook, order=order)
    for number, marked in enumerate(notebook.marked):
        if marked and number in notebook.order:
            yield replace(notebook, marked=tuple(m and i != number for i, m in enumerate(notebook.marked)))
    for number, cell in enumerate(notebook.cells):
        if number in notebook.order:
            for place in range(len(cell)):
                fewer = (*cell[:place], *cell[place + 1 :])
                cells = tuple(fewer if i == number else c for i, c in enumerate(notebook.cells))
                yield replace(notebook, cells=cells)
                if notebook.edited is not None and notebook.edited[0] == number and cell[place] in notebook.edited[1]:
                    edit = list(notebook.edited[1])
                    edit.remove(cell[place])
                    yield replace(notebook, cells=cells, edited=(number, tuple(edit)))
    if notebook.edited is not None:
        number, statements = notebook.edited
        for place in range(len(statements)):
            yield replace(notebook, edited=(number, (*statements[:place], *statements[place + 1 :])))
