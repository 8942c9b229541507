#!/usr/bin/env python3
"""Stands in for `kafka-broker-api-versions.sh --bootstrap-server HOST:PORT`: asks a broker which requests it knows.

Kafka's own is in a jar that the local stack does without.
"""

import socket
import struct
import sys

API_VERSIONS, VERSION, CORRELATION, NOBODY = 18, 0, 1, -1

host, _, port = sys.argv[2].rpartition(":")
request = struct.pack("!hhih", API_VERSIONS, VERSION, CORRELATION, NOBODY)
with socket.create_connection((host, int(port)), timeout=5) as broker, broker.makefile("rb") as answers:
    broker.sendall(struct.pack("!i", len(request)) + request)
    _, correlation, error, known = struct.unpack("!iihi", answers.read(14))
if (correlation, error) != (CORRELATION, 0) or known == 0:
    sys.exit(f"the broker at {sys.argv[2]} answers with the error {error}")
print(f"the broker at {sys.argv[2]} knows {known} requests")
