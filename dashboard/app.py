"""The dashboard's front door: which use case, which page, and what is said when a page cannot.

Belongs here: choosing. Does not belong here: the pages (`dashboard.views`).

It is a script that Streamlit runs from top to bottom at each click.
"""

from __future__ import annotations

import streamlit as st

from dashboard.service import Failed, Service, connected
from dashboard.views import compare, experiment, explain, predict, releases, watch, why

OF_A_MODEL = {
    "Predict": predict.page,
    "Explain": explain.page,
    "Compare": compare.page,
    "Releases": releases.page,
    "Data, drift and performance": watch.page,
    "Why": why.page,
}
OF_AN_EXPERIMENT = {"Effects and savings": experiment.page}


def main() -> None:
    """One run of the script."""
    st.set_page_config("Leeway", layout="wide")
    st.sidebar.title("Leeway")
    key = st.sidebar.text_input("Key", type="password", help="where the service asks for one")
    service = connected(key or None)
    try:
        _chosen(service)
    except Failed as error:
        st.error(str(error))
        st.button("Try again")


def _chosen(service: Service) -> None:
    known = service.get("api/v1")["use_cases"]
    if not known:
        st.info("Nothing is there yet. `leeway demo` makes the five use cases.")
        return
    # By its key it stays the same, and what was chosen with it, when another use case appears.
    use_case = st.sidebar.selectbox("Use case", list(known), key="use case")
    pages = OF_AN_EXPERIMENT if known[use_case]["kind"] == "experiment" else OF_A_MODEL
    name = st.sidebar.radio("Page", list(pages))
    pages[name](service, use_case)


main()
