"""What each command finds and does, what it says, and what it ends with."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ipycheckpoint.cache.cache import Cache, Found
from ipycheckpoint.cache.prune import prune
from ipycheckpoint.surfaces.cli import COMMANDS, main, parser
from ipycheckpoint.surfaces.commands.answer import FAILED, GOOD, MISUSED, Answer
from ipycheckpoint.surfaces.commands.completion import SHELLS, script_for
from tests.contracts.cache_contract import draft, identity

ROOT = Path(__file__).parents[4]
ANSWERING = [command.name for command in COMMANDS if command.name != "rescue"]


def spoken(each):
    """How a case is called."""
    return " ".join(each) if isinstance(each, list) else str(each)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A cache with three versions of `train` and one of `load`, where the commands look for it."""
    monkeypatch.setenv("IPYCHECKPOINT_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("IPYCHECKPOINT_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    cache = Cache.at(tmp_path / "cache")
    for number in range(3):
        of = identity(f"v{number}", label="train")
        cache.save(draft(of, np.full(20_000, float(number)), seconds=number + 1.0, tags=(("run", str(number)),)))
    cache.save(draft(identity("x", label="load"), "text"))
    cache.close()
    return tmp_path / "cache"


@pytest.fixture
def run(place, capsys):
    """Runs a command; what it ends with, what it printed, what it complained."""

    def run(*arguments):
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def ask(run):
    """The JSON of a command that ends well."""

    def ask(*arguments):
        code, out, err = run(*arguments, "--json")
        assert code == GOOD, err
        return json.loads(out)

    return ask


def labels(place):
    cache = Cache.at(place)
    found = [row.label for row in cache.rows()]
    cache.close()
    return sorted(found)


def key_of(place, label):
    cache = Cache.at(place)
    key = cache.catalogue.keys_of(label)[0]
    cache.close()
    return key


CALLS = {
    "ls": [],
    "show": ["load"],
    "why": ["train"],
    "verify": [],
    "prune": ["--dry-run"],
    "forget": ["load"],
    "pin": ["load"],
    "unpin": ["load"],
    "trust": ["load", "--yes"],
    "untrust": ["load", "--yes"],
    "export": ["load", "--output", "out.ckpts"],
    "import": ["in.ckpts"],
    "upgrade": ["."],
    "panel": ["--html", "page.html"],
    "where": [],
    "completion": ["bash"],
}


@pytest.mark.parametrize("name", ANSWERING)
def test_each_command_answers_in_words_and_in_json(run, name):
    run("export", "--all", "--output", "in.ckpts")
    code, words, _ = run(name, *CALLS[name])
    assert code == GOOD
    assert words.strip()
    code, told, _ = run(name, *[each.replace("load", "train") for each in CALLS[name]], "--json")
    assert code == GOOD
    assert json.loads(told) is not None


def test_ls_lists_the_last_used_first(ask):
    told = ask("ls")
    assert [record["label"] for record in told["records"]] == ["load", "train", "train", "train"]
    assert told["totals"]["records"] == 4


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train"], 3),
        (["tr*"], 3),
        (["train", "load"], 4),
        (["--tag", "run=1"], 1),
        (["train", "--tag", "run=1"], 1),
        (["--kind", "call"], 4),
        (["--status", "kept"], 4),
        (["--search", "oad"], 1),
        (["--limit", "2"], 2),
    ],
    ids=spoken,
)
def test_ls_lists_what_is_picked(ask, arguments, expected):
    assert len(ask("ls", *arguments)["records"]) == expected


def test_a_record_is_picked_by_the_first_digits_of_its_key(ask, place):
    key = key_of(place, "load")
    assert [record["key"] for record in ask("ls", key[:8])["records"]] == [key]


def test_ls_sorts(ask):
    seconds = [record["seconds"] for record in ask("ls", "train", "--sort", "seconds", "--reverse")["records"]]
    assert seconds == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("name", ["ls", "show", "why", "forget", "pin", "unpin", "trust", "untrust", "export"])
def test_what_fits_nothing_ends_with_1_and_tells_what_is_near(run, name):
    code, out, _ = run(name, "trian")
    assert code == FAILED
    assert "did you mean train?" in out


def test_a_function_of_a_module_is_told_of_by_its_bare_name(run, place):
    cache = Cache.at(place)
    cache.save(draft(identity("y", label="models.fit"), "text"))
    cache.close()
    assert "did you mean models.fit?" in run("show", "fit")[1]


@pytest.mark.parametrize("name", ["show", "why", "forget", "pin", "unpin", "trust", "untrust", "export"])
def test_what_names_nothing_is_misuse(run, name):
    code, _, err = run(name)
    assert code == MISUSED
    assert "which ones?" in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["prune", "--max-size", "5XB"], "'5XB' is no size"),
        (["prune", "--older-than", "soon"], "'soon' is no duration"),
        (["prune", "--keep-versions", "0"], "'0' is no number of versions"),
        (["ls", "--tag", "run"], "a tag is written as name=value"),
        (["ls", "--sort", "beauty"], "invalid choice"),
        (["import", "none.ckpts"], "there is no such file"),
        (["import"], "required"),
        (["completion", "csh"], "invalid choice"),
    ],
    ids=spoken,
)
def test_a_wrong_call_ends_with_2_and_says_what_is_wrong(run, arguments, complaint):
    code, _, err = run(*arguments)
    assert code == MISUSED
    assert complaint in err


def test_an_empty_place_is_told_as_such_and_stays_empty(run, tmp_path):
    code, out, _ = run("ls", "--cache", str(tmp_path / "none"))
    assert code == GOOD
    assert "Nothing is kept" in out
    assert run("verify", "--cache", str(tmp_path / "none"))[0] == GOOD
    assert not (tmp_path / "none").exists()


def test_show_tells_all_that_is_known_of_the_newest_version(run, ask):
    [details] = ask("show", "train")
    assert details["label"] == "train"
    code, out, _ = run("show", "train")
    assert code == GOOD
    assert "float64[20000]" in out
    assert "Tags: run=2" in out
    assert len(ask("show", "train", "--versions")) == 3


def test_show_gives_programs_what_ls_gives_with_the_header_and_the_environment(ask):
    [details] = ask("show", "train")
    [row] = [row for row in ask("ls")["records"] if row["key"] == details["key"]]
    assert row.items() <= details.items()
    assert details["header"]["created"] == row["created"]
    assert details["environment"]["python"] == platform.python_version()


def test_why_tells_what_changed_since_the_version_before(ask):
    [explained] = ask("why", "train")
    assert [change["what"] for change in explained["changes"]] == ["argument `v2` is new", "argument `v1` is gone"]
    assert explained["obstacles"] == []


def test_why_tells_what_is_in_the_way_of_a_hit(run, ask, place):
    cache = Cache.at(place)
    cache.save(replace(draft(identity("old", label="old"), 1), expires_seconds=-1.0))
    cache.close()
    [explained] = ask("why", "old")
    assert "expired" in explained["obstacles"][0]
    assert "would be no hit now: it expired" in run("why", "old")[1]


def test_prune_removes_what_it_says(ask, place, monkeypatch):
    monkeypatch.setitem(prune.__kwdefaults__, "young_seconds", -1.0)
    told = ask("prune", "--keep-versions", "1", "--dry-run")
    assert len(told["removed"]) == 2
    assert len(labels(place)) == 4
    assert ask("prune", "--keep-versions", "1")["removed"] == told["removed"]
    assert labels(place) == ["load", "train"]


def test_prune_tells_why_nothing_goes(run):
    code, out, _ = run("prune", "--max-size", "1kB")
    assert code == GOOD
    assert "4 in use" in out


def test_verify_ends_with_1_while_anything_is_wrong(run, place):
    cache = Cache.at(place)
    name = f"records/{cache.catalogue.keys_of('load')[0]}"
    content = bytearray(cache.store.get(name).view)
    content[-1] ^= 1
    cache.store.put(name, [content])
    cache.close()
    assert run("verify")[0] == FAILED
    code, out, _ = run("verify", "--fix")
    assert code == GOOD
    assert "moved aside" in out
    assert run("verify")[0] == GOOD
    assert labels(place) == ["train"] * 3


def test_forget_of_a_label_needs_no_word_more(run, place):
    assert run("forget", "train")[1] == "forgot 3 records of train\n"
    assert labels(place) == ["load"]


def test_forget_of_a_key_needs_no_word_more(run, place):
    assert run("forget", key_of(place, "train")[:10])[0] == GOOD
    assert labels(place) == ["load", "train", "train"]


@pytest.mark.parametrize("arguments", [["--all"], ["t*"], ["--tag", "run=1"]], ids=spoken)
def test_forget_of_what_matches_something_asks_first(run, place, arguments):
    code, _, err = run("forget", *arguments)
    assert code == MISUSED
    assert "--yes" in err
    assert len(labels(place)) == 4
    assert run("forget", *arguments, "--yes")[0] == GOOD
    assert len(labels(place)) < 4


def test_who_says_no_keeps_all(run, place, monkeypatch):
    monkeypatch.setattr("ipycheckpoint.surfaces.cli._is_terminal", lambda: True)
    monkeypatch.setattr("ipycheckpoint.surfaces.cli._ask", lambda question: False)
    code, out, _ = run("forget", "--all")
    assert code == FAILED
    assert "nothing was forgotten" in out
    assert len(labels(place)) == 4


def test_a_pin_is_seen_and_taken_back(ask):
    ask("pin", "load")
    assert [record["label"] for record in ask("ls")["records"] if record["pinned"]] == ["load"]
    ask("unpin", "load")
    assert not any(record["pinned"] for record in ask("ls")["records"])


def test_what_is_not_trusted_is_not_loaded_until_it_is_again(ask, place):
    key = key_of(place, "load")
    ask("untrust", "load", "--yes")
    assert [record["label"] for record in ask("ls", "--status", "untrusted")["records"]] == ["load"]
    assert not isinstance(Cache.at(place).find(key), Found)
    assert ask("trust", "--status", "untrusted", "--yes")["trusted"] == [key]
    assert isinstance(Cache.at(place).find(key), Found)


def test_before_trusting_it_is_told_what_that_means_and_what_is_in_there(run):
    run("untrust", "train", "--yes")
    code, _, err = run("trust", "--all")
    assert code == MISUSED
    assert "3 records" in err
    assert "numpy.ndarray" in err
    assert "runs what whoever made them wrote" in err


def test_a_damaged_record_is_not_trusted(run, place):
    run("untrust", "load", "--yes")
    cache = Cache.at(place)
    name = f"records/{cache.catalogue.keys_of('load')[0]}"
    content = bytearray(cache.store.get(name).view)
    content[-1] ^= 1
    cache.store.put(name, [content])
    cache.close()
    code, out, _ = run("trust", "load", "--yes")
    assert code == FAILED
    assert "damaged" in out


def test_after_a_rotation_what_was_kept_before_is_still_a_hit(ask, place, tmp_path):
    before = (tmp_path / "secret").read_bytes()
    ask("trust", "--rotate")
    assert (tmp_path / "secret").read_bytes() != before
    assert isinstance(Cache.at(place).find(key_of(place, "load")), Found)
    assert ask("ls")["totals"]["untrusted"] == 0


def test_what_is_exported_is_imported_elsewhere(ask, tmp_path):
    ask("export", "train", "--output", "train.ckpts")
    told = ask("import", "train.ckpts", "--cache", "elsewhere")
    assert len(told["imported"]) == 3
    assert labels(tmp_path / "elsewhere") == ["train"] * 3


def test_who_imports_from_a_stranger_is_told_that_nothing_is_loaded(run, tmp_path, monkeypatch):
    run("export", "--all", "--output", "all.ckpts")
    monkeypatch.setenv("IPYCHECKPOINT_SECRET_FILE", str(tmp_path / "another"))
    code, out, _ = run("import", "all.ckpts", "--cache", "elsewhere")
    assert code == GOOD
    assert "ipycheckpoint trust --status untrusted" in out


def test_the_panel_is_written_with_all_records(run, place, tmp_path):
    cache = Cache.at(place)
    for number in range(60):
        cache.save(draft(identity(f"n{number}", label=f"<b>{number}"), number))
    cache.close()
    assert run("panel", "--html", "page.html")[0] == GOOD
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<tr>") == 65
    assert "&lt;b&gt;7" in page
    assert "<b>7" not in page


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        ([], {}, ".ipycheckpoint"),
        (["plans/model.ipynb"], {}, "plans/.ipycheckpoint"),
        ([], {"IPYCHECKPOINT_DIR": "results"}, "results"),
        (["--cache", "mine"], {"IPYCHECKPOINT_DIR": "results"}, "mine"),
    ],
    ids=["here", "notebook", "environment", "option"],
)
def test_where_tells_the_place_and_the_reason(ask, tmp_path, monkeypatch, arguments, environ, expected):
    monkeypatch.delenv("IPYCHECKPOINT_DIR")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    told = ask("where", *arguments)
    assert told["directory"] == str(tmp_path / expected)
    assert told["reason"]


def test_what_a_terminal_would_take_for_a_command_is_shown_as_text(run, place):
    cache = Cache.at(place)
    cache.save(draft(identity("bad", label="\x1b[2J\x07\nevil"), 1))
    cache.close()
    for command in (["ls"], ["show", "--all"], ["why", "--all"], ["panel"]):
        assert "\x1b" not in run(*command)[1]


@pytest.mark.parametrize("command", ["ls", "show", "panel"])
def test_a_terminal_that_has_no_such_letters_gets_others(place, command):
    cache = Cache.at(place)
    cache.save(draft(identity("odd", label="naïve \udcff ✓"), 1))
    cache.close()
    for more in ([], ["--json"]):
        arguments = [command, *(["--all"] if command == "show" else []), *more]
        done = subprocess.run(
            [sys.executable, "-m", "ipycheckpoint", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
            capture_output=True,
        )
        assert (done.returncode, done.stderr) == (GOOD, b"")


def test_a_number_that_json_has_not_is_null():
    assert json.loads(Answer({"seconds": [float("nan"), 1.5, float("inf")]}).to_json()) == {
        "seconds": [None, 1.5, None]
    }


def test_tables_are_drawn_by_rich_in_a_terminal_and_markup_is_text(place, capsys, monkeypatch):
    pytest.importorskip("rich")
    cache = Cache.at(place)
    cache.save(draft(identity("m", label="[red]m[/red]"), 1))
    cache.close()
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(["ls"]) == GOOD
    out = capsys.readouterr().out
    assert "[red]m[/red]" in out
    assert "───" in out


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_option_is_in_the_completion(shell):
    script = script_for(shell, parser())
    for command in COMMANDS:
        assert command.name in script
    for option in ("older-than", "max-size", "keep-environment", "status"):
        assert option in script


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ipycheckpoint", "pr"], ["prune"]),
        (["ipycheckpoint", "prune", "--o"], ["--older-than"]),
        (["ipycheckpoint", "ls", "--status", "un"], ["untrusted"]),
        (["ipycheckpoint", "completion", "z"], ["zsh"]),
    ],
    ids=spoken,
)
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes(words, expected):
    program = (
        f"{script_for('bash', parser())}\nCOMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}\n"
        '_ipycheckpoint; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_read_the_script(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    (tmp_path / "script").write_text(script_for(shell, parser()), encoding="utf-8")
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


class TestProcess:
    """As a shell sees it."""

    def call(self, *arguments, **environ):
        command = [sys.executable, "-m", "ipycheckpoint", *arguments]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
        return subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", env=environ, stdin=subprocess.DEVNULL
        )

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (["ls"], GOOD),
            (["ls", "nothing-such"], FAILED),
            (["prune", "--max-size", "5XB"], MISUSED),
            (["forget", "--all"], MISUSED),
            (["no-such-command"], MISUSED),
            ([], MISUSED),
        ],
        ids=spoken,
    )
    def test_it_ends_with_what_the_command_says(self, place, arguments, code):
        done = self.call(*arguments)
        assert done.returncode == code
        assert "Traceback" not in done.stderr
        assert done.stderr == "" if code != MISUSED else done.stderr

    def test_json_is_all_that_is_written(self, place):
        done = self.call("ls", "--json", PYTHONHASHSEED="7")
        assert len(json.loads(done.stdout)["records"]) == 4
        assert done.stderr == ""

    def test_a_reader_who_has_seen_enough_is_no_error(self, place):
        command = f"{sys.executable} -m ipycheckpoint show --all | head -n 1"
        done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == GOOD
        assert done.stderr == ""

    def test_a_query_loads_no_notebook_and_no_optional_library(self, place):
        program = (
            "import sys; from ipycheckpoint.surfaces.cli import main; main(['ls', '--json'])\n"
            "print(sorted(sys.modules), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        loaded = set(eval(done.stderr))
        unwanted = {"IPython", "numpy", "pandas", "dill", "traitlets", "ipywidgets", "anywidget", "rich", "asyncio"}
        assert loaded & unwanted == set()
        assert not any(name.startswith("ipycheckpoint.engine") for name in loaded)

    def test_a_cache_on_a_network_is_looked_at_as_such(self, place):
        done = self.call("pin", "load", "--cache", str(place.parent / "none"), IPYCHECKPOINT_NETWORK="on")
        assert done.returncode == FAILED
        done = self.call("ls", IPYCHECKPOINT_NETWORK="perhaps")
        assert done.returncode == MISUSED
        assert "IPYCHECKPOINT_NETWORK" in done.stderr
