"""Code whose Digests must never move by accident, over the whole grammar.

Run as a script it prints the Digests of this interpreter as JSON.
"""

# ruff: noqa: E501 - a snippet is a row of a table
from __future__ import annotations

import ast
import json
import sys

from ipycheckpoint.digest import digest
from ipycheckpoint.identity.canonical import canonical_form
from ipycheckpoint.identity.names import of_cell

FUNCTIONS = {
    "arguments": "def f(a, /, b, c=1, *d, e, f=2, **g): return a, b, c, d, e, f, g",
    "defaults of an inner function": "def f(x):\n  def g(a=x, *, b=[1], **c): return a, b, c\n  return g(b=2)",
    "constants": "def f(): return 1, True, 1.0, '1', b'1', 1j, None, ..., -0.0, 10**30, 'é\\ud800', 0xFF, 1e999",
    "operators": "def f(a, b): return a + b - a * b / a // b % a ** b @ a << b >> a & b | a ^ b, ~a, not b, -a, +b",
    "comparisons": "def f(a, b): return a < b <= a == b != a > b >= a, a is b, a is not b, a in b, a not in b",
    "short circuits": "def f(a, b): return a and b or (a if b else not a)",
    "displays": "def f(a, b): return [a, *b], (a, *b), {a, *b}, {a: b, **a, 'k': 1}, (), [], {}",
    "calls": "def f(a, *b, **c): return g(a, *b, k=1, **c), h.i.j(a)(b).k",
    "subscripts": "def f(a, b): return a[b], a[1:], a[:1], a[::2], a[1:2, ..., b], a[b][0].c",
    "f-strings": "def f(a, b): return f'x{a}y{b!r:>{a}.3f}{{}}' 'z' f'{a=}{b:}', f'', f'plain'",
    "nested f-strings": "def f(a): return f\"{f'{a}' + 'b'}\"",
    "comprehensions": "def f(a): return [x for x in a], {x for x in a if x}, {k: v for k, v in a}, (y for x in a for y in x if y if x)",
    "walrus": "def f(a):\n  if (n := len(a)) > 1: return [m := x for x in a], n, m",
    "lambdas": "def f(a): return (lambda: a), (lambda x: x), (lambda x, y=1, *z, k, **q: (x, y, z, k, q))",
    "assignments": "def f(a):\n  b = c = a\n  (d, [e, *g]) = b\n  a.x = a[0] = c\n  b += d\n  a.x **= e\n  h: int = g\n  i: int\n  return h",
    "deletions": "def f(a, b):\n  del a, b.c, b[0]",
    "if": "def f(a):\n  if a: return 1\n  elif a > 2: pass\n  else: return 3",
    "loops": "def f(a):\n  for i, (j, k) in a:\n    if i: continue\n    break\n  else: g()\n  while a:\n    a -= 1\n  else: h()",
    "with": "def f(a):\n  with a: pass\n  with a as b, g() as (c, d), h() as a.e: return b",
    "try": "def f():\n  try: g()\n  except (A, B) as e: raise e from None\n  except C: raise\n  except: pass\n  else: h()\n  finally: i()",
    "except star": "def f():\n  try: g()\n  except* A as e: h(e)",
    "match": (
        "def f(a):\n  match a:\n    case 1 | 'x' | None | -1.5: pass\n    case [b, *c, _]: g(b, c)\n"
        "    case {'k': d, **e} if d: h(e)\n    case P.Q(1, x=i) as j: k(i, j)\n    case (l, m): n(l, m)\n    case _: pass"
    ),
    "assert": "def f(a):\n  assert a, 'message'\n  assert (a)",
    "globals": "def f():\n  global a, b\n  a = 1\n  del b\n  return c, a",
    "nonlocals": "def f():\n  n = 0\n  def g():\n    nonlocal n\n    n += 1\n    return n\n  return g()",
    "imports": "def f():\n  import a\n  import b.c, d.e as g\n  from h import i, j as k\n  from . import l\n  from ..m.n import o\n  return a, b.c.x, g, i, k, l, o",
    "classes": (
        "def f(a):\n  class A(a, B, metaclass=M):\n    '''Doc.'''\n    x: int = 1\n    y: 'str'\n    z = x\n    w = w\n"
        "    def m(self, q): return super().m(self.__p, q, __class__)\n    @property\n    def n(self): return self.y\n  return A"
    ),
    "decorators": "@checkpoint\n@other(1, x)\ndef f(a: int) -> str:\n  @functools.wraps(a)\n  def g(b: int): return b\n  return g",
    "generators": "def f(a):\n  x = yield\n  y = yield a\n  yield from x\n  return y",
    "async": "async def f(a):\n  async with a as b: pass\n  async for c in b: await c\n  return [d async for d in a if await d]",
    "inner functions": "def f():\n  def g(a, b): return a\n  def h(a, b): return b\n  def i(a): return a\n  return g(1, 2), h(a=1, b=2), i",
    "recursion": "def f(n): return 1 if n < 2 else n * f(n - 1)",
    "locals": "def f(a):\n  b = a\n  return '{a} {b}'.format(**locals())",
    "eval": "def f(a):\n  c = d\n  return eval('a + c')",
    "strings that name": "def f(df, a):\n  return df.query('x > @a and y < @b'), pd.eval('a + c.d')",
    "docstring": "def f(a):\n  '''Doc.'''\n  'not one'\n  return a",
    "lambda": "f = lambda a, *b: a.c + b[0] + d.e",
    "private names": "def f(a):\n  class _B:\n    __c = 1\n    def d(self, __e): return self.__c, __e, __f, a.__g__\n  return _B",
}

CELLS = {
    "cell": "import numpy as np\nfrom m import *\nx = np.zeros(n)\nx[0] = y.z\nprint(x, k)\nx",
    "cell with functions": "def f(a, b=c):\n  global d\n  d = e\n  return g(a)\n@checkpoint\ndef g(q): return f(q)\nh = lambda r: r + s\nf(1)",
    "cell with a class": "@dataclass\nclass A(B):\n  x: int = 1\n  def m(self): return h(self.x)\na = A()",
    "cell that flows": "for i in range(3):\n  if i: j = i\ntry:\n  k = j\nexcept E as e:\n  raise\nwith open(p) as q: t = q.read()\ndel i",
    "cell of the shell": "files = get_ipython().getoutput('ls {folder}')\nget_ipython().run_line_magic('matplotlib', 'inline')",
    "cell that awaits": "import asyncio\nawait asyncio.sleep(t)\nasync for u in v: print(u)",
    "cell of text": "'shown'",
    "cell with annotations": "x: int = 1\ny: str\nz = [w := x for _ in range(2)]",
}

NEWER = {
    "type parameters": "def f[T: int, *U, **V](a: T) -> T:\n  type W[X] = dict[X, T]\n  class Y[Z](B[Z]): pass\n  return W, Y, T",
    "f-strings with quotes": "def f(a): return f'{a['k']}{'\\n'.join(a)}'",
}
"""Syntax of 3.12."""


def _digest_of_function(source: str) -> str:
    node: ast.AST = ast.parse(source).body[0]
    if isinstance(node, ast.Assign):
        node = node.value
    canonical = canonical_form(node)
    reached = repr([(r.name, r.attributes, r.free, r.use) for r in (*canonical.references, *canonical.modules)])
    return digest("golden", canonical.form, reached.encode(), repr(canonical.writes).encode())


def _digest_of_cell(source: str) -> str:
    form = of_cell(ast.parse(source), source)
    names = (form.reads, form.maybe, form.binds, sorted(form.surely), form.deletes, form.imports, form.star_imports)
    more = (form.defines, form.dynamic, form.deferred, form.modules)
    return digest("golden", form.digest.encode(), repr((names, more)).encode())


def digests() -> dict[str, str]:
    """The Digests of all snippets that this interpreter can parse."""
    functions = {**FUNCTIONS, **(NEWER if sys.version_info >= (3, 12) else {})}
    return {
        **{name: _digest_of_function(source) for name, source in functions.items()},
        **{name: _digest_of_cell(source) for name, source in CELLS.items()},
    }


if __name__ == "__main__":
    print(json.dumps(digests(), indent=2))
