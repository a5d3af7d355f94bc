"""Rows to predict and what XGBoost itself says of them.

    rows.py MODEL_DIRECTORY OUT      OUT/bodies.txt: a request a line; OUT/expected.json: XGBoost's answers, one call a row

Prints the microseconds of one single-row prediction: by `inplace_predict`, and by the C function under it with all arguments
prepared. Each is the median of 9 passes over 64 rows, which is how `train` times its own.
"""

import ctypes
import json
import pathlib
import statistics
import sys
import time

import numpy
import pyarrow.parquet
import xgboost

COUNT = 2000


def c_call(booster, row):
    """One prediction through XGBoost's C interface, as a function without arguments."""
    library = xgboost.core._LIB
    array = json.dumps(
        {"data": [row.ctypes.data, True], "shape": list(row.shape), "typestr": "<f4", "version": 3}).encode()
    settings = json.dumps({
        "type": 0, "training": False, "iteration_begin": 0, "iteration_end": 0, "strict_shape": False, "missing": float("nan"),
        "cache_id": 0}).encode()
    shape, dimension, result = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64(), ctypes.POINTER(ctypes.c_float)()
    references = ctypes.byref(shape), ctypes.byref(dimension), ctypes.byref(result)

    def call():
        library.XGBoosterPredictFromDense(booster.handle, array, settings, None, *references)
        return result[0]

    return call


def microseconds(calls):
    passes = []
    for _ in range(9):
        begun = time.perf_counter()
        for call in calls:
            call()
        passes.append((time.perf_counter() - begun) * 1e6 / len(calls))
    return statistics.median(passes)


def main():
    model, out = map(pathlib.Path, sys.argv[1:3])
    booster = xgboost.Booster(model_file=model / "model.ubj")
    booster.set_param({"nthread": 1})
    table = pyarrow.parquet.read_table(model / "reference.parquet")
    rows = table.select(booster.feature_names).slice(0, COUNT).to_pylist()
    singles = [numpy.array([list(row.values())], dtype=numpy.float32) for row in rows]
    expected = [float(booster.inplace_predict(single)[0]) for single in singles]
    calls = [c_call(booster, single) for single in singles[:64]]
    for call, value in zip(calls, expected):
        assert call() == value, "the C function says something else"
    with open(out / "bodies.txt", "w") as bodies:
        for row in rows:
            bodies.write(json.dumps({"instances": [row]}) + "\n")
    (out / "expected.json").write_text(json.dumps(expected))
    print(microseconds([lambda single=single: booster.inplace_predict(single) for single in singles[:64]]), microseconds(calls))


main()
