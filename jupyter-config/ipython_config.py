"""Load ipycheckpoint in every kernel: opt in by adding this line to ``~/.ipython/profile_default/ipython_config.py``.

``ipython profile create`` writes that file if you don't have one yet.
"""

c.InteractiveShellApp.extensions = ["ipycheckpoint"]  # noqa: F821 - IPython provides `c`
