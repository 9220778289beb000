"""The clinical record over HTTP: every route says who may use it, and what is not said is refused."""

from typing import Final

PREFIX: Final = "/api/1"
"""Where the API lies below the pages."""
