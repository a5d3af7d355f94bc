"""What botocore signs the requests of Tests/Fixtures/S3/signatures.json with. Run as a script it writes that file."""

import datetime
import json
import pathlib
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FILE = pathlib.Path(__file__).resolve().parent.parent / "Tests/Fixtures/S3/signatures.json"
HOST = "examplebucket.s3.eu-west-1.amazonaws.com"
KEYS = {"access_key": "AKIDEXAMPLE", "secret_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session_token": None, "region": "eu-west-1"}
CASES = [
    {"method": "GET", "path": "/a", "query": "", "headers": {}, "payload": "", "time": 1_709_251_199_000},
    {"method": "GET", "path": "/models/%C3%BC/a%20b%2Bc~d", "query": "", "headers": {"range": "bytes=0-9"}, "payload": "", "time": 0},
    {"method": "PUT", "path": "/models/m.bin", "query": "", "headers": {}, "payload": "hello", "time": 1_735_689_600_000},
    {"method": "GET", "path": "/", "query": "continuation-token=a%2Fb%3D%3D&delimiter=%2F&list-type=2&prefix=x%20y%2F", "headers": {},
     "payload": "", "time": 951_782_400_000},
    {"method": "POST", "path": "/key", "query": "uploads=", "headers": {}, "payload": "", "time": 1_709_164_800_000},
    {"method": "POST", "path": "/key", "query": "uploadId=abc.def-1", "headers": {}, "payload": "<CompleteMultipartUpload/>",
     "time": 4_102_444_799_000},
    {"method": "PUT", "path": "/bucket/key", "query": "partNumber=2&uploadId=x", "headers": {"host": "127.0.0.1:9000"}, "payload": "part",
     "time": 1_709_251_199_000, "session_token": "FwoGZXIvYXdz//token==", "region": "us-east-1"},
    {"method": "GET", "path": "/k", "query": "", "headers": {"if-match": '"a  b"', "x-amz-meta-words": "  two   words "}, "payload": "",
     "time": 1_709_251_199_000},
]


def sign(case):
    """The case with all its arguments, and the signature over them."""
    case = {**KEYS, **case, "headers": {"host": HOST, **case["headers"]}}
    moment = datetime.datetime.fromtimestamp(case["time"] / 1000, datetime.timezone.utc)

    url = f"https://{case['headers']['host']}{case['path']}" + (f"?{case['query']}" if case["query"] else "")
    request = AWSRequest(case["method"], url, headers=dict(case["headers"]), data=case["payload"].encode())
    keys = Credentials(case["access_key"], case["secret_key"], case["session_token"])
    signer = botocore.auth.S3SigV4Auth(keys, "s3", case["region"])
    # Over plain HTTP it signs the payload as well; over HTTPS it may leave that out, which is never done here.
    with mock.patch.object(signer, "_should_sha256_sign_payload", return_value=True), \
            mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(request)
    return {**case, "authorization": request.headers["Authorization"]}


if __name__ == "__main__":
    FILE.write_text(json.dumps([sign(case) for case in CASES], indent=1) + "\n")
