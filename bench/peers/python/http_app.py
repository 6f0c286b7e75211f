"""A FastAPI application that takes the pixels as the body of a request."""
import numpy
from fastapi import FastAPI, Request

from crop import mean_of_crop

app = FastAPI()


@app.get("/")
async def ready():
    return {}


@app.post("/{height}/{width}")
async def inspect(request: Request, height: int, width: int):
    pixels = await request.body()
    return {"mean": mean_of_crop(numpy.frombuffer(pixels, numpy.uint8).reshape(height, width, 3))}
