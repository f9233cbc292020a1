"""``%checkpoint`` says the same words as the command line, about the cache of the kernel."""

from __future__ import annotations

import json

import pytest
from IPython.core.error import UsageError
from traitlets import TraitError

from ipycheckpoint import workspace
from ipycheckpoint.surfaces import magic
from tests.unit.surfaces.test_magic import shell  # noqa: F401 - a fixture


@pytest.fixture
def loaded(shell):  # noqa: F811 - the same
    magic.load(shell)
    shell.run_cell("%%checkpoint --quiet one\nx = 1")
    return shell


def test_records_are_listed_as_in_a_shell(loaded, capsys):
    loaded.run_line_magic("checkpoint", "ls --json")
    told = json.loads(capsys.readouterr().out)
    assert [record["label"] for record in told["records"]] == ["one"]


def test_a_word_that_is_no_command_is_told_which_there_are(loaded):
    with pytest.raises(UsageError, match="prune"):
        loaded.run_line_magic("checkpoint", "prun")


def test_a_wrong_option_is_told_in_one_line(loaded):
    with pytest.raises(UsageError, match=r"%checkpoint prune: .*5XB.* is no size"):
        loaded.run_line_magic("checkpoint", "prune --max-size 5XB")


def test_help_of_a_command_is_shown(loaded, capsys):
    loaded.run_line_magic("checkpoint", "prune --help")
    assert "--older-than" in capsys.readouterr().out


def test_why_of_another_kernels_run_is_told_from_its_record(loaded, capsys):
    with workspace.using(workspace.Workspace({})) as here:
        here.directory = loaded.config.Checkpoint.directory
        loaded.run_line_magic("checkpoint", "why one")
        here.close()
    assert "nothing was kept under this label yet" in capsys.readouterr().out


def test_a_cache_of_the_users_own_is_listed_and_looks_after_itself(loaded, capsys):
    from ipycheckpoint.cache.lru import InMemoryLRUCache

    workspace.current().plugged = InMemoryLRUCache()
    loaded.run_line_magic("checkpoint", "ls --json")
    assert json.loads(capsys.readouterr().out)["records"] == []
    with pytest.raises(UsageError, match="looks after itself"):
        loaded.run_line_magic("checkpoint", "prune")


def test_a_setting_of_size_limits_the_caches_that_are_open(loaded):
    cache = workspace.current().cache()
    loaded.run_line_magic("config", "Checkpoint.max_bytes = '2MB'")
    assert cache.max_bytes == 2_000_000
    loaded.run_line_magic("config", "Checkpoint.max_bytes = ''")
    assert cache.max_bytes is None


def test_a_size_that_is_none_is_refused_and_changes_nothing(loaded):
    settings = next(each for each in loaded.configurables if isinstance(each, magic.Checkpoint))
    with pytest.raises(TraitError, match="is no size"):
        settings.max_bytes = "much"
    assert settings.max_bytes == ""


def test_secrets_are_accepted_by_a_setting(loaded, tmp_path):
    from ipycheckpoint.record.trust import Keyring

    team = Keyring(tmp_path / "team")
    signature = team.sign(b"header")
    ring = workspace.current().cache().keyring
    assert not ring.verify(b"header", signature)
    loaded.run_line_magic("config", f"Checkpoint.accept = '{tmp_path / 'team'}'")
    assert ring.verify(b"header", signature)
