"""Makes a private copy, says where its server works, and stays in it until it is killed.

Given `sweep`, it only removes what killed processes left.
"""

import sys
import time

from resources.private_copy import private_copy, remove_abandoned

if sys.argv[1:] == ["sweep"]:
    remove_abandoned()
else:
    with private_copy() as settings:
        print("in", settings.home, flush=True)  # noqa: T201
        time.sleep(600)
