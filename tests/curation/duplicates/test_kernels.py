"""Compiled code is kept where a folder can be written, and works where none can."""

from typing import Any

import numpy as np
import pytest

from curation.duplicates import kernels


def test_without_a_folder_for_machine_code_it_is_compiled_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def njit(function: Any, **options: Any) -> Any:
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return function

    monkeypatch.setattr(kernels.numba, "njit", njit)
    assert kernels.compiled(len) is len
    assert [options.get("cache", False) for options in asked] == [True, False]
    assert all(options["nogil"] for options in asked)


def test_the_smallest_values_are_kept_once() -> None:
    smallest = np.full(3, kernels.NONE, dtype=np.uint64)
    for value in (5, 9, 5, 1, 7, 9, 3):
        kernels.insert_sorted(smallest, np.uint64(value))
    assert smallest.tolist() == [1, 3, 5]


def test_a_table_of_frequent_grams_knows_their_level() -> None:
    shorts, times = np.array([7, 15, 23], dtype=np.uint64), np.array([1, 8, 100])
    table = np.full(8, kernels.NONE, dtype=np.uint64)
    kernels.fill_frequent(table, shorts, times)
    assert [int(kernels.level_of(table, short << kernels.ROW_BITS)) for short in shorts] == [1, 4, 7]
    assert int(kernels.level_of(table, np.uint64(31) << kernels.ROW_BITS)) == 0
