"""What MLflow raises, as a verdict: come again, never, or clear words for a person. This imports the SDK.

Nothing is tried again in here, and a request waits a few seconds only: the courier has the patience.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mlflow.store.db.utils
import mlflow.utils.request_utils
import requests
import urllib3
from mlflow.exceptions import InvalidUrlException, MlflowException
from sqlalchemy.exc import DBAPIError

from trackhub.plugin import Rejected, Retry

LOGIN = (
    "MLflow refuses the login ({reason}): export MLFLOW_TRACKING_TOKEN=..., or MLFLOW_TRACKING_USERNAME=... and "
    "MLFLOW_TRACKING_PASSWORD=..., then: trackhub sync"
)
LATER = (408, 409, 425, 429, 499)
"""Answers below 500 that say: not now. All from 500 on do, but for 501."""
TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
"""The variable from which MLflow reads, at each request, how many seconds an answer may take."""
LONGEST_TIMEOUT = 50
HOPELESS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR)
"""What a file system says that will say the same next time."""


class Once(urllib3.util.Retry):
    """MLflow's HTTP without a second try. urllib3 drops an answer that gives up; this keeps its Retry-After."""

    def increment(self, method: Any = None, url: Any = None, response: Any = None, *others: Any, **named: Any) -> Any:
        """As in urllib3; its error knows after how many seconds to come again."""
        try:
            return super().increment(method, url, response, *others, **named)
        except urllib3.exceptions.MaxRetryError as spent:
            spent.after = _seconds(response)  # type: ignore[attr-defined]
            raise


mlflow.utils.request_utils.Retry = Once
mlflow.store.db.utils.MAX_RETRY_COUNT = 1


@contextmanager
def verdicts(opening: bool = False) -> Iterator[None]:
    """Turn what the SDK raises into `Retry` and `Rejected`; what it cannot tell passes as it is.

    Args:
        opening: nothing is delivered yet, so that what a person has to mend may end the delivery.
    """
    try:
        yield
    except MlflowException as error:
        _wait_longer(error)
        status = 400 if isinstance(error, InvalidUrlException) else error.get_http_status_code()
        raise _of_status(status, str(error), _after(error), opening) from error
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 500
        raise _of_status(status, str(error), _seconds(error.response), opening) from error
    except (requests.RequestException, DBAPIError) as error:
        _wait_longer(error)
        raise Retry(str(error)) from error
    except ImportError as error:
        raise Rejected(f"{error}. MLflow needs this package for where it keeps artifacts: pip install it") from error
    except OSError as error:
        if error.errno in HOPELESS:
            raise Rejected(f"{type(error).__name__}: {error}") from error
        raise


def _of_status(status: int, reason: str, after: float | None, opening: bool) -> Retry | Rejected:
    """The verdict on an HTTP status; MLflow's own error codes have one, too."""
    if status in (401, 403):
        words = LOGIN.format(reason=f"{status}: {reason[:200]}")
        return Rejected(words) if opening else Retry(words, after=60.0)
    if status in LATER or (status >= 500 and status != 501):
        return Retry(reason, after=after)
    return Rejected(reason)


_needed = 0
"""Seconds that the server of this process has turned out to need; a tracker that is opened anew begins with them."""


def wait_at_most(seconds: float) -> None:
    """Give each answer so much time; more where the server was too slow for it before."""
    os.environ[TIMEOUT] = str(max(int(seconds), _needed))


def _wait_longer(error: BaseException) -> None:
    """A server that took a request and was too slow to answer is given twice the time from now on."""
    global _needed
    if any(isinstance(cause, urllib3.exceptions.ReadTimeoutError) for cause in _causes(error)):
        _needed = min(2 * int(os.environ[TIMEOUT]), LONGEST_TIMEOUT)
        os.environ[TIMEOUT] = str(_needed)


def _seconds(response: Any) -> float | None:
    """What an answer says of when to come again."""
    after: float | None = Once().get_retry_after(response) if response is not None else None
    return after


def _after(error: BaseException) -> float | None:
    """Seconds that the server asked for, from wherever the SDK has buried its answer."""
    return next((after for cause in _causes(error) if (after := getattr(cause, "after", None)) is not None), None)


def _causes(error: BaseException) -> Iterator[object]:
    """An error, what it came of, and what these carry."""
    seen: BaseException | None = error
    while seen is not None:
        for one in (seen, *seen.args):
            yield one
            yield getattr(one, "reason", None)
        seen = seen.__cause__ or seen.__context__
