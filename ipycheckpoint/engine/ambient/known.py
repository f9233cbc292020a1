"""The aspects that are known from the start: of the process, of the standard library, and of a few others.

A library is recognised by its being loaded. It is never imported to be looked at.
"""

from __future__ import annotations

import os
import random
import sys
import warnings
from typing import TYPE_CHECKING, Any

from ipycheckpoint.engine.ambient.aspects import Entries, Generator, Settings, WorkingDirectory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ipycheckpoint.engine.ambient.aspects import Aspect


def known() -> list[Aspect]:
    """All of them, in the order in which a hit applies them."""
    return [
        Settings(
            "os.environ",
            "os",
            lambda: dict(os.environ),
            os.environ.update,
            r"\b(environ|putenv|unsetenv|env|set_env|setenv)\b",
            remove=_unset,
        ),
        WorkingDirectory(),
        Entries("sys.path", "sys", lambda: sys.path, _set_path, r"\bsys\.path\b|\baddsitedir\b"),
        Entries(
            "the filters of warnings",
            "warnings",
            lambda: warnings.filters,
            _set_filters,
            r"\b(filterwarnings|simplefilter|resetwarnings)\b",
        ),
        Settings(
            "matplotlib.rcParams",
            "matplotlib",
            _rc_params,
            _set_rc_params,
            rf"\b(rcParams|rc|{'|'.join(_STYLES)})\b",
            fresh=lambda: _plain_rc(sys.modules["matplotlib"].rcParamsOrig),
            sweeping=frozenset(_STYLES),
        ),
        Settings(
            "the options of numpy",
            "numpy",
            _numpy_options,
            _set_numpy_options,
            r"\b(set_printoptions|seterr)\b",
            fresh=lambda: dict(_NUMPY_DEFAULTS),
        ),
        Settings(
            "the options of pandas",
            "pandas._config.config",
            _pandas_options,
            _set_pandas_options,
            r"\b(options|set_option|reset_option|set_eng_float_format)\b",
            fresh=_pandas_defaults,
            sweeping=frozenset({"reset_option", "set_eng_float_format"}),
        ),
        Generator("random", "random", "Python", random.getstate, random.setstate, ("random.seed", "random.setstate")),
        Generator(
            "numpy.random",
            "numpy.random",
            "numpy",
            _numpy_state,
            _set_numpy_state,
            ("numpy.random.seed", "numpy.random.set_state", "numpy.random.mtrand.seed"),
            # One that its module has made has one number left; a seed leaves none, and a draw begins anew.
            is_fresh=lambda state: state["bit_generator"] == "MT19937" and state["state"]["pos"] == 623,
            fits=lambda now, state: bool(now["bit_generator"] == state["bit_generator"]),
        ),
        Generator(
            "torch",
            "torch",
            "torch",
            _torch_state,
            _set_torch_state,
            tuple(f"torch.{name}" for name in _TORCH_SEEDERS),
            is_fresh=_is_fresh_in_torch,
            fits=lambda now, state: state.keys() <= now.keys(),
        ),
    ]


def _unset(names: Iterable[str]) -> None:
    for name in names:
        os.environ.pop(name, None)


def _set_path(entries: list[Any]) -> None:
    sys.path[:] = entries


def _set_filters(entries: list[Any]) -> None:
    warnings.resetwarnings()  # what was warned of once under the old filters is warned of again under the new ones
    warnings.filters[:] = entries  # type: ignore[index]  # typeshed has it read-only


_STYLES = ("style", "theme", "set_theme", "set_style", "set_context", "rcdefaults", "rc_file", "seaborn")

_NOT_RC = ("backend", "backend_fallback")
"""What the front end settles."""


def _rc_params() -> dict[str, Any] | None:
    parameters = getattr(sys.modules["matplotlib"], "rcParams", None)
    return None if parameters is None else _plain_rc(parameters)


def _plain_rc(parameters: Any) -> dict[str, Any]:
    # Its own `items` would choose a backend, sort, and warn of what is deprecated.
    plain = {key: list(value) if type(value) is list else value for key, value in dict.items(parameters)}
    for key in _NOT_RC:
        plain.pop(key, None)
    return plain


def _set_rc_params(parameters: Mapping[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.modules["matplotlib"].rcParams.update(parameters)


_SETERR = "seterr."

_NUMPY_DEFAULTS = {
    "edgeitems": 3, "threshold": 1000, "floatmode": "maxprec", "precision": 8, "suppress": False, "linewidth": 75,
    "nanstr": "nan", "infstr": "inf", "sign": "-", "formatter": None, "legacy": False, "override_repr": None,
    "seterr.divide": "warn", "seterr.over": "warn", "seterr.under": "ignore", "seterr.invalid": "warn",
}  # fmt: skip
"""As numpy's reference has it for `set_printoptions` and `seterr`."""


def _numpy_options() -> dict[str, Any] | None:
    numpy = sys.modules["numpy"]
    if not hasattr(numpy, "get_printoptions"):  # it is being imported
        return None
    return {**numpy.get_printoptions(), **{_SETERR + kind: how for kind, how in numpy.geterr().items()}}


def _set_numpy_options(options: Mapping[str, Any]) -> None:
    numpy = sys.modules["numpy"]
    printed = {key: value for key, value in options.items() if not key.startswith(_SETERR)}
    if printed:
        # All of them at once: whatever else is set, a formatter that isn't given is reset.
        numpy.set_printoptions(**{**numpy.get_printoptions(), **printed})
    numpy.seterr(**{key.removeprefix(_SETERR): how for key, how in options.items() if key.startswith(_SETERR)})


def _pandas_options() -> dict[str, Any] | None:
    options = getattr(sys.modules["pandas._config.config"], "_global_config", None)
    return None if options is None else dict(_flat(options, ""))


def _pandas_defaults() -> dict[str, Any]:
    registered = getattr(sys.modules["pandas._config.config"], "_registered_options", {})
    return {key: option.defval for key, option in registered.items()}


def _flat(options: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in options.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _set_pandas_options(options: Mapping[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for key, value in options.items():
            sys.modules["pandas._config.config"].set_option(key, value)


def _numpy_state() -> dict[str, Any] | None:
    get_state = getattr(sys.modules["numpy.random"], "get_state", None)
    state: dict[str, Any] | None = None if get_state is None else get_state(legacy=False)
    return state


def _set_numpy_state(state: Mapping[str, Any]) -> None:
    sys.modules["numpy.random"].set_state(state)


_TORCH_SEEDERS = ("manual_seed", "seed", "set_rng_state", "random.manual_seed", "random.seed", "random.set_rng_state")


def _torch_state() -> dict[str, bytes] | None:
    torch = sys.modules["torch"]
    if not hasattr(torch, "cuda"):  # it is being imported
        return None
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        states |= {f"cuda:{number}": state for number, state in enumerate(torch.cuda.get_rng_state_all())}
    return {device: state.numpy().tobytes() for device, state in states.items()}


def _set_torch_state(states: Mapping[str, bytes]) -> None:
    torch = sys.modules["torch"]
    for device, state in states.items():
        tensor = torch.frombuffer(bytearray(state), dtype=torch.uint8)
        if device == "cpu":
            torch.set_rng_state(tensor)
        else:
            torch.cuda.set_rng_state(tensor, device)


def _is_fresh_in_torch(states: Mapping[str, bytes]) -> bool:
    """By the layout of its CPU generator: the seed, the numbers left, whether it is seeded, the next number.

    One that its module has made has a seed of 64 random bits, where people's seeds are small.
    """
    state = states["cpu"]
    seed, left, following = (int.from_bytes(state[i:j], sys.byteorder) for i, j in ((0, 8), (8, 12), (16, 24)))
    return left == 1 and following == 0 and seed >= 2**32
