"""The dashboard as Streamlit runs it, without a browser.

Belongs here: opening it, and reading what its charts draw. Does not belong here: what they should.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from streamlit.testing.v1 import AppTest

from resources.settings import PROJECT


def opened() -> AppTest:
    """The first page, over the service that LEEWAY_API_URL names."""
    script = str(PROJECT / "dashboard" / "app.py")
    return AppTest.from_file(script, default_timeout=120).run()


def drawn(shown: AppTest) -> list[list[list[dict[str, Any]]]]:
    """Of each chart of the page the tables that it draws, as rows."""
    return [
        [pa.ipc.open_stream(each.data.data).read_all().to_pylist() for each in chart.proto.datasets]
        for chart in shown.get("vega_lite_chart")
    ]
