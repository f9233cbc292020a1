"""checkpointing, with its own identifier and cache."""

from __future__ import annotations

from benchmarks.tools.scripted import Scripted

TOOL = Scripted("checkpointing", "from checkpointing import checkpoint\ndecorate = checkpoint(DIRECTORY)")
