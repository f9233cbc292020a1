from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ipycheckpoint.record.codec import encode
from tests.unit.record.conftest import through


def nbytes(values):
    return sum(len(s.stream) + sum(buffer.nbytes for buffer in s.buffers) for s in encode(values))


def frozen(array):
    array.flags.writeable = False
    return array


ARRAYS = {
    "scalar shape": np.array(5.0),
    "empty": np.zeros((0, 3)),
    "C": np.arange(6).reshape(2, 3),
    "F": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "strided": np.arange(10)[::-2],
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
    "read-only": frozen(np.arange(3)),
    "big endian": np.arange(3, dtype=">i4"),
    "time": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "text": np.array(["a", "bc"]),
    "structured": np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
    "masked": np.ma.array([1, 2], mask=[False, True]),
    "record": np.rec.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]),
    "object": np.array([None, [1], "x"], object),
    "object strided": np.array([None, [1], "x", 3], object)[::-2],
    "numpy scalar": np.float32(3),
    "half": np.array([1.5], "f2"),
    "complex": np.array([1j]),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_an_array_comes_back_with_type_dtype_shape_content_and_flags(array):
    back = through({"array": array})["array"]
    assert (type(back), back.dtype, back.shape) == (type(array), array.dtype, array.shape)
    assert repr(back) == repr(array)
    assert back.flags.writeable == array.flags.writeable
    assert back.flags.f_contiguous == array.flags.f_contiguous or not array.flags.forc


def test_a_large_array_is_not_in_the_stream_and_not_copied():
    array = np.zeros(100_000)
    [section] = encode({"array": array})
    assert len(section.stream) < 1000
    assert np.shares_memory(array, np.frombuffer(section.buffers[0], "u1"))


def test_a_lone_view_leaves_its_base_behind():
    assert nbytes({"view": np.zeros(1_000_000)[5:8]}) < 1000


def test_a_broadcast_array_takes_the_room_of_its_base():
    assert nbytes({"array": np.broadcast_to(np.arange(3), (1_000_000, 3))}) < 1000


VIEWS = {
    "slice": lambda a: a[1:3],
    "reversed": lambda a: a[::-1],
    "transposed": lambda a: a.T,
    "column": lambda a: a[:, 2],
    "flat": lambda a: a.reshape(-1),
    "bytes": lambda a: a.view("u1"),
    "window": lambda a: np.lib.stride_tricks.sliding_window_view(a, 2, axis=0),
    "read-only": lambda a: frozen(a[:]),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_and_its_base_share_memory_again(view):
    base = np.arange(20.0).reshape(4, 5)
    values = {"base": base, "view": view(base)}
    back = through(values)
    assert np.array_equal(back["base"], base)
    assert back["view"].strides == values["view"].strides
    back["base"][:] = -1.0
    base[:] = -1.0
    assert np.array_equal(back["view"], values["view"])


def test_two_views_that_overlap_share_memory_again_without_their_base():
    base = np.arange(1_000_000)
    values = {"one": base[10:20], "two": base[15:30]}
    back = through(values)
    back["one"][7] = -1
    assert back["two"][2] == -1
    assert nbytes(values) < 2000


def test_views_within_one_output_share_memory_again():
    base = np.arange(10)
    back = through({"pair": [base, base[2:4]]})["pair"]
    back[0][2] = -1
    assert back[1][0] == -1


def test_views_of_objects_share_memory_again():
    base = np.array([[1], None, "x", 3.0], object)
    back = through({"base": base, "odd": base[1::2]})
    back["base"][3] = "new"
    assert back["odd"].tolist() == [None, "new"]


def test_interleaved_columns_that_have_no_byte_in_common_are_kept_apart():
    base = np.zeros((1000, 1000))
    sections = encode({"one": base[:, 0], "two": base[:, 1]})
    assert [section.names for section in sections] == [("one",), ("two",)]
    assert nbytes({"one": base[:, 0], "two": base[:, 1]}) < 20_000


# pandas


def test_a_frame_comes_back_equal():
    frame = pd.DataFrame(
        {
            "i": [1, 2],
            "s": ["x", None],
            "c": pd.Categorical(["a", "b"]),
            "n": pd.array([1, None], "Int64"),
            "t": pd.to_datetime(["2020", "2021"]).tz_localize("UTC"),
        }
    ).set_index("t")
    frame.attrs["unit"] = "m"
    back = through({"frame": frame})["frame"]
    pd.testing.assert_frame_equal(back, frame)
    assert back.attrs == frame.attrs


def test_writing_to_one_frame_never_shows_in_another_that_was_made_from_it():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    back = through({"frame": frame, "renamed": frame.rename(columns={"a": "z"}), "array": frame["a"].to_numpy()})
    back["renamed"].iloc[0, 0] = 99.0
    assert back["frame"].iloc[0, 0] == 1.0
    assert back["array"][0] == 1.0


# torch, where it is

try:
    import torch
except ImportError:
    pass
else:

    def test_tensors_arrays_and_views_of_one_memory_share_it_again():
        tensor = torch.arange(12.0).reshape(3, 4)
        back = through({"tensor": tensor, "row": tensor[1], "array": tensor.numpy()})
        back["tensor"][1, 1] = 77.0
        assert back["row"][1] == 77.0
        assert back["array"][1, 1] == 77.0

    def test_a_small_part_of_a_tensor_leaves_the_rest_behind_and_is_out_of_band():
        assert nbytes({"part": torch.zeros(1_000_000)[:3]}) < 1000
        [section] = encode({"tensor": torch.zeros(100_000)})
        assert len(section.stream) < 1000

    def test_a_module_comes_back_with_parameters_gradients_and_tied_weights():
        linear = torch.nn.Linear(3, 2)
        linear(torch.ones(1, 3)).sum().backward()
        tied = torch.nn.Sequential(linear, linear)
        back = through({"tied": tied})["tied"]
        assert back[0] is back[1]
        assert type(back[0].weight) is torch.nn.Parameter
        assert torch.equal(back[0].weight, linear.weight)
        assert torch.equal(back[0].weight.grad, linear.weight.grad)

    @pytest.mark.parametrize(
        "tensor",
        [
            torch.ones(3, dtype=torch.bfloat16),
            torch.tensor([True, False]),
            torch.empty(0),
            torch.tensor(3.5),
            torch.ones(2, requires_grad=True),
            torch.ones(2, 3).T,
            torch.tensor([1 + 2j]).conj(),
            torch.eye(2).to_sparse(),
        ],
        ids=str,
    )
    def test_a_tensor_comes_back_with_dtype_shape_content_and_gradient_flag(tensor):
        back = through({"tensor": tensor})["tensor"]
        assert (back.dtype, back.shape, back.requires_grad) == (tensor.dtype, tensor.shape, tensor.requires_grad)
        assert back.layout == tensor.layout
        assert torch.equal(back.to_dense(), tensor.to_dense())
