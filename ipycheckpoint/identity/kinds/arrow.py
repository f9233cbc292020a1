"""Arrow: by logical content. Chunks, slices, and what lies under nulls do not count."""

from __future__ import annotations

from typing import Any

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.identity.registry import shapes_of
from ipycheckpoint.identity.shapes import Shape, named, positions, text


@shapes_of("pyarrow.lib.Table", "pyarrow.lib.RecordBatch")
def _table(table: Any) -> Shape:
    names = table.schema.names
    parts = [table.schema, table.num_rows, *table.columns]
    fixed = (".schema", ".num_rows")
    return Shape(
        type(table).__name__, (), parts, lambda i: fixed[i] if i < len(fixed) else f"[{names[i - len(fixed)]!r}]"
    )


@shapes_of("pyarrow.lib.Schema", "pyarrow.lib.Field", "pyarrow.lib.DataType")
def _schema(value: Any) -> Shape:
    import pyarrow as pa

    if isinstance(value, pa.DataType):
        value = pa.field("", value)
        kind = "DataType"
    else:
        kind = type(value).__name__
    schema = value if isinstance(value, pa.Schema) else pa.schema([value])
    return Shape(f"pyarrow.{kind}", (schema.serialize(),))


@shapes_of("pyarrow.lib.ChunkedArray")
def _chunked(array: Any) -> Shape:
    import pyarrow as pa

    whole = _one(array)
    if isinstance(whole, pa.ChunkedArray):
        # More text than the offsets of one chunk can count: how it is cut up counts then.
        return Shape("pyarrow chunks", (text(array.type),), whole.chunks, positions)
    return Shape("pyarrow.ChunkedArray", (text(array.type),), (whole,), named(""))


@shapes_of("pyarrow.lib.Array")
def _array(array: Any) -> Shape:
    kind, head = "pyarrow.Array", (text(array.type), text(len(array)))
    valid = _bits(array.is_valid()) if array.null_count else b""
    return _values(kind, (*head, valid), array.drop_null() if array.null_count else array)


@shapes_of("pyarrow.lib.Scalar")
def _scalar(value: Any) -> Shape:
    import pyarrow as pa

    return Shape("pyarrow.Scalar", (text(value.type),), (pa.array([value], type=value.type),), named(""))


def _values(kind: str, head: tuple[bytes, ...], array: Any) -> Shape:
    """The Shape of an array in which nothing is null."""
    import pyarrow as pa

    types, arrow_type = pa.types, array.type
    if types.is_null(arrow_type):
        return Shape(kind, head)
    if isinstance(array, pa.ExtensionArray):
        return Shape(kind, head, (array.storage,), named(".storage"))
    if types.is_dictionary(arrow_type):
        # Arrow itself holds two arrays to be equal only if their dictionaries are.
        return Shape(kind, head, (array.indices, array.dictionary), named(".indices", ".dictionary"))
    if types.is_boolean(arrow_type):
        return Shape(kind, (*head, _bits(array)))
    if types.is_struct(arrow_type):
        names = [arrow_type.field(i).name for i in range(arrow_type.num_fields)]
        return Shape(kind, head, array.flatten(), lambda i: f"[{names[i]!r}]")
    if types.is_list(arrow_type) or types.is_large_list(arrow_type):
        return Shape(kind, head, (array.value_lengths(), array.flatten()), named("", "[*]"))
    if types.is_fixed_size_list(arrow_type):
        return Shape(kind, head, (array.flatten(),), named("[*]"))
    if types.is_string(arrow_type) or types.is_binary(arrow_type):
        return Shape(kind, (*head, *_texts(array, 4)))
    if types.is_large_string(arrow_type) or types.is_large_binary(arrow_type):
        return Shape(kind, (*head, *_texts(array, 8)))
    if _has_width(arrow_type):
        width = arrow_type.bit_width // 8  # `byte_width` is younger
        buffer = array.buffers()[1]
        start = array.offset * width
        view = memoryview(buffer)[start : start + len(array) * width] if buffer is not None else memoryview(b"")
        return Shape(kind, (*head, bytes.fromhex(digest_bytes(view))))
    return Shape(kind, head, array.to_pylist(), positions)


def _has_width(arrow_type: Any) -> bool:
    try:
        return int(arrow_type.bit_width) % 8 == 0 and arrow_type.num_buffers == 2 and arrow_type.num_fields == 0
    except ValueError:
        return False


def _texts(array: Any, width: int) -> tuple[bytes, bytes]:
    """The lengths and the bytes of texts, whatever comes before and after them in the buffers."""
    import numpy as np

    _, places, characters = array.buffers()
    if not len(array) or places is None:
        return b"", b""
    offsets = np.frombuffer(places, f"<i{width}")[array.offset : array.offset + len(array) + 1]
    view = memoryview(characters)[offsets[0] : offsets[-1]] if characters is not None else memoryview(b"")
    return bytes.fromhex(digest_bytes(offsets - offsets[0])), bytes.fromhex(digest_bytes(view))


def _bits(array: Any) -> bytes:
    import numpy as np

    return bytes.fromhex(digest_bytes(np.packbits(array.to_numpy(zero_copy_only=False)).tobytes()))


def _one(array: Any) -> Any:
    """All chunks in one."""
    import pyarrow as pa

    if array.num_chunks == 1:
        return array.chunk(0)
    if pa.types.is_dictionary(array.type):
        array = array.unify_dictionaries()
    return array.combine_chunks() if array.num_chunks else pa.array([], array.type)
