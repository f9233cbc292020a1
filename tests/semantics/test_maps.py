"""Maps of scripts over real executors, across processes that die, have other code, or another home."""

from __future__ import annotations

import pytest

from tests.semantics import mapped
from tests.semantics.mapped import runs

FUNCTION = (
    mapped.FUNCTION
    + """
class Point:
    def __init__(self, x):
        self.x = x
    def __eq__(self, other):
        return type(self) is type(other) and self.x == other.x
@checkpoint(watch=False)
def move(point):
    assert type(point) is Point
    return Point(scaled(point.x))
"""
)

KINDS = ["threads", "spawn", "fork", "loky"]


def needs(kind: str) -> None:
    if kind == "loky":
        pytest.importorskip("loky")


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_maps_over_any_pool_and_finds_it_all_again(program, kind):
    needs(kind)
    program.write(
        FUNCTION
        + f"""
if __name__ == "__main__":
    with pool("{kind}") as executor:
        print(sum(f.map(range(20), executor, progress=False)))
        print([p.x for p in move.map([Point(1), Point(2)], executor, progress=False)])
        print(all(type(p) is Point for p in move.map([Point(1), Point(3)], executor, progress=False)))
    print(f(7), f.is_cached(19), move(Point(2)).x)
"""
    )
    expected = ["570", "[3, 6]", "True", "21 True 6"]
    assert program.run().lines == expected
    assert program.run().lines == expected
    assert runs(program) == list(range(20))


def test_a_worker_without_our_store_sends_the_record_home(program):
    """As on another machine: its caches are elsewhere, and it signs with another secret."""
    program.write(
        FUNCTION
        + """
def leave(place):
    os.environ["IPYCHECKPOINT_SECRET_FILE"] = place + "/secret"
    from ipycheckpoint import workspace
    workspace.current().directory = place + "/cache"
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context, initializer=leave, initargs=(os.getcwd() + "/away",)) as executor:
        print(sum(f.map(range(20), executor, progress=False)))
    print(all(f.is_cached(x) for x in range(20)), f(3), os.path.exists("away/cache"))
"""
    )
    assert program.run().lines == ["570", "True 9 False"]
    assert program.run().lines == ["570", "True 9 False"]
    assert runs(program) == list(range(20))


@pytest.mark.parametrize("shared", [False, True])
def test_only_keys_come_back_from_workers_with_another_hash_seed_that_have_none_of_the_scripts_modules(program, shared):
    """As those of a notebook: what it defines is in no file that a worker could import."""
    program.write(
        FUNCTION
        + """
from ipycheckpoint.surfaces import mapping
WORDS = {"one", "two", "three", "four"}
class Counter:
    seen = frozenset(WORDS)
    def count(self, x):
        return scaled(x) + len(self.seen & WORDS)
@checkpoint(watch=False)
def g(x, words=frozenset("abcdefgh")):
    return Counter().count(x) + len(words)
answers = set()
received = mapping.Sweep._received
def spy(self, position, answer):
    answers.add(type(answer).__name__)
    return received(self, position, answer)
if __name__ == "__main__":
    mapping.Sweep._received = spy
    del sys.modules["__main__"].__file__
    os.environ["PYTHONHASHSEED"] = "4242"
    workers = int(sys.argv[1])
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as executor, tags(run=1):
        print(g.map(range(4), executor, progress=False), answers)
        print(executor.submit(hash, "x").result() != hash("x"), g.is_cached(3))
    print(g.is_cached(3))
"""
    )
    store = {"IPYCHECKPOINT_STORE": f"file://{program.directory}/team"} if shared else {}
    # Of two that share a store, one that sees the other one still sending brings its own results as well.
    workers = "1" if shared else "2"
    assert program.run(workers, **store).lines == ["[12, 15, 18, 21] {'Kept'}", "True True", "False"]
    # In another process, which has yet another seed, all of them are hits.
    assert program.run(workers, **store).lines == ["[12, 15, 18, 21] set()", "True True", "False"]


def test_large_results_are_kept_by_the_workers(program):
    pytest.importorskip("numpy")
    program.write(
        FUNCTION
        + """
import numpy
@checkpoint
def grid(x):
    return numpy.full((300, 300), x)
if __name__ == "__main__":
    with pool("spawn") as executor:
        found = grid.map([1.0, 2.0], executor, progress=False)
    found[0][0, 0] = 9
    print([int(a.sum()) for a in found], float(grid.map([1.0])[0][0, 0]))
"""
    )
    assert program.run().lines == ["[90008, 180000] 1.0"]


def test_what_a_run_changed_in_its_argument_is_repeated_here(program):
    program.write(
        FUNCTION
        + """
@checkpoint
def add(items):
    items.append(1)
    return len(items)
if __name__ == "__main__":
    lists = [[], [0]]
    with pool("fork") as executor:
        print(add.map(lists, executor, progress=False), lists)
"""
    )
    assert program.run().lines == ["[1, 2] [[1], [0, 1]]"]


def test_a_worker_that_has_other_code_is_told_of_and_nothing_is_kept(program):
    program.write("LIMIT = 1\ndef limited(x):\n    return min(x, LIMIT)", "library")
    program.write(
        FUNCTION
        + """
import pathlib
import library
@checkpoint
def g(x):
    return library.limited(x)
if __name__ == "__main__":
    pathlib.Path("library.py").write_text("LIMIT = 2\\ndef limited(x):\\n    return min(x, LIMIT)")
    with pool("spawn") as executor:
        [error] = g.map([5], executor, progress=False, on_error="collect")
    print(type(error).__name__, "is other code where the executor runs it" in str(error), g.is_cached(5))
"""
    )
    assert program.run().lines == ["CheckpointFailedError True False"]


def test_a_worker_that_lacks_a_module_fails_its_items_with_its_name(program):
    program.write("def h(x):\n    return x", "library")
    program.write(
        FUNCTION
        + """
import library
@checkpoint
def g(x):
    return library.h(x)
def hide(*_):
    sys.modules["library"] = None
if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=hide) as executor:
        [error] = g.map([5], executor, progress=False, on_error="collect")
    print(type(error).__name__, "library" in str(error))
"""
    )
    assert program.run().lines == ["ModuleNotFoundError True"]


def test_exceptions_of_the_scripts_own_classes_come_home_with_their_tracebacks(program):
    program.write(
        FUNCTION
        + """
class Odd(Exception):
    pass
@checkpoint
def g(x):
    if x % 2:
        raise Odd(x)
    return x
if __name__ == "__main__":
    with pool("spawn") as executor:
        found = g.map(range(3), executor, progress=False, on_error="collect")
    print([found[0], found[2]], type(found[1]) is Odd, found[1].args, "raise Odd(x)" in found[1].__notes__[0])
"""
    )
    assert program.run().lines == ["[0, 2] True (1,) True"]


def test_a_worker_that_dies_costs_its_items_and_no_result_that_was_kept(program):
    program.write(
        FUNCTION
        + """
@checkpoint(watch=False, ignore=["sys"])
def g(x):
    if x == 30 and "die" in sys.argv:
        os._exit(9)
    return f(x)
if __name__ == "__main__":
    with ProcessPoolExecutor(1) as executor:
        found = g.map(range(40), executor, progress=False, on_error="collect", chunks=1)
    print(sum(x == 3 * n for n, x in enumerate(found)))
"""
    )
    (first,) = program.run("die").lines
    assert int(first) >= 25
    assert program.run("live").lines == ["40"]
    assert len(runs(program)) == 40


def test_what_is_checkpointed_inside_is_kept_at_home_too(program):
    program.write(
        FUNCTION
        + """
@checkpoint
def outer(x):
    return f(x) + 1
if __name__ == "__main__":
    with pool("spawn") as executor, tags(run=1):
        print(outer.map([1, 2], executor, progress=False))
        print(f.is_cached(2))
    print(f.is_cached(2))
"""
    )
    assert program.run().lines == ["[4, 7]", "True", "False"]


PLAIN = {
    "multiprocessing": """
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        print(sum(workers.map(f, range(8))))
""",
    "executor.map": """
    with pool("spawn") as executor:
        print(sum(executor.map(f, range(8))))
""",
    "joblib": """
    from joblib import Parallel, delayed
    print(sum(Parallel(n_jobs=2)(delayed(f)(x) for x in range(8))))
""",
    "loky": """
    with pool("loky") as executor:
        print(sum(executor.map(f, range(8))))
""",
}


@pytest.mark.parametrize("way", PLAIN)
def test_plain_calls_in_workers_are_kept_and_found(program, way):
    if way in ("joblib", "loky"):
        pytest.importorskip(way)
    program.write(FUNCTION + 'if __name__ == "__main__":' + PLAIN[way] + "    print(f.is_cached(7))")
    assert program.run().lines == ["84", "True"]
    assert program.run().lines == ["84", "True"]
    assert runs(program) == list(range(8))


def test_a_pickled_function_of_main_works_where_main_is_another(program):
    program.write(
        FUNCTION
        + """
import pickle
if __name__ == "__main__":
    print(pickle.loads(pickle.dumps(f)) is f)
    with open("f.pickle", "wb") as file:
        pickle.dump(f, file)
"""
    )
    assert program.run().lines == ["True"]
    program.write('import pickle\nf = pickle.load(open("f.pickle", "rb"))\nprint(f(2), f.is_cached(2))')
    assert program.run().lines == ["6 True"]


def test_a_pickled_function_that_is_defined_otherwise_here_is_the_one_that_was_pickled(program):
    program.write(FUNCTION + 'import pickle\npickle.dump(f, open("f.pickle", "wb"))')
    program.run()
    program.write(FUNCTION + 'SCALE = 5\nimport pickle\nprint(f(2), pickle.load(open("f.pickle", "rb"))(2))')
    assert program.run().lines == ["10 6"]


DASK = """
if __name__ == "__main__":
    from distributed import Client
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True) as client:
        print(sum(f.map(range(10), client.get_executor(), progress=False)))
        print([p.x for p in move.map([Point(1), Point(2)], client, progress=False)])
        print(sum(client.gather(client.map(f, range(5, 12)))))
    print(f.is_cached(3), f.is_cached(11), move.is_cached(Point(2)))
"""


def test_dask_does_it_too(program):
    pytest.importorskip("distributed")
    program.write(FUNCTION + DASK)
    expected = ["135", "[3, 6]", "168", "True True True"]
    assert program.run().lines == expected
    assert program.run().lines == expected
    assert runs(program) == list(range(12))


def test_a_large_global_goes_to_each_worker_and_not_with_each_item(program):
    program.write(
        FUNCTION
        + """
from ipycheckpoint.engine.parcel import Parcel
sent = []
reduce = Parcel.__reduce_ex__
table = list(range(300_000))
@checkpoint(watch=False)
def look_up(x):
    return table[x]
if __name__ == "__main__":
    Parcel.__reduce_ex__ = lambda self, protocol: sent.append(1) or reduce(self, protocol)
    with pool("spawn") as executor:
        print(sum(look_up.map(range(100), executor, progress=False, chunks=1)))
    print(2 <= len(sent) <= 12)
"""
    )
    assert program.run().lines == ["4950", "True"]
