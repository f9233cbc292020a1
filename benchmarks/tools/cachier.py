"""cachier, with a file for each call: with one file for all calls, each call would write all results anew."""

from __future__ import annotations

from benchmarks.tools.scripted import Scripted

TOOL = Scripted("cachier", "from cachier import cachier\ndecorate = cachier(cache_dir=DIRECTORY, separate_files=True)")
