"""A bucket on moto's server, which checks every signature with botocore."""

import contextlib
import json
import os
import subprocess
import sys

import boto3
import requests
from botocore.config import Config

from conftest import free_port, wait_for

BUCKET = "mlops-test"
# What may be done before a signature is asked for: the user, the policy and the key that the tests then sign with.
UNSIGNED_CALLS = 3


class Bucket:
    def __init__(self, url, key, process):
        self.url, self.process = url, process
        self.environment = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"], "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": url, "AWS_ENDPOINT_URL": "", "AWS_SESSION_TOKEN": "", "AWS_CA_BUNDLE": ""}
        self.client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"], config=Config(s3={"addressing_style": "path"}))

    def keys(self, prefix=""):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def uploads(self):
        return [upload["Key"] for upload in self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


@contextlib.contextmanager
def bucket():
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(UNSIGNED_CALLS)})
    try:
        def is_up():
            with contextlib.suppress(requests.RequestException):
                return requests.get(url + "/moto-api/", timeout=2).status_code
        wait_for(is_up, "moto's server", process=process)
        iam = boto3.client("iam", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        iam.create_user(UserName="mlops")
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        iam.put_user_policy(UserName="mlops", PolicyName="all", PolicyDocument=json.dumps(allowed))
        made = Bucket(url, iam.create_access_key(UserName="mlops")["AccessKey"], process)
        made.client.create_bucket(Bucket=BUCKET)
        yield made
    finally:
        process.kill()
        process.wait()
