"""joblib.Memory with memory maps: arrays come back private and writable, as ours do."""

from __future__ import annotations

from benchmarks.tools.joblib import listing
from benchmarks.tools.scripted import Scripted

TOOL = Scripted(
    "joblib",
    "from joblib import Memory\ndecorate = Memory(DIRECTORY, verbose=0, mmap_mode='c').cache",
    listing,
)
