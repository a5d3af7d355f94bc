"""The smallest FastAPI service: GET /health on the given port."""

import sys

import fastapi
import uvicorn

app = fastapi.FastAPI()


@app.get("/health")
async def health():
    return "OK"


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
