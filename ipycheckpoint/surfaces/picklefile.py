"""`PickleFileCache`: our own cache behind the face that users write theirs with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipycheckpoint import tagging, workspace
from ipycheckpoint.cache.base import CacheBase
from ipycheckpoint.cache.cache import Draft, Found
from ipycheckpoint.cache.plugged import RESULT
from ipycheckpoint.errors import CheckpointFailedError, CheckpointNotExist
from ipycheckpoint.identity.identifier import check_protocol, work_of_id
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.identity.outline import preview
from ipycheckpoint.identity.work import tag_ingredients
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.record import Output

if TYPE_CHECKING:
    import os

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.identity.identity import Identity


class PickleFileCache(CacheBase[Any, Any]):
    """Results in `directory`, or the current cache: as records that are signed, so that no stranger's is unpickled.

    A ContextId is anything that has a stable identity. `pickle_protocol` is taken for code that was written for the
    package `checkpointing`, and changes nothing: records are pickled with protocol 5.

    >>> import tempfile
    >>> cache = PickleFileCache(tempfile.mkdtemp())
    >>> cache.save("a", {"answer": 42})
    >>> cache.retrieve("a")
    {'answer': 42}
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None, pickle_protocol: int | None = None) -> None:
        if pickle_protocol is not None:
            check_protocol(pickle_protocol)
        self.directory = directory

    @property
    def records(self) -> Cache:
        """The Cache that does the work."""
        return workspace.current().cache(self.directory)

    @property
    def does_as_made(self) -> bool:
        """Whether no subclass has other ideas of `save` and `retrieve`, so that the engine may use what is behind."""
        return all(getattr(type(self), name) is getattr(PickleFileCache, name) for name in ("save", "retrieve"))

    def save(self, context_id: object, result: object) -> None:
        """Keep `result`. Raises Unidentifiable, CannotKeep or StoreError."""
        values = {RESULT: result}
        sections = tuple(encode(values))
        self.records.save(Draft(_identity(context_id), (Output(RESULT, "result"),), values, sections, seconds=0.0))

    def retrieve(self, context_id: object) -> Any:
        """The result, the caller's own; CheckpointNotExist where there is none.

        Raises CheckpointFailedError for one that is damaged, or that the user didn't sign. The hexdigest that
        AutoFuncCallIdentifier gives leads to what a checkpointed function kept.
        """
        records = self.records
        for key in _keys(context_id):
            found = records.find(key)
            if found is None:
                continue
            if not isinstance(found, Found):
                raise CheckpointFailedError(found.reason)
            if [(output.name, output.role) for output in found.header.outputs] == [(RESULT, "result")]:
                loaded = records.load(found)
                if isinstance(loaded, LoadFailure):
                    raise CheckpointFailedError(str(loaded)) from loaded.exception
                return loaded[RESULT]
        raise CheckpointNotExist(f"there is no result under {context_id!r}")

    def forget(self, context_id: object) -> bool:
        """Forget the result; whether there was one."""
        return sum(self.records.forget(key) for key in _keys(context_id)) > 0

    def catalogue(self) -> list[str]:
        """The Key of each record of a function, which `retrieve` takes, too; newest first."""
        return [row.key for row in self.records.rows() if row.kind == "call"]


def _identity(context_id: object) -> Identity:
    tags = tag_ingredients(tagging.current_tags())
    return work_of_id("call", preview(context_id), "ContextId", context_id, tags, strictly=True).identity


def _keys(context_id: object) -> list[Key]:
    keys = [_identity(context_id).key]
    if isinstance(context_id, str) and len(context_id) == 64 and set(context_id) <= set("0123456789abcdef"):
        keys.append(Key(context_id))
    return keys
