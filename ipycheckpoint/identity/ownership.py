"""Whose is a piece of code? The user's is followed into; everyone else's is known by its name.

The user's code is what the user may edit between two runs: the notebook, the script, and modules that are
neither in the standard library nor in site-packages (so editable installs are the user's, too).
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from pathlib import PurePath

_PACKAGE = __name__.partition(".")[0]
_INSTALLED = {"site-packages", "dist-packages"}
_SHELLS_OWN = r"_+|_\d+|_i\d*|_ii|_iii|_ih|_oh|_dh|_exit_code|__\w+__|__vsc_ipynb_file__"


def is_users(module_name: str | None) -> bool:
    """Whether the code of the module called `module_name` is the user's.

    >>> is_users("json"), is_users("__main__")
    (False, True)
    """
    if module_name is None or module_name in ("__main__", "__mp_main__"):
        return True
    if module_name.partition(".")[0] == _PACKAGE:
        return False
    module = sys.modules.get(module_name)
    if module is None:
        # A class may name a public module that isn't loaded (`numpy.rec`): its package knows whose it is. What has no
        # package either was made on the fly.
        package = module_name.rpartition(".")[0]
        return is_users(package) if package else True
    spec = getattr(module, "__spec__", None)
    if getattr(spec, "origin", None) in ("built-in", "frozen"):
        return False
    file = getattr(module, "__file__", None)
    if file is None:
        # A namespace package holds no code of its own; a built-in has none that could be edited.
        return module_name not in sys.builtin_module_names
    return is_users_file(file)


@lru_cache(maxsize=4096)
def is_users_file(file: str) -> bool:
    """Whether the module in `file` is neither of the standard library nor installed."""
    path = PurePath(file)
    if _INSTALLED.intersection(path.parts):
        return False
    return not any(path.is_relative_to(root) for root in _standard_library())


@lru_cache(maxsize=1)
def _standard_library() -> tuple[str, ...]:
    if os.name != "posix" or sys.implementation.name != "cpython":
        import sysconfig

        paths = sysconfig.get_paths()
        return tuple({paths["stdlib"], paths["platstdlib"]})
    # The same: `sysconfig` reads all that Python was built with to tell, and that takes longer than all else here.
    name = f"python{sys.version_info.major}.{sys.version_info.minor}{'t' if 't' in sys.abiflags else ''}"
    prefixes = (sys.base_prefix, sys.exec_prefix)
    return tuple({os.path.join(os.path.normpath(prefix), sys.platlibdir, name) for prefix in prefixes})


def is_shells_own(name: str) -> bool:
    """Whether a shell keeps something of its own under `name`.

    >>> is_shells_own("_12"), is_shells_own("_private")
    (True, False)
    """
    return name in ("In", "Out") or (name.startswith("_") and re.fullmatch(_SHELLS_OWN, name) is not None)
