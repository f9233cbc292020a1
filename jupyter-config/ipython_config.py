"""Load ipycheckpoint in every kernel of a profile: opt in by adding these lines to its ``ipython_config.py``.

``ipython profile create`` writes ``~/.ipython/profile_default/ipython_config.py`` if you don't have one yet.
"""

c = get_config()  # noqa: F821 - IPython provides it

c.InteractiveShellApp.extensions.append("ipycheckpoint")

# Settings, each with what it is without such a line. `%config Checkpoint` shows them in a notebook.

# Where results live; empty: `.ipycheckpoint` beside the notebook.
c.Checkpoint.directory = ""

# "on", "off", "read" (restore, keep nothing new) or "refresh" (run, keep anew); empty: IPYCHECKPOINT_MODE, else "on".
c.Checkpoint.mode = ""

# No line under the cells.
c.Checkpoint.quiet = False

# The URL of a store that others share, such as "s3://team/cache"; empty: none.
c.Checkpoint.store = ""

# What a cache is pruned to after a save, such as "5GB"; empty: no limit.
c.Checkpoint.max_bytes = ""

# Secrets of others whose results are trusted: files or folders, as in a PATH.
c.Checkpoint.accept = ""
