"""``@checkpoint`` as its users see it: options, queries, and a function that is as it was before."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import operator
import os
import pickle
import pydoc
import subprocess
import sys
import threading
import warnings
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ipycheckpoint import tagging, workspace
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.errors import CannotKeep, CheckpointFailedWarning, CheckpointWarning, Unidentifiable, UsageError
from ipycheckpoint.surfaces.decorator import CheckpointedFunction, checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def here(tmp_path: Path) -> Iterator[workspace.Workspace]:
    """A workspace of the test's own, with its cache in a new directory."""
    own = workspace.Workspace({"IPYCHECKPOINT_DIR": str(tmp_path / "cache")})
    with workspace.using(own):
        yield own
    own.close()


ran: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


@checkpoint(ignore=["ran"])
def double(x: int, by: int = 2) -> int:
    """Multiply."""
    ran.append(x)
    return x * by


class Model:
    """A model."""

    k = 3

    @checkpoint(ignore=["ran"])
    def predict(self, x: int) -> int:
        """Predict."""
        ran.append(x)
        return self.k * x

    @checkpoint
    @classmethod
    def make(cls, k: int) -> int:
        """Make."""
        return k

    @staticmethod
    @checkpoint
    def plain(x: int) -> int:
        return x


@checkpoint(ignore=["ran"])
async def later(x: int) -> int:
    """Later."""
    ran.append(x)
    return x + 1


def files(directory: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(directory.rglob("*"))}


# The queries


def test_rerun_runs_and_keeps_what_it_gives() -> None:
    assert [double(1), double.rerun(1), double(1)] == [2, 2, 2]
    assert ran == [1, 1]


def test_is_cached_tells_and_writes_nothing(tmp_path: Path) -> None:
    assert not double.is_cached(1)
    assert files(tmp_path) == {}
    double(1)
    before = files(tmp_path)
    assert [double.is_cached(1), double.is_cached(x=1, by=2), double.is_cached(2)] == [True, True, False]
    assert files(tmp_path) == before
    assert ran == [1]


def test_forget_forgets_one_call() -> None:
    double(1), double(2)
    assert [double.forget(1), double.forget(1)] == [True, False]
    assert [double.is_cached(1), double.is_cached(2)] == [False, True]


def test_forget_all_forgets_every_call_of_this_function_and_no_other() -> None:
    double(1), double(2), Model().predict(1)
    assert double.forget_all() == 2
    assert [double.is_cached(1), double.is_cached(2), Model().predict.is_cached(1)] == [False, False, True]


def test_why_names_what_changed() -> None:
    assert "nothing was kept" in double.why(1).reason
    double(1)
    assert double.why(1).verdict == "hit"
    explanation = double.why(5)
    assert explanation.verdict == "miss"
    assert "argument `x` changed: 1 → 5" in str(explanation)


def test_identity_lists_the_ingredients_with_previews() -> None:
    ingredients = double.identity(1).ingredients
    assert [(i.kind, i.name, i.preview) for i in ingredients[-2:]] == [("argument", "x", "1"), ("argument", "by", "2")]


def test_record_tells_what_is_kept() -> None:
    assert double.record(1) is None
    double(1)
    record = double.record(1)
    assert record is not None
    assert (record.label, record.kind) == (double.label, "call")


def test_a_query_with_arguments_that_do_not_fit_says_so_as_the_call_would() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        double.is_cached()
    with pytest.raises(TypeError, match=r"double\(\) missing 1 required positional argument: 'x'"):
        double()


def test_the_queries_of_a_method_know_their_instance() -> None:
    model = Model()
    model.predict(2)
    assert [model.predict.is_cached(2), Model.predict.is_cached(model, 2), model.predict.is_cached(3)] == [
        True,
        True,
        False,
    ]
    assert model.predict.forget(2)
    assert model.predict.rerun(2) == 6


def test_the_queries_of_a_class_method_know_their_class() -> None:
    Model.make(1)
    assert [Model.make.is_cached(1), Model().make.is_cached(1), Model.make.is_cached(2)] == [True, True, False]


def test_the_queries_of_a_coroutine_function_need_no_await() -> None:
    asyncio.run(later(1))
    assert [later.is_cached(1), later.is_cached(2)] == [True, False]
    assert asyncio.run(later.rerun(1)) == 2
    assert ran == [1, 1]


# The options


def kept(**options: Any) -> CheckpointedFunction[[int], int]:
    def f(x: int) -> int:
        ran.append(x)
        return x

    decorated: CheckpointedFunction[[int], int] = checkpoint(**{"ignore": ["ran"], **options})(f)
    return decorated


def test_a_name_is_what_records_are_listed_under(here: workspace.Workspace) -> None:
    kept(name="my step")(1)
    assert [row.label for row in here.cache().rows()] == ["my step"]


@pytest.mark.parametrize("tags", [{"run": 1}, [("run", 1)], (("run", "1"),)])
def test_tags_make_another_checkpoint(tags: Any) -> None:
    f = kept(tags=tags)
    f(1), f(1)
    with tagging.tags(run=2):
        f(1)
    kept()(1)
    assert ran == [1, 1, 1]


def test_a_store_is_a_directory_or_a_cache(tmp_path: Path) -> None:
    kept(store=str(tmp_path / "own"))(1)
    kept(store=tmp_path / "own")(1)
    cache = Cache.at(tmp_path / "own")
    kept(store=cache)(1)
    cache.close()
    assert ran == [1]
    assert not (tmp_path / "cache").exists()


def test_a_watched_file_counts_by_its_content(tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    f = kept(watch=data)
    for content in ("a", "a", "b", "a"):
        data.write_text(content)
        f(1)
    assert ran == [1, 1]


def test_a_watched_file_that_cannot_be_read_is_named_and_the_function_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    f = kept(watch="data.txt")

    def denied(patterns: object) -> None:
        raise PermissionError(13, "Permission denied", "data.txt")

    monkeypatch.setattr("ipycheckpoint.engine.sources.watched", denied)
    with pytest.warns(CheckpointWarning, match=r"ran without a checkpoint: can't read data.txt: Permission denied"):
        assert f(1) == 1


def test_a_pinned_package_counts_by_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    f = kept(pin="pytest")
    f(1), f(1)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0.1")
    f(1)
    assert ran == [1, 1]
    assert [i.name for i in f.identity(1).ingredients if i.kind == "package"] == ["pytest"]


@pytest.mark.parametrize("expires", ["1d", 86400, timedelta(days=1)])
def test_a_result_may_expire(expires: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    f = kept(expires=expires)
    f(1), f(1)
    now = time.time() + 86400 + 1
    monkeypatch.setattr("time.time", lambda: now)
    f(1)
    assert ran == [1, 1]


@pytest.mark.parametrize(("mode", "times"), [("on", 1), ("off", 2), ("read", 2), ("refresh", 2)])
def test_the_mode_may_be_one_of_its_own(mode: Any, times: int) -> None:
    f = kept(mode=mode)
    f(1), f(1)
    assert ran == [1] * times


def test_the_mode_of_the_process_counts_otherwise(here: workspace.Workspace, tmp_path: Path) -> None:
    here.mode = "off"
    double(1), double(1)
    assert ran == [1, 1]
    assert files(tmp_path) == {}


@checkpoint(on_error="raise")
def lock(x: Any) -> Any:
    return threading.Lock()


def test_on_error_raise_raises_what_is_in_the_way() -> None:
    with pytest.raises(CannotKeep, match="lock"):
        lock(1)
    with pytest.raises(Unidentifiable, match=r"`x\[0\]`"):
        lock([threading.Lock()])


def test_on_error_ignore_is_silent() -> None:
    f = checkpoint(on_error="ignore")(lock.__wrapped__)
    assert f(1) is not f([f(1)])


def test_on_error_warn_warns_once_for_one_cause_and_where_it_was_called() -> None:
    f = checkpoint(lock.__wrapped__)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        f(1), f(1)
    assert [(warning.category, warning.filename) for warning in told] == [(CheckpointFailedWarning, __file__)]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"on_error": "panic"}, "on_error is 'panic'; it must be one of warn, raise, ignore"),
        ({"mode": "fast"}, "mode is 'fast'; it must be one of on, off, read, refresh"),
        ({"ignore": "verbose"}, r"ignore=\['verbose'\]"),
        ({"expires": "soon"}, "'soon' is no duration"),
        ({"tags": {"a=b": 1}}, "'a=b' can't be the key of a tag"),
        ({"pin": "no-such-package-here"}, "no package of this name is installed"),
    ],
)
def test_a_bad_option_is_named_when_the_function_is_defined(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        kept(**options)


@pytest.mark.parametrize("thing", [5, "name", None])
def test_what_is_no_function_is_refused(thing: Any) -> None:
    with pytest.raises(UsageError, match="needs a function"):
        checkpoint()(thing)


def test_a_generator_function_is_refused_with_the_way_out() -> None:
    def items():
        yield 1

    async def stream():
        yield 1

    for function in (items, stream):
        with pytest.raises(UsageError, match=r"is a generator function.*Let it return a list"):
            checkpoint(function)


# As it was before


def test_name_docs_and_signature_are_those_of_the_function() -> None:
    plain = double.__wrapped__
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
        assert getattr(double, name) == getattr(plain, name)
    assert inspect.signature(double) == inspect.signature(plain)
    assert list(inspect.signature(Model().predict).parameters) == ["x"]
    assert list(inspect.signature(Model.make).parameters) == ["k"]
    assert inspect.getsource(double) == inspect.getsource(plain)


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        (double, "double(x: 'int', by: 'int' = 2) -> 'int'\n    Multiply."),
        (Model().predict, "predict(x: 'int') -> 'int'"),
        (Model, "predict(self, x: 'int') -> 'int'\n |      Predict."),
        (later, "later(x: 'int') -> 'int'\n    Later."),
    ],
)  # fmt: skip
def test_help_is_that_of_the_function(thing: Any, says: str) -> None:
    assert says in pydoc.plain(pydoc.render_doc(thing))


def test_a_coroutine_function_is_one_to_asyncio() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.14 on
        assert asyncio.iscoroutinefunction(later)
        assert not asyncio.iscoroutinefunction(double)


def test_what_it_wraps_is_pickled_as_before() -> None:
    assert pickle.loads(pickle.dumps(double)) is double
    assert pickle.loads(pickle.dumps(Model.plain)) is Model.plain
    assert pickle.loads(pickle.dumps(Model().predict)).__func__ is Model.__dict__["predict"]


def test_a_checkpoint_that_no_name_leads_to_is_pickled_with_its_options() -> None:
    again = pickle.loads(pickle.dumps(checkpoint(os.path.join, name="joined")))
    assert again.label == "joined"
    assert again("a", "b") == os.path.join("a", "b")
    partial = pickle.loads(pickle.dumps(checkpoint(functools.partial(os.path.join, "a"))))
    assert partial("b") == os.path.join("a", "b")


def test_bound_methods_are_equal_when_function_and_instance_are() -> None:
    one, two = Model(), Model()
    assert one.predict == one.predict
    assert hash(one.predict) == hash(one.predict)
    assert one.predict != two.predict
    assert one.predict != one


def test_a_checkpointed_callable_object_in_a_class_is_not_bound_as_it_is_without() -> None:
    class Holder:
        first = checkpoint(operator.itemgetter(0))

    assert Holder().first([3, 4]) == 3


def test_attributes_of_the_function_are_there() -> None:
    def f():
        pass

    f.note = "text"
    assert checkpoint(f).note == "text"


def test_its_repr_names_what_it_wraps() -> None:
    assert repr(double) == f"<checkpoint of {double.__wrapped__!r}>"


def test_importing_the_decorator_loads_nothing_heavy() -> None:
    heavy = ["asyncio", "numpy", "pandas", "dill", "IPython", "sqlite3", "multiprocessing", "unittest"]
    program = (
        "import sys; from ipycheckpoint import checkpoint\n"
        "@checkpoint\ndef f(x): return x\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


TYPED = """
from ipycheckpoint import checkpoint

@checkpoint
def bare(x: int, y: str = "") -> list[str]: ...
@checkpoint(name="n", tags={"a": 1})
def told(x: int) -> float: ...
@checkpoint
async def later(x: int) -> bytes: ...
class Model:
    @checkpoint
    def method(self, x: int) -> str: ...
    @checkpoint
    @staticmethod
    def static(x: int) -> str: ...
    @property
    @checkpoint
    def size(self) -> int: ...

async def main() -> None:
    reveal_type(await later(1))
    reveal_type(await later.rerun(1))

reveal_type(bare(1))
reveal_type(bare.rerun(1, y="a"))
reveal_type(bare.is_cached(1))
reveal_type(told(1))
reveal_type(Model().method(1))
reveal_type(Model().method.is_cached(1))
reveal_type(Model.method(Model(), 1))
reveal_type(Model.static(1))
reveal_type(Model().size)
bare("no")
told(1, 2)
Model().method("no")
Model().method.forget("no")
"""

REVEALED = [
    "bytes", "bytes", "list[str]", "list[str]", "bool", "float", "str", "bool", "str", "str", "int",
]  # fmt: skip


@pytest.mark.slow
def test_a_type_checker_sees_the_function_through_the_decorator(tmp_path: Path) -> None:
    api = pytest.importorskip("mypy.api")
    snippet = tmp_path / "snippet.py"
    snippet.write_text(TYPED)
    root = Path(workspace.__file__).parents[1]
    cache = str(tmp_path / "mypy")
    options = ["--config-file=", "--cache-dir", cache, "--disable-error-code=empty-body", "--follow-imports=silent"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(root))
        out, err, _ = api.run([*options, str(snippet)])
    lines = [line for line in out.splitlines() if "snippet.py" in line]
    revealed = [line.partition('"')[2].rstrip('"').replace("builtins.", "") for line in lines if "Revealed" in line]
    errors = [line.partition("error: ")[2] for line in lines if " error: " in line]
    assert revealed == REVEALED, out + err
    assert [error.rpartition("[")[2] for error in errors] == ["arg-type]", "call-arg]", "arg-type]", "arg-type]"], out


class _Odd:
    def __reduce_ex__(self, protocol: Any) -> Any:
        raise ZeroDivisionError("odd")


@pytest.mark.parametrize("place", ["argument", "result"])
def test_an_object_that_can_neither_be_identified_nor_written_costs_a_warning_and_never_the_result(
    place: str, tmp_path: Path
) -> None:
    odd = _Odd()

    @checkpoint(store=tmp_path)
    def f(x: Any) -> Any:
        return odd if place == "result" else 5

    with pytest.warns(CheckpointWarning, match="odd"):
        assert f(odd if place == "argument" else 1) is (odd if place == "result" else 5)


def test_a_cache_that_is_dropped_in_a_circle_is_closed_without_a_warning(tmp_path, monkeypatch):
    # Garbage is collected in any order; since Python 3.13 a connection warns that is collected before it is closed.
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: unraisable.append(found.exc_value))

    def work():
        cache = Cache.at(tmp_path)
        cache.function = checkpoint(store=cache)(lambda: 1)
        # What is told of a miss is kept for whoever asks; of a hit there is nothing to tell.
        assert cache.function() == cache.function() == 1

    work()
    assert (tmp_path / "small.sqlite-wal").exists()
    gc.collect()
    assert not unraisable
    assert not (tmp_path / "small.sqlite-wal").exists()


@pytest.mark.parametrize("options", [{"ignore": ["verbos"]}, {"fingerprints": {"verbos": len}}])
def test_what_is_nearly_the_name_of_a_parameter_is_told(options, tmp_path):
    with pytest.warns(CheckpointWarning, match="f has no parameter 'verbos', so 'verbose' counts") as caught:

        @checkpoint(store=tmp_path, **options)
        def f(x, verbose):
            return x

    assert caught[0].filename == __file__


@pytest.mark.parametrize("name", ["verbose", "verbosely", "deep", "x"])
def test_names_that_may_be_meant_are_no_slip(name, tmp_path):
    # A global, here or further down, may be left out as well.
    @checkpoint(store=tmp_path, ignore=[name])
    def f(x, verbose):
        return (x, verbosely)  # noqa: F821 - nobody calls it

    assert isinstance(f, CheckpointedFunction)
