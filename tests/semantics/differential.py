"""Notebooks at random, run with the magic and without it, and compared after each cell.

A notebook is a list of cells and the order in which a user executes them. It runs plain, cold, warm in another process,
and once more on the same cache with one cell edited. After each cell the namespace is told as a text for each name, in
which objects that have an identity are numbered: so two namespaces have equal texts only if their values are equal and
if the same names and parts are one object.

Run as a program it is the process that forks, as `tests.semantics.shells`, and answers with these texts.
"""

from __future__ import annotations

import dataclasses
import gc
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
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
$d[(#, #)] = $l|@d = vars($o)|$d['k'] = $d|@? = $d[(#, #)]|$d[True] = $l
@t = ([#], #)|@t = ($l, $*)|@t = $t|$t[0].append(#)|@t = ($*,)|@i, @? = #, $*|@t = tuple($l)|@? = $t[0]|@t = $t + ([#],)
@e = {#, #}|$e.add(#)|@e = $e|$e.discard(#)|@e = set($l)|$e |= {#}|@i = len($e)|@e = frozenset({#, #})|$e.clear()
@a = np.arange(6)|@a = np.arange(6).reshape(2, 3)|@a = $a|@a = $a[1:]|@a = $a.T|@a = $a + 1|$a[0] = #|$a += #|@a = $a[::-1]
$a.sort()|@a = $a.copy()|@a = $a.reshape(-1)|@a = np.array($l)|@a = $a[::2]|$a[$a > 2] = #|@i = int($a.sum())|@a = $a.view('u1')
@a = np.array([$l, $o], dtype=object)|@a = np.asarray($a)|@a, @a = $a, $a[1:]|@a = $a.astype(float)|$a.fill(#)|$a.shape = (-1,)
$a.flags.writeable = False|@a = np.zeros(3, dtype='i4,f8')|@a = np.ones(3)
@f = pd.DataFrame({'x': [#, #], 'y': [1., 2.]})|$f['z'] = #|$f.loc[0, 'x'] = #|@f = $f|@f = $f[['x']]|@f = $f.copy()
$f.drop(columns='y', inplace=True, errors='ignore')|$f.index.name = 'i'|@s = $f['x']|$s.iloc[0] = #|@s = $s|@a = $f['x'].to_numpy()
$f.attrs['k'] = $l|$f.columns = list(range($f.shape[1]))|@f = $f.T|@i = int($f.shape[0])|$f['w'] = $s|$f.sort_index(inplace=True)
$s.name = 'n'|@s = pd.Series([#, #])|$s += #|@s = $s + 1|@f = $f.assign(q=#)|@i = int($s.sum())|@a = $s.values
@o = $c()|@o = $c()|@o = $o|$o.v = #|$o.v = $*|$o.v = $l|$o.w = $o|$o.v.append(#)|del $o.v|@l = $o.v|@o = type($o)()|@? = $o.w
@g = $o.add|$o.add(#)|@g = $c.add|@o = $c(); @o.v = $l|$o.__dict__['z'] = #|@? = $o.v|@i = $o.twice|$o.add($l)|@i = $o.here(#)
@c = $c|@c = type($o)|$c.kept = [#]|$c.kept.append(#)|@l = $c.kept|@g = $c|@c = type('T', (), {'kept': [#], 'v': #})
@? = $g(#)|$g(#)|@? = $g($*)|@g = $g|@n = [$g(#), $g(#)]|@g = lambda x: x|@g = lambda x: $*|@g = lambda x: ($i, x)|$g.mark = #
@g = lambda x, y=$l: y|@g = partial($g, #)|@i = $g.mark|@l = $g(#)|$g.mark = $l|@g = lru_cache($g)|@g = [lambda x: $l, $g][0]
@g = $l.append|@g = $l.index|@g = len|@g = math.sqrt|@d = {'k': $g}|@g = staticmethod($g)|@g = $n.append
import math|import math as @m|from math import floor as @g|from os import path as @m|import collections.abc|from collections import deque as @c
@q = deque([#, #])|$q.append($*)|@q = $q|$q.popleft()|@? = Counter($l)|@? = defaultdict(list, k=$l)|@? = OrderedDict(k=$l)
@b = bytearray(b'ab')|$b.append(65)|@b = $b|@x = ValueError($l)|@? = iter($l)|@? = (x for x in $l)|@? = $x.args[0]
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
    "@lru_cache\ndef @g(x):\n    return [x]",
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
_NAMES = list("abcdefgh")
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
        uses_again = "\n" in template or template.startswith(("$", "for", "@o = $c(); ")) and " = " in template
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
                name = self._random.choice(_NAMES)
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


# Running and comparing.


class Farm:
    """Processes with different hash seeds that fork a shell for each run."""

    def __init__(self) -> None:
        self._processes = [self._start(seed) for seed in (0, 1)]

    @staticmethod
    def _start(seed: int) -> subprocess.Popen[str]:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environ = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environ,
        )

    def run(
        self, which: int, script: list[str], directory: Path, *, loaded: bool, tell: bool = True
    ) -> list[dict[str, Any]]:
        """What each cell left."""
        process = self._processes[which]
        assert process.stdin is not None
        assert process.stdout is not None
        request = {"script": script, "directory": str(directory), "loaded": loaded, "tell": tell}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        if isinstance(answer, str):
            raise AssertionError(answer)
        return answer

    def close(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@dataclass
class Tally:
    """What became of all cells of all notebooks."""

    notebooks: int = 0
    outcomes: dict[str, int] = dataclasses.field(default_factory=dict)
    refusals: dict[str, int] = dataclasses.field(default_factory=dict)

    def count(self, run: str, cells: list[dict[str, Any]]) -> None:
        for cell in cells:
            if cell["outcome"]:
                key = f"{run}: {cell['outcome']}"
                self.outcomes[key] = self.outcomes.get(key, 0) + 1
            if cell["outcome"] == "refused":
                reason = re.sub(r"`[^`]*`|\d+", "…", cell["because"])
                self.refusals[reason] = self.refusals.get(reason, 0) + 1


def difference(farm: Farm, notebook: Notebook, tally: Tally | None = None) -> str | None:
    """What is not as it is without the magic, or None."""
    tally = tally or Tally()
    tally.notebooks += 1
    directory = Path(tempfile.mkdtemp())
    try:
        plain = farm.run(0, notebook.script(magic=False), directory, loaded=False)
        if any("SyntaxError" in cell["error"] for cell in plain):
            return None
        script = notebook.script(magic=True)
        cold = farm.run(0, script, directory, loaded=True)
        tally.count("cold", cold)
        if found := _compared("cold", plain, cold):
            return found
        warm = farm.run(1, script, directory, loaded=True)
        tally.count("warm", warm)
        if found := _compared("warm", plain, warm):
            return found
        once = len(set(notebook.order)) == len(notebook.order)
        for number, (first, then) in enumerate(zip(cold, warm, strict=True)):
            if once and first["outcome"] == "computed" and then["outcome"] != "restored":
                return f"warm, execution {number}: needless miss: {then['because']}"
        if notebook.edited is not None:
            again = notebook.after_edit()
            plain = farm.run(1, again.script(magic=False), directory, loaded=False)
            if any("SyntaxError" in cell["error"] for cell in plain):
                return None
            edited = farm.run(1, again.script(magic=True), directory, loaded=True)
            tally.count("edited", edited)
            return _compared("edited", plain, edited)
        return None
    finally:
        shutil.rmtree(directory)


def settled(farm: Farm, notebook: Notebook, random: random.Random) -> Notebook:
    """The notebook without most of the statements that raise where they stand: a cell ends there."""
    statements = [(i, statement) for i, cell in enumerate(notebook.cells) for statement in cell]
    with tempfile.TemporaryDirectory() as directory:
        told = farm.run(0, [statement for _, statement in statements], Path(directory), loaded=False, tell=False)
    good = [
        (i, statement)
        for (i, statement), cell in zip(statements, told, strict=True)
        if not cell["error"] or random.random() < 0.1
    ]
    cells = tuple(tuple(s for i, s in good if i == number) or ("pass",) for number in range(len(notebook.cells)))
    return dataclasses.replace(notebook, cells=cells)


def _compared(run: str, plain: list[dict[str, Any]], other: list[dict[str, Any]]) -> str | None:
    for number, (expected, found) in enumerate(zip(plain, other, strict=True)):
        where = f"{run}, execution {number} ({found['outcome']}: {found['because']})"
        for key in ("error", "outputs", "names", "probes"):
            if expected[key] != found[key]:
                if isinstance(expected[key], dict):
                    texts = [
                        f"{name}: {expected[key].get(name)}  !=  {found[key].get(name)}"
                        for name in sorted(expected[key].keys() | found[key].keys())
                        if expected[key].get(name) != found[key].get(name)
                    ]
                    return f"{where}: {key}\n  " + "\n  ".join(texts)
                return f"{where}: {key}\n  {expected[key]}\n  {found[key]}"
    return None


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


# What follows runs in the processes.


def _serve() -> None:
    import numpy  # noqa: F401, ICN001
    import pandas  # noqa: F401, ICN001

    import ipycheckpoint.surfaces.magic  # noqa: F401 - imported once, before forking
    from tests.semantics.shells import _make_shell

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    shell, events = _make_shell()
    shell.showtraceback = shell._format_exception_for_storage = lambda *_, **__: None
    shell.run_cell("1;" + "\n".join(SETUP))
    shell.reset(new_session=True)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            with os.fdopen(writing, "w") as pipe:
                pipe.write(_answer(shell, events, json.loads(line)))
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        print(answer or json.dumps("the process died"), file=answers, flush=True)


def _answer(shell: Any, events: list[list[Any]], request: dict[str, Any]) -> str:
    import traceback

    try:
        return json.dumps(_run(shell, events, request), default=repr)
    except BaseException:
        return json.dumps(traceback.format_exc())


def _run(shell: Any, events: list[list[Any]], request: dict[str, Any]) -> list[dict[str, Any]]:
    import signal
    import warnings

    from tests.semantics.shells import _tidy

    signal.alarm(20)
    os.chdir(request["directory"])
    os.environ["IPYCHECKPOINT_DIR"] = str(Path(request["directory"]) / "cache")
    warnings.simplefilter("ignore")
    if request["loaded"]:
        shell.run_line_magic("load_ext", "ipycheckpoint")
    cells = []
    last = len(request["script"]) - 1
    for number, source in enumerate(request["script"]):
        events.clear()
        result = shell.run_cell(source, store_history=True)
        failure = result.error_before_exec or result.error_in_exec
        tidied = _tidy(events)
        about = tidied["abouts"][-1] if tidied["abouts"] else {}
        outputs = json.loads(_without_addresses(json.dumps(tidied["outputs"], default=repr)))
        cells.append({
            "error": "" if failure is None else f"{type(failure).__name__}: {str(failure)[:50]}",
            "outputs": outputs,
            "names": _names(shell) if request["tell"] else {},
            "probes": _probed(shell) if request["tell"] and number == last else {},
            "outcome": about.get("outcome"),
            "because": about.get("because"),
        })  # fmt: skip
    return cells


def _without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+|140\d{10,}", "0x", text, flags=re.IGNORECASE)


def _names(shell: Any) -> dict[str, str]:
    from ipycheckpoint.identity.ownership import is_shells_own

    teller = Teller(shell.user_ns)
    hidden = shell.user_ns_hidden
    told = {
        name: teller.tell(value)
        for name, value in sorted(shell.user_ns.items())
        if not is_shells_own(name) and (name not in hidden or hidden[name] is not value)
    }
    return {
        **told,
        "_": teller.tell(shell.user_ns.get("_")),
        "Out": teller.tell(shell.user_ns["Out"]),
        **teller.memory(),
    }


def _probed(shell: Any) -> dict[str, str]:
    """What the functions of the notebook return now, their sources, and what calling them leaves behind."""
    import inspect

    told = {}
    for name in sorted(n for n in shell.user_ns if n in _NAMES):
        value = shell.user_ns.get(name)
        if not callable(value):
            continue
        try:
            if inspect.isfunction(value) or isinstance(value, type) and value.__module__ == "__main__":
                told[f"source of {name}"] = inspect.getsource(value).strip()
        except (OSError, TypeError) as problem:
            told[f"source of {name}"] = f"{type(problem).__name__}"
        try:
            result = value(2)
        except Exception as problem:
            result = type(problem).__name__
        told[f"{name}(2)"] = Teller(shell.user_ns).tell(result)
    return told | {f"{name} afterwards": text for name, text in _names(shell).items()}


class Teller:
    """Tells values as texts. Whatever can be told from its equal has a number, by the order of its appearance."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._numbers: dict[int, int] = {}
        self._held: list[Any] = []
        self._arrays: list[tuple[int, Any]] = []

    def tell(self, value: Any) -> str:
        import types

        if value is self._namespace:
            return "globals()"
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes, types.BuiltinFunctionType)):
            if not (isinstance(value, types.BuiltinFunctionType) and not isinstance(value.__self__, types.ModuleType)):
                return f"{type(value).__name__} {value!r}"[:200]
            return f"{value.__name__} of {self.tell(value.__self__)}"
        if type(value) is frozenset:
            return f"frozenset {sorted(map(repr, value))}"
        if type(value) is tuple:
            return "(" + ", ".join(map(self.tell, value)) + ")"
        if isinstance(value, types.ModuleType):
            return f"module {value.__name__}"
        if isinstance(value, type) and value.__module__ not in ("__main__",):
            return f"class {value.__module__}.{value.__qualname__}"
        if type(value).__module__ in ("re", "fractions", "datetime", "decimal"):
            return repr(value)
        if isinstance(value, types.MethodType):
            return f"method {self.tell(value.__func__)} of {self.tell(value.__self__)}"
        if (
            type(value).__module__ == "numpy"
            and hasattr(value, "item")
            and getattr(value, "shape", None) == ()
            and not hasattr(value, "setflags")
        ):
            return f"{type(value).__name__} {value!r}"
        if isinstance(value, types.FunctionType) and value.__module__ != "__main__":
            return f"function {value.__module__}.{value.__qualname__}"
        if id(value) in self._numbers:
            return f"#{self._numbers[id(value)]}"
        number = self._numbers[id(value)] = len(self._numbers)
        self._held.append(value)
        return f"#{number} {self._content(number, value)}"

    def _content(self, number: int, value: Any) -> str:
        import functools
        import types

        kind = type(value)
        inside: list[str] = []
        if isinstance(value, (list,)) or kind.__name__ == "deque":
            inside = [self.tell(item) for item in value]
        elif isinstance(value, tuple):
            inside = [self.tell(item) for item in value]
        elif isinstance(value, dict):
            inside = [f"{self.tell(key)}: {self.tell(item)}" for key, item in list(value.items())]
        elif isinstance(value, (set, frozenset)):
            inside = sorted(map(repr, value))
        elif isinstance(value, BaseException):
            inside = [self.tell(value.args)]
        elif isinstance(value, types.FunctionType):
            return self._function(value)
        elif isinstance(value, type):
            parts = {
                name: part for name, part in vars(value).items()
                if (not name.startswith("__") or name in ("__init__", "__call__", "__eq__", "__hash__", "__slots__"))
                and name not in ("_abc_impl", "_value2member_map_")
                and not isinstance(part, (types.MemberDescriptorType, types.GetSetDescriptorType))
                and getattr(getattr(part, "__code__", None), "co_filename", "") != "<string>"
            }  # fmt: skip
            inside = [self.tell(value.__bases__), *(f"{n}: {self.tell(part)}" for n, part in sorted(parts.items()))]
            return f"class {value.__qualname__} {inside}"
        elif isinstance(value, (staticmethod, classmethod)):
            inside = [self.tell(value.__func__)]
        elif isinstance(value, property):
            inside = [self.tell(value.fget), self.tell(value.fset)]
        elif isinstance(value, functools.partial):
            inside = [self.tell((value.func, value.args, value.keywords))]
        elif isinstance(value, functools._lru_cache_wrapper):
            inside = [self.tell(value.__wrapped__)]
        elif isinstance(value, types.CellType):
            try:
                inside = [self.tell(value.cell_contents)]
            except ValueError:
                inside = ["empty"]
        elif hasattr(value, "__array_interface__"):
            self._arrays.append((number, value))
            inside = [str(value.dtype), str(value.shape), str(value.flags.writeable)]
            inside += [self.tell(item) for item in value.ravel()] if value.dtype.hasobject else [str(value.tolist())]
        elif kind.__module__.startswith("pandas"):
            if hasattr(value, "to_dict"):
                inside = [
                    str(value.to_dict()),
                    str(value.index),
                    str(getattr(value, "dtypes", "")),
                    self.tell(value.attrs),
                ]
                inside += [str(getattr(value, "columns", "")), str(getattr(value, "name", ""))]
            else:
                inside = [repr(value)]
        elif kind.__name__ == "Generator" and kind.__module__.startswith("numpy"):
            inside = [str(value.bit_generator.state)]
        elif kind.__name__ in ("ref", "ReferenceType"):
            inside = [self.tell(value())]
        elif kind.__name__ in ("list_iterator", "generator", "coroutine"):
            return kind.__name__
        elif not (hasattr(value, "__dict__") or hasattr(kind, "__slots__")):
            inside = [_without_addresses(repr(value))]
        head = self.tell(kind)
        if kind.__module__ not in ("builtins",):
            attributes = (
                dict(getattr(value, "__dict__", {})) if not kind.__module__.startswith(("pandas", "numpy")) else {}
            )
            for base in kind.__mro__:
                for slot in base.__dict__.get("__slots__", ()) if base.__module__ == "__main__" else ():
                    if hasattr(value, slot):
                        attributes[slot] = getattr(value, slot)
            attributes.pop("__annotations__", None)  # `functools.wraps` lets two functions share them
            inside += [f".{name}={self.tell(part)}" for name, part in sorted(attributes.items())]
        return f"{head} {inside}"

    def _function(self, function: Any) -> str:
        parts = [
            function.__name__, function.__qualname__, str(function.__doc__),
            "live" if function.__globals__ is self._namespace else "elsewhere",
            self.tell(function.__defaults__), self.tell(function.__kwdefaults__),
            *(f"{name}={self.tell(cell)}" for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)),
            *(f".{name}={self.tell(part)}" for name, part in sorted(vars(function).items())),
        ]  # fmt: skip
        return f"function {parts}"

    def memory(self) -> dict[str, str]:
        """Which arrays share memory, and how far they are apart."""
        import numpy as np

        told = {}
        for (one, first), (two, second) in itertools.combinations(self._arrays, 2):
            if np.shares_memory(first, second):
                places = [array.__array_interface__["data"][0] for array in (first, second)]
                told[f"memory of #{one} and #{two}"] = f"{places[1] - places[0]}"
        return told


if __name__ == "__main__":
    _serve()
