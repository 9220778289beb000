"""The clinical record over HTTP: every route says who may use it, and what is not said is refused."""
