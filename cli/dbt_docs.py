"""Serves dbt's documentation: generated once, then plain files on 127.0.0.1.

Belongs here: the small process that `leeway dev` starts. Does not belong here: the documentation.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


def main() -> None:
    """Arguments: folder of the pages, port, path of `leeway-dbt`."""
    folder, port, dbt = sys.argv[1:]
    subprocess.run([dbt, "docs", "generate", "--quiet", "--target-path", folder], check=True)
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    ThreadingHTTPServer(("127.0.0.1", int(port)), handler).serve_forever()


if __name__ == "__main__":
    main()
