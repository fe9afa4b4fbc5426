"""Serves Octo by OpenVLA's REST protocol, in Octo's own environment (docs/policies/octo.md): python
serve_octo.py MODEL [PORT]"""

import base64
import json
import sys
import zlib
from http.server import BaseHTTPRequestHandler, HTTPServer

import jax
import numpy as np
from octo.model.octo_model import OctoModel

MODEL = OctoModel.load_pretrained(sys.argv[1])
STATISTICS = MODEL.dataset_statistics["bridge_dataset"]["action"]
MAX_BYTES = 2**24  # of a request: a frame of 1000 x 1000, and room to spare


def answer(request):
    """{"image": uint8 [256, 256, 3], "instruction"} => actions [4, 7]. Noise follows from the
    request alone."""
    image = np.frombuffer(base64.b64decode(request["image"]["__numpy__"]), np.uint8).reshape(
        request["image"]["shape"]
    )
    seen = {"image_primary": image[None, None], "timestep_pad_mask": np.array([[True]])}
    task = MODEL.create_tasks(texts=[request["instruction"]])
    key = jax.random.PRNGKey(zlib.crc32(image.tobytes() + request["instruction"].encode()))
    return np.asarray(
        MODEL.sample_actions(seen, task, unnormalization_statistics=STATISTICS, rng=key)[0],
        np.float32,
    )


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        if length > MAX_BYTES:
            return self.send_error(413)
        actions = answer(json.loads(self.rfile.read(length)))
        body = {
            "__numpy__": base64.b64encode(actions.tobytes()).decode(),
            "dtype": "<f4",
            "shape": actions.shape,
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


HTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8000), Handler).serve_forever()
