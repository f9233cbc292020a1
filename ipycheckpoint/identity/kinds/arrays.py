"""NumPy: arrays by dtype, shape and the elements in C order, however they lie in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blake3 import blake3

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.identity.registry import qualified, shapes_of
from ipycheckpoint.identity.shapes import Refusal, Shape, named, text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 1 << 20  # elements; what is copied at a time where an array does not lie in C order
_PARALLEL_NBYTES = 1 << 20


@shapes_of("numpy.ndarray", subclasses=False)
def array_shape(array: NDArray[Any], kind: str = "numpy.ndarray") -> Shape:
    """The Shape of what an array holds; of an array with fields, one part for each."""
    dtype = array.dtype
    spec = _spec(dtype)
    head = (text(spec), text(array.shape))
    if dtype.names is not None:
        # Field by field, since the bytes between the fields are whatever was in memory.
        names = dtype.names
        return Shape(kind, head, [array[name] for name in names], lambda i: f"[{names[i]!r}]")
    if dtype.hasobject or dtype.kind == "T":
        shape = array.shape
        return Shape(kind, head, array.reshape(-1).tolist(), lambda i: _position(i, shape))
    return Shape(kind, (*head, content(array)))


@shapes_of("numpy.ndarray")
def _subclass(array: Any) -> Shape:
    import numpy as np

    attributes = getattr(array, "__dict__", {})
    if isinstance(array, np.memmap):
        attributes = {}  # where the file is does not count: what is in it does
    names = sorted(attributes)
    parts = [type(array), array.view(np.ndarray), *(attributes[name] for name in names)]
    return Shape("array subclass", tuple(map(text, names)), parts, named(".__class__", "", *(f".{n}" for n in names)))


@shapes_of("numpy.ma.MaskedArray")
def _masked(array: Any) -> Shape:
    import numpy as np

    # The fill value is worked out when first asked for, and kept: asking here would change the array.
    fill = np.ma.default_fill_value(array.dtype) if array._fill_value is None else array._fill_value
    parts = [type(array), array.data, np.ma.getmaskarray(array), np.asarray(fill, array.dtype), bool(array.hardmask)]
    return Shape("numpy.ma.MaskedArray", (), parts, named(".__class__", ".data", ".mask", ".fill_value", ".hardmask"))


@shapes_of("numpy.ma.core.MaskedConstant")
def _masked_constant(_: Any) -> Shape:
    return Shape("numpy.ma.masked")


@shapes_of("numpy.generic")
def _scalar(value: np.generic) -> Shape:
    import numpy as np

    kind = "numpy.scalar" if type(value).__module__.startswith("numpy") else qualified(type(value))
    return array_shape(np.asarray(value, value.dtype), kind)


@shapes_of("numpy.ufunc")
def _ufunc(value: np.ufunc) -> Shape | Refusal:
    import sys

    for name in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(name), value.__name__, None) is value:
            return Shape("ufunc", (text(name), text(value.__name__)))
    return Refusal("it is a ufunc that was made here, and does not say of what; pass the function itself")


@shapes_of("numpy.random.Generator")
def _generator(value: Any) -> Shape:
    return Shape("random generator", (), (type(value), value.bit_generator), named(".__class__", ".bit_generator"))


@shapes_of("numpy.random.BitGenerator")
def _bit_generator(value: Any) -> Shape:
    seeds = getattr(value, "seed_seq", None)  # what `spawn` goes by
    return Shape("bit generator", (), (type(value), value.state, seeds), named(".__class__", ".state", ".seed_seq"))


@shapes_of("numpy.random.RandomState")
def _random_state(value: Any) -> Shape:
    return Shape("random state", (), (type(value), value.get_state(legacy=False)), named(".__class__", ".get_state()"))


@shapes_of("numpy.random.SeedSequence")
def _seed_sequence(value: Any) -> Shape:
    return Shape("seed sequence", (), (type(value), value.state), named(".__class__", ".state"))


def content(array: NDArray[Any]) -> bytes:
    """The digest, 32 bytes, of the elements in C order. No object dtypes, no fields."""
    import numpy as np

    array = array.view(np.ndarray)
    if array.dtype.char in "gG" and np.finfo(np.longdouble).nmant == 63:
        # Numbers of 80 bits, in places of 96 or 128: the rest is whatever was in memory.
        places = np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(-1, np.dtype(np.longdouble).itemsize)
        array = np.ascontiguousarray(places[:, :10])
    if array.flags.c_contiguous:
        return bytes.fromhex(digest_bytes(_bytes(array)))
    hasher = blake3(max_threads=blake3.AUTO if array.nbytes >= _PARALLEL_NBYTES else 1)
    for block in _blocks(array):
        hasher.update(_bytes(block))
    return hasher.digest()


def _bytes(array: NDArray[Any]) -> memoryview:
    import numpy as np

    # Seen as numbers: datetimes have no buffer.
    return memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))  # type: ignore[arg-type] # it has a buffer


def _blocks(array: NDArray[Any]) -> Any:
    """Pieces of the array that give its elements in C order, of a bounded number of elements each."""
    if array.size <= _BLOCK or array.ndim == 0:
        yield array
    elif (row := array[0].size) > _BLOCK:
        for item in array:
            yield from _blocks(item)
    else:
        step = max(1, _BLOCK // max(row, 1))
        for start in range(0, len(array), step):
            yield array[start : start + step]


def _spec(dtype: np.dtype[Any]) -> object:
    """What a dtype means: names, kinds, sizes and byte order, but not where the fields lie in memory."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return (_spec(base), shape)
    if dtype.names is not None:
        fields: Any = dtype.fields
        return [(name, _spec(fields[name][0]), *fields[name][2:]) for name in dtype.names]
    if dtype.kind == "T":
        return ("StringDType", repr(getattr(dtype, "na_object", "no")), getattr(dtype, "coerce", True))
    if dtype.type.__module__.partition(".")[0] == "numpy":
        return dtype.str
    return f"{dtype.str} {qualified(dtype.type)}"  # one that a package has added, such as bfloat16


def _position(index: int, shape: tuple[int, ...]) -> str:
    import numpy as np

    return f"[{', '.join(str(i) for i in np.unravel_index(index, shape))}]" if shape else "[()]"
