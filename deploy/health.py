"""The image's health check: ends with 0 where the process of this container says that it is ready.

`python -m deploy.health`. Standard library only; it is started again every few seconds.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

SECONDS = 3
OK = 200


def ready(port: int) -> bool:
    """Ask what listens on a loopback port whether it is ready; what does not answer is not."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not ready(int(os.environ["MAKEGOOD_HTTP_PORT"])))
