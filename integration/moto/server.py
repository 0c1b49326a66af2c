"""Serves moto on a free loopback port until standard input ends.

The port is the one line on standard output. Whoever started this holds the
other end of standard input, so the server cannot outlive it.
"""

import logging
import sys
import threading

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

app = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()


def one_at_a_time(environ, start_response):
    # DynamoDB isolates transactions from each other. moto does not: one that is
    # cancelled puts the whole table back as it was when that one began.
    with lock:
        return app(environ, start_response)


logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line per request
server = make_server(
    "127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=MotoRequestHandler
)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.port, flush=True)
sys.stdin.read()
