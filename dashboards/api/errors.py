"""What the API answers when it cannot do what was asked: one shape, a sentence that says what to do."""

from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from poise.errors import (
    AccessError,
    AccessLockedError,
    ConfigurationError,
    PoiseError,
    RecordConflictError,
    RecordMissingError,
    RecordRefusedError,
    StoreRejectedError,
    StoreUnavailableError,
)


class UnknownUserError(PoiseError):
    """Nobody has signed in, or no longer."""

    def __init__(self) -> None:
        """Say how."""
        super().__init__("sign in first: POST /api/1/session, or send a token as 'Authorization: Bearer …'")


class RefusedError(PoiseError):
    """Whoever asks may not."""


class UnknownPatientError(PoiseError):
    """There is no such patient, or none of theirs: the answer is the same."""

    def __init__(self) -> None:
        """Say both."""
        super().__init__("there is no such patient, or you do not look after them")


class TooManyError(PoiseError):
    """Too many requests.

    Attributes:
        wait_s: after how many seconds to ask again.
    """

    def __init__(self, sentence: str, wait_s: int) -> None:
        """Remember how long to wait."""
        super().__init__(sentence)
        self.wait_s = wait_s


STATUS: Final[dict[type[Exception], int]] = {
    UnknownUserError: 401,
    AccessLockedError: 429,
    AccessError: 401,
    RefusedError: 403,
    UnknownPatientError: 404,
    RecordMissingError: 404,
    RecordConflictError: 409,
    RecordRefusedError: 422,
    ConfigurationError: 422,
    StoreRejectedError: 422,
    TooManyError: 429,
    StoreUnavailableError: 503,
}
_BEARER: Final = {"WWW-Authenticate": "Bearer"}


def answer(sentence: str, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error as every one looks: `{"error": "…"}`."""
    return JSONResponse({"error": sentence}, status, headers)


def _headers(exc: Exception) -> dict[str, str] | None:
    if isinstance(exc, UnknownUserError):
        return _BEARER
    if isinstance(exc, TooManyError):
        return {"Retry-After": str(exc.wait_s)}
    if isinstance(exc, AccessLockedError):
        return {"Retry-After": "60"}
    return {"Retry-After": "5"} if isinstance(exc, StoreUnavailableError) else None


def convert_errors(app: FastAPI) -> None:
    """Have Poise's errors, FastAPI's and what is wrong with a request answered in one shape."""

    def ours(_: Request, exc: Exception) -> JSONResponse:
        status = next(code for cls, code in STATUS.items() if isinstance(exc, cls))
        return answer(str(exc), status, _headers(exc))

    def invalid(_: Request, exc: Exception) -> JSONResponse:
        problems = exc.errors() if isinstance(exc, RequestValidationError) else []
        # What was sent is not repeated: it may be a password.
        said = [
            {"at": "/".join(str(part) for part in problem["loc"]), "problem": problem["msg"]}
            for problem in problems
        ]
        return JSONResponse({"error": "the request is not as this route expects it", "problems": said}, 422)

    def theirs(_: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, HTTPException)  # noqa: S101 - registered for nothing else
        return answer(str(exc.detail), exc.status_code, dict(exc.headers or {}))

    for cls in STATUS:
        app.add_exception_handler(cls, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, theirs)
