"""HTML as PDF, where WeasyPrint and the libraries that it loads from the system are there.

Belongs here: the one call, and why it cannot be made. Does not belong here: the page
(`leeway.report`). WeasyPrint is an extra, `pdf`: it needs Pango of the system, which pip cannot
install, and a report is whole without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class NoPdf(RuntimeError):
    """A PDF cannot be made here; the message says what is missing and how to get it."""


def pdf_of(html: str) -> bytes:
    """The PDF of a page that needs nothing beside it; nothing is loaded from anywhere.

    Raises:
        NoPdf: when WeasyPrint or a library that it needs is missing, or it is too old.
    """
    try:
        weasyprint: Any = import_module("weasyprint")
        only_data = import_module("weasyprint.urls").URLFetcher(allowed_protocols=["data"])
    except (ImportError, AttributeError) as error:
        raise NoPdf(
            f"WeasyPrint is not there, or older than 70 ({error}); `pip install 'weasyprint>=70'`"
        ) from error
    except OSError as error:  # of the loader: the package is there, and Pango is not
        raise NoPdf(
            f"WeasyPrint cannot load a library of the system ({str(error).splitlines()[0]}); "
            "on Debian and Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0"
        ) from error
    pdf: bytes = weasyprint.HTML(string=html, url_fetcher=only_data).write_pdf()
    return pdf
