"""What is known of protocols: packages, options that bound the time, and whose word counts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.store.protocols import is_refusal, resolved, spelled, status_of, unspelled

IDLE = 15.0


@pytest.mark.parametrize(
    ("url", "options", "configured", "found"),
    [
        ("sftp://host/x", {}, {}, ("sftp://host/x", {"timeout": IDLE})),
        ("sftp://host/x", {"timeout": 3}, {}, ("sftp://host/x", {"timeout": 3})),
        ("ssh://host/x", {}, {"sftp": {"timeout": 3}}, ("ssh://host/x", {})),
        ("webdav://h:81/x", {}, {},
         ("webdav://x", {"base_url": "http://h:81", "timeout": IDLE, "retry": False})),
        ("davs://a%40b:p@h/x/y", {}, {},
         ("webdav://x/y", {"base_url": "https://h", "auth": ("a@b", "p"), "timeout": IDLE, "retry": False})),
        ("webdav://x/y", {"base_url": "https://h/dav"}, {},
         ("webdav://x/y", {"base_url": "https://h/dav", "timeout": IDLE, "retry": False})),
        ("webdav://x/y", {}, {"webdav": {"base_url": "https://h", "retry": True}},
         ("webdav://x/y", {"timeout": IDLE})),
        ("gs://x", {"token": "t"}, {}, ("gs://x", {"token": "t"})),
    ],
)  # fmt: skip
def test_what_the_user_says_stands_and_the_rest_is_bounded(url, options, configured, found):
    assert resolved(url, options, configured) == found


@pytest.mark.parametrize("where", ["options", "configured"])
def test_settings_of_s3_that_the_user_has_made_are_kept(where):
    said = {"config_kwargs": {"read_timeout": 60, "signature_version": "s3v4"}}
    given = {"options": {}, "configured": {}} | {where: said if where == "options" else {"s3": said}}
    _, options = resolved("s3://team/x", given["options"], given["configured"])
    retries = {"total_max_attempts": 1, "mode": "standard"}
    assert options["config_kwargs"] == {"read_timeout": 60, "signature_version": "s3v4", "retries": retries}


class _HttpError(Exception):
    def __init__(self, **attributes: object) -> None:
        self.__dict__ |= attributes


@pytest.mark.parametrize("name", ["status_code", "status", "code"])
def test_a_status_is_found_wherever_a_library_puts_it(name):
    assert status_of(_HttpError(**{name: 503})) == 503
    assert status_of(_HttpError(response=_HttpError(**{name: 404}))) == 404
    assert status_of(_HttpError(**{name: "503"})) is None


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (PermissionError("no"), True),
        (_HttpError(status_code=403), True),
        (_HttpError(status_code=401), True),
        (OSError("Forbidden: https://storage.googleapis.com/x"), True),
        (_HttpError(status_code=503), False),
        (FileNotFoundError("x"), False),
        (TimeoutError(), False),
    ],
)
def test_a_refusal_is_told_from_a_failure_also_behind_another_exception(error, refused):
    assert is_refusal(error) == refused
    outer = RuntimeError("can't write")
    outer.__cause__ = error
    assert is_refusal(outer) == refused


@given(st.text())
def test_every_path_is_itself_again_when_it_comes_back(path):
    webdav = SimpleNamespace(protocol=("webdav", "dav"))
    assert "%" not in spelled(webdav, path)
    assert unspelled(webdav, spelled(webdav, path)) == path
    assert spelled(SimpleNamespace(protocol="s3"), path) == path
