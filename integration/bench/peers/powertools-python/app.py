"""A Lambda function that reads its two parameters with Powertools for Python.

With decrypt set for all of them it is one GetParameters call, and the values are
kept for Powertools' 5 seconds
(https://docs.aws.amazon.com/powertools/python/latest/utilities/parameters/).
"""

import hashlib
import os

from aws_lambda_powertools.utilities.parameters import get_parameters_by_name

SHARED = os.environ["BENCH_SHARED"]
OWN = os.environ["BENCH_OWN"]


def handler(event, context):
    read = get_parameters_by_name({SHARED: {}, OWN: {}}, transform="json", decrypt=True)
    values = [
        read[SHARED]["consumer_key"],
        read[SHARED]["consumer_secret"],
        read[OWN]["access_token"],
        read[OWN]["access_secret"],
    ]
    return {"values": len(values), "sum": hashlib.sha256("\n".join(values).encode()).hexdigest()}
