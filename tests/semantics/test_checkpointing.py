"""Everything that the package `checkpointing` has, after a change of the package's name in the imports."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import inspect
import os
import pickle
import signal
import socket
import threading
import time
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest

import ipycheckpoint as ck
from ipycheckpoint import (
    AutoFuncCallIdentifier,
    CacheBase,
    CannotKeep,
    CheckpointError,
    CheckpointFailedError,
    CheckpointFailedWarning,
    CheckpointNotExist,
    CheckpointWarning,
    DecoratorCheckpoint,
    ExpensiveOverheadWarning,
    FuncCallIdentifierBase,
    InMemoryLRUCache,
    PickleFileCache,
    UsageError,
    checkpoint,
    defaults,
    workspace,
)
from ipycheckpoint.cache.plugged import Plug, PluggedCache
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.surfaces.plugging import listing_at

EXAMPLES = (Path(__file__).parents[1] / "data" / "checkpointing_examples.txt").read_text("utf-8")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = workspace.Workspace({"IPYCHECKPOINT_DIR": str(tmp_path / "cache")})
    with workspace.using(own):
        yield own
    own.close()


ran = []


@pytest.fixture(autouse=True)
def _nothing_ran():
    ran.clear()


class DictCache(CacheBase):
    def __init__(self):
        self.d = {}

    def save(self, context_id, result):
        self.d[context_id] = result

    def retrieve(self, context_id):
        if context_id not in self.d:
            raise CheckpointNotExist
        return self.d[context_id]


class Records(DictCache):
    keeps_records = True


class ByName(FuncCallIdentifierBase):
    def identify(self, context):
        return context.name


class By(FuncCallIdentifierBase):
    """What a function of the context says."""

    def __init__(self, what):
        self.what = what

    def identify(self, context):
        return self.what(context)


OURS = AutoFuncCallIdentifier(ignore=["ran"])


# The examples of its handbook


def example(number):
    renamed = EXAMPLES.replace("from checkpointing import", "from ipycheckpoint import")
    return renamed.split("-----\n")[number]


@pytest.mark.parametrize("number", range(3))
def test_an_example_of_the_handbook_runs_from_one_process_to_the_next(program, number):
    program.write(example(number) + "\nprint(foo())")
    assert [program.run().lines, program.run().lines] == [["0"], ["0"]]


def test_a_process_ends_without_a_word(program):
    program.write(example(2) + "\nprint(foo(), foo())")
    assert program.run().complaints == ""


def test_the_classes_that_the_first_example_leaves_open_cost_no_result_and_are_complained_of(program):
    program.write(example(0) + "\nprint(foo(), bar(), qux())")
    printed = program.run()
    assert printed.lines == ["0 0 0"]
    assert "'CustomizedCache' object has no attribute 'retrieve'" in printed.complaints
    assert "'CustomizedIdentifier' object has no attribute 'identify'" in printed.complaints


def test_the_function_of_the_second_example_runs_again_only_when_it_is_renamed(program):
    text = example(1).replace("return 0", "print('ran')\n    return 0") + "\nprint(foo())"
    seen = []
    for version in (text, text, text.replace("return 0", "return 1"), text.replace("foo", "bar")):
        program.write(version)
        seen.append(program.run().lines)
    assert seen == [["ran", "0"], ["0"], ["0"], ["ran", "0"]]


def test_the_result_of_the_third_example_is_in_the_dict_as_it_is_and_nowhere_else(tmp_path):
    namespace = {"__name__": "__main__"}
    exec(example(2).replace("DictCache())\n", "cache := DictCache())\n"), namespace)
    assert (namespace["foo"](), namespace["foo"]()) == (0, 0)
    [(context_id, result)] = namespace["cache"].d.items()
    assert result == 0
    assert len(bytes.fromhex(context_id)) == 32
    assert list(tmp_path.iterdir()) == []


def test_a_script_that_is_run_again_restores_with_empty_parentheses_and_a_directory(program):
    program.write(
        """
        from ipycheckpoint import checkpoint
        @checkpoint()
        def calc(a, b):
            print("ran")
            return a + b
        @checkpoint("other", "raise", 4)
        def more(a):
            print("ran")
            return a
        print(calc(1, 2), more(3))
        """
    )
    assert [program.run().lines, program.run().lines] == [["ran", "ran", "3 3"], ["3 3"]]
    assert (program.directory / "other").is_dir()


# The checkpoint


def test_with_our_identifier_and_cache_it_is_checkpoint(here):
    @DecoratorCheckpoint(OURS, PickleFileCache())
    def f(x):
        ran.append(x)
        return x

    same = checkpoint(ignore=["ran"])(f.__wrapped__)
    assert isinstance(f, ck.CheckpointedFunction)
    assert isinstance(checkpoint(), DecoratorCheckpoint)
    assert (f(1), same(1)) == (1, 1)
    assert ran == [1]
    assert f.record(1) == same.record(1)
    assert [row.label for row in here.cache().rows()] == [f.label]


@pytest.mark.parametrize(
    "how", [{"store": "own"}, {"directory": "own"}, {"cache": "own"}, {"cache": PickleFileCache("own")}]
)
def test_a_directory_may_be_given_by_any_of_its_names(how, tmp_path):
    f = checkpoint(**how)(lambda: 1)
    assert f() == 1
    assert (tmp_path / "own").is_dir()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("@checkpoint", "@DecoratorCheckpoint(AutoFuncCallIdentifier(), PickleFileCache())"),
        ("@checkpoint()", "@checkpoint(identifier=AutoFuncCallIdentifier(), cache=PickleFileCache())"),
    ],
)
def test_what_one_decorator_kept_another_restores(program, before, after):
    text = """
    from ipycheckpoint import AutoFuncCallIdentifier, DecoratorCheckpoint, PickleFileCache, checkpoint
    @checkpoint
    def f(x):
        print("ran")
        return x
    print(f(1))
    """
    program.write(text.replace("@checkpoint", before))
    program.run()
    program.write(text.replace("@checkpoint", after))
    assert program.run().lines == ["1"]


def test_the_full_explanation_is_kept_with_a_cache_of_the_user_s():
    limit = 3

    @DecoratorCheckpoint(OURS, DictCache())
    def f(x):
        ran.append(x)
        return x + limit

    assert f.why(1).reason == "nothing was kept under this label yet"
    f(1), f(1)
    assert ran == [1]
    assert f.why(1).verdict == "hit"
    assert f.why(2).reason == "argument `x` changed"
    limit = 4
    assert f.why(1).reason == "global `limit` changed"
    assert f(1) == 5


def test_rerun_keeps_the_new_result():
    numbers = iter(range(10))

    @DecoratorCheckpoint(ByName(), DictCache())
    def f():
        return next(numbers)

    assert [f(), f(), f.rerun(), f()] == [0, 0, 1, 1]


@pytest.mark.parametrize("cache", [DictCache(), PickleFileCache(), InMemoryLRUCache()], ids=lambda c: type(c).__name__)
def test_with_an_identifier_of_the_user_s_nobody_looks_at_the_arguments(cache):
    @DecoratorCheckpoint(By(lambda context: ("once", context.name)), cache, on_error="raise")
    def f(connection, *, lock):
        ran.append(1)
        connection.append(lock)
        return "done"

    for _ in range(3):
        with socket.socket() as connection:
            assert f([connection], lock=threading.Lock()) == "done"
    assert ran == [1]
    assert f.is_cached([threading.Lock()], lock=None)
    assert f.why(None, lock=None).verdict == "hit"


@pytest.mark.parametrize(
    "context_id",
    [1, None, (1, "a"), frozenset({1}), object(), socket.socket, ("x", object())],
    ids=["a number", "None", "a tuple", "a frozenset", "an object", "a class", "a tuple with an object"],
)
def test_a_context_id_is_whatever_the_cache_takes(context_id):
    cache = DictCache()

    @DecoratorCheckpoint(By(lambda _: context_id), cache, on_error="raise")
    def f():
        ran.append(1)
        return "result"

    assert (f(), f()) == ("result", "result")
    assert ran == [1]
    assert list(cache.d) == [context_id]
    assert next(iter(cache.d)) is context_id


def test_a_context_id_that_can_not_be_hashed_goes_to_a_cache_that_takes_it():
    class ListCache(CacheBase):
        def __init__(self):
            self.pairs = []

        def save(self, context_id, result):
            self.pairs.append((context_id, result))

        def retrieve(self, context_id):
            for known, result in self.pairs:
                if known == context_id:
                    return result
            raise CheckpointNotExist

    @DecoratorCheckpoint(By(lambda context: [context.name, context.arguments]), ListCache(), on_error="raise")
    def f(x):
        ran.append(x)
        return x

    assert [f(1), f(1), f(2)] == [1, 1, 2]
    assert ran == [1, 2]


def test_a_context_id_without_an_identity_is_refused_by_our_cache_and_the_function_runs():
    @DecoratorCheckpoint(By(lambda _: threading.Lock()), PickleFileCache())
    def f():
        return 1

    with pytest.warns(CheckpointFailedWarning, match="the ContextId that By gives can't be told apart.*lock"):
        assert f() == 1


def test_an_explanation_tells_of_context_ids():
    @DecoratorCheckpoint(By(lambda context: f"{context.name}({context.arguments['x']})"), PickleFileCache())
    def f(x):
        return x

    f(1)
    assert f.why(2).reason == "context `By` changed"
    [change] = f.why(2).changes
    assert "'f(1)' → 'f(2)'" in change.what
    assert [i.name for i in f.identity(1).ingredients] == ["By"]


def test_the_same_context_id_is_the_same_result_whichever_function_asks():
    @DecoratorCheckpoint(By(lambda _: "shared"), PickleFileCache())
    def one():
        return 1

    @DecoratorCheckpoint(By(lambda _: "shared"), PickleFileCache())
    def two():
        return 2

    assert (one(), two()) == (1, 1)
    assert PickleFileCache().retrieve("shared") == 1


def test_tags_are_part_of_the_identity_in_our_cache_and_an_identifier_can_ask_for_them():
    seen = []

    @DecoratorCheckpoint(ByName(), PickleFileCache())
    def f():
        return len(ran)

    @DecoratorCheckpoint(By(lambda context: seen.append(context.tags)), DictCache())
    def g():
        return 1

    for run in (1, 2):
        with ck.tags(run=run):
            f(), g()
            ran.append(run)
    assert f() == 2
    assert seen == [(("run", "1"),), (("run", "2"),)]
    with ck.tags(run=2):
        assert (f(), PickleFileCache().retrieve("f")) == (1, 1)


def test_the_hexdigest_of_our_identifier_leads_to_what_a_checkpoint_kept():
    @checkpoint
    def f(x):
        return x * 2

    f(21)
    context_id = AutoFuncCallIdentifier().identify(ck.FuncCallContext(f, (21,), {}))
    assert context_id == f.record(21).key
    assert PickleFileCache().retrieve(context_id) == 42


def test_an_identifier_may_build_on_ours():
    class Versioned(AutoFuncCallIdentifier):
        version = 1

        def identify(self, context):
            return f"{super().identify(context)} v{self.version}"

    @DecoratorCheckpoint(Versioned(ignore=["ran"]), DictCache())
    def f(x):
        ran.append(x)
        return x

    f(1), f(1), f(2)
    Versioned.version = 2
    f(1)
    assert ran == [1, 2, 1]


def test_a_method_counts_by_its_instance_and_a_coroutine_function_is_awaited():
    seen = []

    class Model:
        @DecoratorCheckpoint(
            By(lambda context: seen.append(context.arguments["self"]) or context.qualified_name), DictCache()
        )
        def fit(self, x):
            return x

    model = Model()
    assert (model.fit(1), model.fit(2)) == (1, 1)
    assert seen == [model, model]

    @DecoratorCheckpoint(ByName(), DictCache())
    async def f(x):
        ran.append(x)
        await asyncio.sleep(0.01)
        return x

    async def both():
        return await asyncio.gather(f(1), f(2))

    assert asyncio.run(both()) == [1, 1]
    assert ran == [1]


@pytest.mark.parametrize("identifier", [ByName(), OURS], ids=["theirs", "ours"])
def test_arguments_that_do_not_fit_are_the_function_s_own_error(identifier):
    @DecoratorCheckpoint(identifier, DictCache(), on_error="raise")
    def f(x):
        return x

    @DecoratorCheckpoint(By(lambda context: context.arguments), DictCache(), on_error="raise")
    def g(x):
        return x

    for function in (f, g):
        with pytest.raises(TypeError, match=r"f\(\)|g\(\)"):
            function()


def test_what_a_function_of_its_own_cache_raises_is_raised_and_not_kept():
    cache = DictCache()

    @DecoratorCheckpoint(ByName(), cache)
    def f():
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        f()
    assert cache.d == {}


# What a context tells


def test_a_context_tells_all_that_its_documentation_says():
    outer = "around"

    @DecoratorCheckpoint(By(lambda context: seen.append(context)), DictCache())
    def f(a, b=2, *rest, c, **more):
        # a comment
        return a, outer

    seen = []
    f(1, c=3, d=4)
    [context] = seen
    assert context.arguments == {"a": 1, "b": 2, "rest": (), "c": 3, "more": {"d": 4}}
    assert (context.name, context.module) == ("f", __name__)
    assert context.qualified_name.endswith("all_that_its_documentation_says.<locals>.f")
    assert context.full_name == f"{__name__}.{context.qualified_name}"
    assert "def f(a, b=2, *rest, c, **more):\n    # a comment\n" in context.code
    assert context.get_nonlocal_variable("outer") == "around"
    assert context.get_nonlocal_variable("ran") is ran
    assert context.get_nonlocal_variable("nowhere") is None


def test_a_context_knows_what_was_around_the_definition_though_the_function_never_uses_it():
    def define():
        version = 7  # noqa: F841 - the identifier asks for it

        @DecoratorCheckpoint(By(lambda context: context.get_nonlocal_variable("version")), cache)
        def f():
            return "result"

        return f

    cache = DictCache()
    define()()
    assert cache.d == {7: "result"}


def test_a_context_can_be_made_by_hand():
    def f(a, b=1, c=None, d=4):
        c = a + b  # add a and b
        return c  # noqa: RET504 - as it is

    context = ck.FuncCallContext(f, (1, 2), {"c": 3}, inspect.currentframe())
    assert dict(context.arguments) == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert context.get_nonlocal_variable("context") is context
    text = "def f(a, b=1, c=None, d=4):\n    c = a + b  # add a and b\n    return c  # noqa: RET504 - as it is\n"
    assert context.code == text


def test_the_arguments_of_an_earlier_release_can_be_restored():
    options = checkpoint(name="kept", on_error="raise")(lambda: 1)._options
    earlier = [getattr(options, field.name) for field in dataclasses.fields(options)][:-1]
    restored = object.__new__(type(options))
    restored.__setstate__(earlier)
    assert restored == options == pickle.loads(pickle.dumps(options))


# Errors in what users plug in


class Failing(DictCache):
    def __init__(self, *, save=None, retrieve=None):
        super().__init__()
        self.problems = {"save": save, "retrieve": retrieve}

    def save(self, context_id, result):
        if self.problems["save"]:
            raise self.problems["save"]
        super().save(context_id, result)

    def retrieve(self, context_id):
        if self.problems["retrieve"]:
            raise self.problems["retrieve"]
        return super().retrieve(context_id)


def raising(problem):
    def identify(_):
        raise problem

    return By(identify)


CASES = [
    ("identify", raising(KeyError("no")), DictCache, "By.identify raised KeyError: 'no'"),
    ("identify", raising(UsageError("no")), DictCache, "By.identify raised UsageError: no"),
    ("retrieve", ByName(), lambda: Failing(retrieve=OSError("no")), "Failing.retrieve raised OSError: no"),
    ("retrieve", ByName(), lambda: Failing(retrieve=UsageError("no")), "Failing.retrieve raised UsageError: no"),
    ("retrieve", OURS, lambda: Failing(retrieve=TypeError("no")), "Failing.retrieve raised TypeError: no"),
    ("save", ByName(), lambda: Failing(save=MemoryError()), "Failing.save raised MemoryError"),
    ("save", OURS, lambda: Failing(save=OSError("no")), "Failing.save raised OSError: no"),
]

WHERE = [f"{case[0]} {type(case[1]).__name__}" for case in CASES]


def failing(identifier, cache, on_error):
    @DecoratorCheckpoint(identifier, cache, on_error)
    def f():
        ran.append(1)
        return "result"

    return f


@pytest.mark.parametrize(("where", "identifier", "cache", "said"), CASES, ids=WHERE)
def test_an_error_in_an_identifier_or_cache_is_warned_of_and_costs_no_result(where, identifier, cache, said):
    f = failing(identifier, cache(), None)
    with pytest.warns(CheckpointFailedWarning, match=said.replace("(", r"\(")):
        assert f() == "result"
    assert ran == [1]


@pytest.mark.parametrize(("where", "identifier", "cache", "said"), CASES, ids=WHERE)
def test_an_error_in_an_identifier_or_cache_may_be_passed_over(where, identifier, cache, said):
    assert failing(identifier, cache(), "ignore")() == "result"


@pytest.mark.parametrize(("where", "identifier", "cache", "said"), CASES, ids=WHERE)
def test_an_error_in_an_identifier_or_cache_may_be_raised_with_the_result_that_there_is(where, identifier, cache, said):
    f = failing(identifier, cache(), "raise")
    with pytest.raises(CheckpointFailedError) as caught:
        f()
    assert said in str(caught.value)
    assert caught.value.__cause__ is not None
    assert caught.value.result == ("result" if where == "save" else None)
    assert ran == ([1] if where == "save" else [])


def test_what_our_own_cache_can_not_keep_is_raised_with_the_result():
    @checkpoint(on_error="raise")
    def f():
        return threading.Lock()

    with pytest.raises(CheckpointFailedError) as caught:
        f()
    assert isinstance(caught.value, CannotKeep)
    assert type(caught.value.result).__name__ == "lock"
    assert pickle.loads(pickle.dumps(caught.value)).result is None


def test_a_damaged_record_follows_on_error_as_well():
    def f():
        return "x" * 100

    cache = Records()
    checkpoint(cache=cache)(f)()
    cache.d = {key: data.replace(b'"created":', b'"created":1') for key, data in cache.d.items()}
    with pytest.raises(CheckpointFailedError, match="not signed by you"):
        checkpoint(cache=cache, on_error="raise")(f)()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checkpoint(cache=cache, on_error="ignore")(f)() == "x" * 100
    assert checkpoint(cache=cache, on_error="raise")(f)() == "x" * 100  # it was repaired


def test_errors_and_warnings_are_what_they_were_and_ours_too():
    assert issubclass(CheckpointFailedError, RuntimeError)
    assert issubclass(CheckpointFailedError, CheckpointError)
    assert issubclass(CheckpointFailedWarning, RuntimeWarning)
    assert issubclass(ExpensiveOverheadWarning, UserWarning)
    assert issubclass(CheckpointFailedWarning, CheckpointWarning)


@pytest.mark.parametrize(
    ("identifier", "cache", "more", "complaint"),
    [
        (ByName, DictCache(), {}, r"the identifier is the class ByName; one of its objects is needed: ByName\(…\)"),
        (ByName(), DictCache, {}, r"the cache is the class DictCache"),
        (DictCache(), "d", {}, r"an object with a method identify\(context\) is needed"),
        (ByName(), OURS, {}, "the identifier comes first, then the cache"),
        (ByName(), {}, {}, "methods save and retrieve, is needed"),
        (ByName(), DictCache(), {"on_error": "panic"}, "on_error is 'panic'; it must be one of warn, raise, ignore"),
        (ByName(), PickleFileCache(), {"ignore": ["x"]}, "ignore has no meaning beside ByName"),
        (ByName(), DictCache(), {"tags": {"a": 1}}, "tags has no meaning beside ByName"),
        (OURS, DictCache(), {"expires": "1d"}, "expires needs a cache that keeps when a result was made"),
    ],
)
def test_what_can_not_work_is_named_when_the_function_is_defined(identifier, cache, more, complaint):
    with pytest.raises(UsageError, match=complaint) as caught:
        DecoratorCheckpoint(identifier, cache, **more)
    assert isinstance(caught.value, ValueError)


def test_two_places_for_the_results_are_one_too_many():
    with pytest.raises(UsageError, match="one place"):
        checkpoint("a", cache=DictCache())


# A cache that is given results alone


def test_an_argument_that_is_changed_in_place_is_named_and_the_result_not_kept():
    @DecoratorCheckpoint(OURS, DictCache())
    def f(items):
        items.append(1)
        return len(items)

    with pytest.warns(CheckpointFailedWarning, match="can't keep `items` .*DictCache is given its result alone"):
        assert f([]) == 1
    assert not f.is_cached([])


def test_a_file_that_changes_is_noticed_in_this_process_and_told_of_for_others(tmp_path):
    @DecoratorCheckpoint(OURS, DictCache())
    def f(path):
        ran.append(1)
        return Path(path).read_text()

    data = tmp_path / "data.txt"
    data.write_text("one")
    with pytest.warns(CheckpointWarning, match=r"in another process nobody will notice.*watch=\[…\]"):
        assert f(data) == "one"
    assert f(data) == "one"
    data.write_text("another")
    assert f(data) == "another"
    assert ran == [1, 1]


def test_a_cache_of_records_keeps_all_that_a_record_tells(tmp_path, program):
    program.write(
        """
        import pathlib, sys
        from ipycheckpoint import CacheBase, CheckpointNotExist, checkpoint
        class Folder(CacheBase):
            keeps_records = True
            def path(self, context_id):
                return pathlib.Path("results", context_id)
            def save(self, context_id, result):
                self.path(context_id).parent.mkdir(exist_ok=True)
                self.path(context_id).write_bytes(result)
            def retrieve(self, context_id):
                try:
                    return self.path(context_id).read_bytes()
                except FileNotFoundError:
                    raise CheckpointNotExist
        @checkpoint(cache=Folder())
        def f(items):
            print("ran")
            items.append(open("data.txt").read())
            return items
        items = []
        print(f(items) is items, items)
        """
    )
    (tmp_path / "data.txt").write_text("one")
    seen = [program.run().lines, program.run().lines]
    (tmp_path / "data.txt").write_text("two")
    seen.append(program.run().lines)
    assert seen == [["ran", "True ['one']"], ["True ['one']"], ["ran", "True ['two']"]]
    assert not (tmp_path / "cache").exists()


def test_a_record_that_a_stranger_put_there_is_not_loaded():
    cache = Records()

    @checkpoint(cache=cache, ignore=["ran"])
    def f():
        ran.append(1)
        return [1]

    f()
    found = Plug(cache, whole=True, keyring=Keyring(secret=b"t" * 32)).find(f.identity().key)
    assert "not signed by you" in found.reason
    cache.d = {key: pickle.dumps(pytest.fail) for key in cache.d}
    with pytest.warns(CheckpointFailedWarning, match="this is no record"):
        assert f() == [1]
    assert ran == [1, 1]


def test_what_a_cache_of_records_gives_is_the_callers_own():
    class Mutable(Records):
        def save(self, context_id, result):
            super().save(context_id, bytearray(result))

    @checkpoint(cache=Mutable())
    def f():
        return np.zeros(50_000)

    f()
    f()[:] = 1
    assert f().sum() == 0


def test_a_result_that_no_pickler_takes_is_kept_as_it_is():
    lock = threading.Lock()

    @DecoratorCheckpoint(ByName(), DictCache(), on_error="raise")
    def f():
        return lock

    assert f() is f() is lock


def test_a_cache_may_forget_and_tell_what_it_has():
    class Whole(DictCache):
        def forget(self, context_id):
            return self.d.pop(context_id, None) is not None

        def catalogue(self):
            return self.d

    cache = Whole()
    cache.save("from elsewhere", 1)

    @DecoratorCheckpoint(By(lambda context: f"f {context.arguments['x']}"), cache)
    def f(x):
        return x

    f(1), f(1), f(2)
    rows = {row.label: row for row in PluggedCache.of(cache).look_around().rows()}
    assert set(rows) == {f.label, "from elsewhere"}
    assert sorted(row.hits for row in PluggedCache.of(cache).look_around().rows()) == [0, 0, 1]
    assert (f.forget(1), f.forget(1), f.is_cached(1)) == (True, False, False)
    assert f.forget_all() == 1
    assert list(cache.d) == ["from elsewhere"]


def test_a_cache_of_the_user_s_shows_in_the_panel_as_far_as_it_tells(here):
    class Whole(Records):
        def forget(self, context_id):
            return self.d.pop(context_id, None) is not None

    whole, plain, heard = Whole(), DictCache(), []
    here.news.subscribe(lambda event: heard.append(event.what))
    for cache in (whole, plain):
        f = checkpoint(cache=cache, name="my step")(lambda x: [x] * 10)
        f(1), f(1), f(2)
        assert [row["label"] for row in ck.panel(cache).view["rows"]] == ["my step"] * 2
        assert f.record(1).ingredients[-1].preview == "1"
    assert [what for what in heard if what in ("kept", "restored")] == ["kept", "restored", "kept"] * 2
    listing = listing_at(whole)
    [latest, _] = listing.rows()
    assert listing.open(latest.key)["return"] == [2] * 10
    assert listing_at(plain).open(latest.key).names() == []
    assert (listing.forget(latest.key), len(whole.d)) == (True, 1)


def test_a_cache_that_can_not_forget_says_so():
    @DecoratorCheckpoint(ByName(), DictCache())
    def f():
        return 1

    f()
    for forget in (f.forget, f.forget_all):
        with pytest.raises(UsageError, match=r"DictCache can't forget 'f': give it a method forget\(context_id\)"):
            forget()


def test_nothing_holds_a_cache_that_its_user_has_let_go_of():
    cache = DictCache()
    f = checkpoint(cache=cache)(lambda: [1])
    f(), f()
    gone = weakref.ref(cache)
    del cache, f
    gc.collect()
    assert gone() is None


# One run at a time


@pytest.mark.parametrize("cache", [DictCache, InMemoryLRUCache, PickleFileCache])
def test_of_threads_that_ask_for_one_context_id_one_runs(cache):
    @DecoratorCheckpoint(By(lambda context: context.arguments["x"] % 2), cache())
    def f(x):
        ran.append(x % 2)
        time.sleep(0.05)
        return x % 2

    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(f(n))) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == [0, 1]
    assert sorted(results) == [0, 0, 0, 1, 1, 1]


def test_a_run_that_asks_for_its_own_context_id_does_not_wait_for_itself():
    @DecoratorCheckpoint(ByName(), DictCache())
    def f(n):
        return n and f(n - 1)

    assert f(3) == 0


def test_a_run_asks_its_cache_once():
    asked = []

    class Counting(DictCache):
        def retrieve(self, context_id):
            asked.append(context_id)
            return super().retrieve(context_id)

    f = checkpoint(identifier=ByName(), cache=Counting())(lambda: 1)
    f()
    assert len(asked) == 1


# Processes

COUNTING = """
import multiprocessing, pathlib, sys, time
from ipycheckpoint import AutoFuncCallIdentifier, CacheBase, CheckpointNotExist, DecoratorCheckpoint, PickleFileCache

class Numbers(CacheBase):
    "Two files that must be written together: only under a lock they always agree."
    def save(self, context_id, result):
        pathlib.Path("one").write_text(str(result))
        time.sleep(0.01)
        pathlib.Path("two").write_text(str(result))
    def retrieve(self, context_id):
        if not pathlib.Path("two").exists():
            raise CheckpointNotExist
        one = pathlib.Path("one").read_text()
        time.sleep(0.01)
        return one, pathlib.Path("two").read_text()

def work(cache, start, number):
    start.wait()
    for step in range(8):
        cache.save("a", f"{number} {step}")
        one, two = cache.retrieve("a")
        assert one == two, (one, two)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    cache = Numbers().synchronize_with(context.Lock())
    start = context.Event()
    workers = [context.Process(target=work, args=(cache, start, number)) for number in range(3)]
    for worker in workers: worker.start()
    start.set()
    for worker in workers: worker.join()
    print([worker.exitcode for worker in workers])
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_under_a_lock_of_processes_nobody_sees_half_of_what_another_saves(program, method):
    program.write(COUNTING)
    assert program.run(method).lines == ["[0, 0, 0]"]


COLD = """
import sys, time
from ipycheckpoint import DecoratorCheckpoint, FuncCallIdentifierBase, PickleFileCache

class ByName(FuncCallIdentifierBase):
    def identify(self, context):
        return context.name

@DecoratorCheckpoint(ByName(), PickleFileCache("shared"))
def f():
    print("ran", flush=True)
    time.sleep(float(sys.argv[1]))
    return 42

print(f())
"""


def test_of_processes_that_ask_for_one_context_id_one_runs_and_the_others_wait(program):
    program.write(COLD)
    started = [program.start("0.5") for _ in range(3)]
    printed = [process.communicate()[0].split() for process in started]
    assert sorted(printed) == [["42"], ["42"], ["ran", "42"]]


def test_when_the_one_that_runs_is_killed_another_takes_over(program):
    program.write(COLD)
    first = program.start("60")
    assert first.stdout.readline() == "ran\n"
    second = program.start("0")
    os.kill(first.pid, signal.SIGKILL)
    assert second.communicate()[0].split() == ["ran", "42"]
    first.communicate()
    assert program.run("0").lines == ["42"]


def test_a_checkpoint_of_the_user_s_travels_to_a_worker(program):
    program.write(
        """
        from concurrent.futures import ProcessPoolExecutor
        from ipycheckpoint import AutoFuncCallIdentifier, DecoratorCheckpoint, InMemoryLRUCache, PickleFileCache
        @DecoratorCheckpoint(AutoFuncCallIdentifier(), PickleFileCache("shared"))
        def f(x):
            return x + 1
        @DecoratorCheckpoint(AutoFuncCallIdentifier(), InMemoryLRUCache(10))
        def g(x):
            return f(x) + 1
        if __name__ == "__main__":
            with ProcessPoolExecutor(2) as pool:
                print(list(pool.map(g, range(4))))
        """
    )
    assert program.run().lines == ["[2, 3, 4, 5]"]


# What it costs


def test_a_checkpoint_that_takes_longer_than_the_function_is_told_of_once():
    class Slow(DictCache):
        def save(self, context_id, result):
            time.sleep(0.15)
            super().save(context_id, result)

    @DecoratorCheckpoint(By(lambda context: context.arguments["x"]), Slow())
    def f(x):
        return x

    with pytest.warns(
        ExpensiveOverheadWarning, match=r"the checkpoint of .*\.f took 0\.\d\d s, and the function 0\.00 s"
    ) as told:
        f(1), f(2)
    assert len(told) == 1
    assert told[0].filename == __file__


# defaults


def test_defaults_are_the_settings_of_the_process(here, tmp_path):
    defaults["cache.filesystem.directory"] = "other_dir"
    assert here.cache_directory() == tmp_path / "other_dir"
    assert defaults["cache.filesystem.directory"] == str(tmp_path / "other_dir")
    defaults["checkpoint.on_error"] = "ignore"
    defaults["checkpoint.mode"] = "refresh"
    assert (here.on_error, here.mode) == ("ignore", "refresh")
    assert checkpoint(lambda: threading.Lock())().locked() is False  # and no warning
    del defaults["checkpoint.on_error"], defaults["checkpoint.mode"], defaults["cache.filesystem.directory"]
    assert (here.on_error, here.mode, here.cache_directory()) == ("warn", "on", tmp_path / "cache")


def test_a_checkpoint_s_own_on_error_comes_before_the_default():
    defaults["checkpoint.on_error"] = "raise"
    with pytest.warns(CheckpointFailedWarning):
        checkpoint(on_error="warn")(lambda: threading.Lock())()
    with pytest.raises(CannotKeep):
        checkpoint(lambda: threading.Lock())()


def test_defaults_know_the_keys_that_they_had(tmp_path):
    for key, value in {
        "cache.filesystem.directory": "d",
        "cache.pickle_protocol": pickle.DEFAULT_PROTOCOL,
        "hash.algorithm": "md5",
        "hash.pickle_protocol": 5,
        "checkpoint.on_error": "ignore",
    }.items():
        defaults[key] = value
        assert key in defaults
        assert defaults[key] in (value, str(tmp_path / "d"))
    assert set(defaults) >= {"cache.pickle_protocol", "hash.algorithm"}
    for key in defaults:
        del defaults[key]
    assert defaults["hash.algorithm"] == "blake3"


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("checkpoint.on_eror", "warn", "there is no setting 'checkpoint.on_eror': did you mean checkpoint.on_error"),
        ("checkpoint.on_error", "panic", "checkpoint.on_error is 'panic'; it must be one of warn, raise, ignore"),
        ("checkpoint.mode", "fast", "it must be one of on, off"),
        ("hash.algorithm", "md55", "'md55' is no hash algorithm"),
        ("cache.pickle_protocol", 99, "99 is no protocol of pickle"),
        ("checkpoint.cache", DictCache, "checkpoint.cache is the class DictCache"),
        ("checkpoint.identifier", "f", "checkpoint.identifier is 'f'"),
    ],
)
def test_a_setting_that_can_not_be_is_named(key, value, complaint):
    with pytest.raises(UsageError, match=complaint):
        defaults[key] = value


def test_an_unknown_setting_is_a_missing_key():
    with pytest.raises(KeyError, match=r"there are cache\.filesystem\.directory"):
        defaults["zzz"]
    assert defaults.get("zzz") is None


def test_a_cache_and_an_identifier_may_be_the_default():
    cache = DictCache()
    defaults["checkpoint.cache"] = cache
    defaults["checkpoint.identifier"] = ByName()

    @checkpoint
    def f():
        return 1

    @checkpoint(store="own")
    def g():
        return 2

    f(), g()
    assert cache.d == {"f": 1}
    assert PickleFileCache("own").retrieve("g") == 2
