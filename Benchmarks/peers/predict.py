"""A small prediction service, as quick as FastAPI goes: uvloop, httptools, no validation, inplace_predict on one thread.

    predict.py MODEL.ubj PORT

Takes the body that mlops takes, answers the predictions only, and writes nothing down.
"""

import json
import sys

import fastapi
import numpy
import uvicorn
import xgboost

booster = xgboost.Booster(model_file=sys.argv[1])
booster.set_param({"nthread": 1})
columns = booster.feature_names
app = fastapi.FastAPI()


@app.post("/v1/models/{name}:predict")
async def predict(request: fastapi.Request):
    instances = json.loads(await request.body())["instances"]
    rows = numpy.array([[instance[column] for column in columns] for instance in instances], dtype=numpy.float32)
    return fastapi.Response(json.dumps({"predictions": booster.inplace_predict(rows).tolist()}), media_type="application/json")


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), loop="uvloop", http="httptools", log_level="warning", access_log=False)
