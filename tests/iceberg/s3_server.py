"""An S3 server that is not Bullion's, with one bucket: moto, on a free port of loopback. Prints its URL
and runs until it is ended. Started by tests/iceberg/pyiceberg.check.ts:

    python s3_server.py <bucket>
"""

import signal
import sys

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://127.0.0.1:{port}"
client = boto3.client(
    "s3",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id="testing",
    aws_secret_access_key="testing",
)
client.create_bucket(Bucket=sys.argv[1])
# The commit point: a store that does not know it would let two writers have the same version.
client.put_object(Bucket=sys.argv[1], Key="once", Body=b"1", IfNoneMatch="*")
try:
    client.put_object(Bucket=sys.argv[1], Key="once", Body=b"2", IfNoneMatch="*")
    sys.exit("this server does not know conditional writes")
except client.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "PreconditionFailed", error
client.delete_object(Bucket=sys.argv[1], Key="once")
print(endpoint, flush=True)
signal.pause()
