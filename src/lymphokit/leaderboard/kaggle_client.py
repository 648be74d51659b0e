"""Kaggle by its official client (the extra `kaggle`): downloads, submissions and their scores.

The client is imported when it is first needed: its import looks for credentials, writes to the
terminal and may use the network.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lymphokit.errors import LymphokitError, quoted

INSTALL = "pip install --constraint constraints.txt --editable '.[kaggle]'"
_CREDENTIALS = (
    "make a token at https://www.kaggle.com/settings and set KAGGLE_API_TOKEN to it, or save its "
    "kaggle.json in ~/.kaggle"
)
_PARTIAL = ".kaggle-partial"  # suffix of the note that the client keeps beside half a file
_PAGE = 100  # submissions that are listed: weeks of them
_POLL_SECONDS = 30  # at most between two looks of the client at a submission


class KaggleError(LymphokitError):
    """Kaggle cannot be used or refuses; the message names the remedy."""


@dataclass(frozen=True)
class SentFile:
    """A submission as Kaggle lists it.

    status: PENDING, COMPLETE or ERROR; public, private: scores, None where not shown;
    error: why it could not be scored.
    """

    ref: int
    file: str
    description: str
    status: str
    public: float | None = None
    private: float | None = None
    error: str = ""


class Kaggle:
    """Kaggle with the credentials of this machine.

    Raises KaggleError, here and in every method, without the package, credentials or network, and
    where Kaggle refuses.
    """

    def __init__(self) -> None:
        api = _client()
        with _explained("the check of the credentials"):
            try:
                api.authenticate()
            except SystemExit as error:  # after its help on credentials
                raise KaggleError(f"no valid credentials for Kaggle: {_CREDENTIALS}") from error
        self._api = api

    def download_competition(self, name: str, folder: Path) -> Path:
        """Download a competition to the folder; return the zip. Half a file goes on."""
        with _explained(f"the competition {name}", f"https://www.kaggle.com/c/{name}/rules"):
            self._api.competition_download_files(name, path=str(folder), quiet=False)
        return _downloaded(folder, name)

    def download_dataset(self, name: str, folder: Path) -> Path:
        """Download a data set, `owner/name`, to the folder; return the zip. Half a file goes on."""
        with _explained(f"the data set {name}", f"https://www.kaggle.com/datasets/{name}"):
            self._api.dataset_download_files(name, path=str(folder), quiet=False)
        return _downloaded(folder, name)

    def sent(self, competition: str) -> list[SentFile]:
        """The last submissions to a competition, the newest first."""
        with _in_competition(competition):
            listed = self._api.competition_submissions(competition, page_size=_PAGE)
            return [_sent_file(each) for each in listed or []]

    def submission(self, competition: str, ref: int) -> SentFile:
        """One submission as it is now."""
        with _in_competition(competition):
            return _sent_file(self._api.get_submission(ref))

    def submit(
        self,
        competition: str,
        file: Path,
        message: str,
        *,
        wait: int,
        on_sent: Callable[[int], None],
    ) -> SentFile | None:
        """Send a file and wait for its score, `wait` seconds at most; None without a reference.

        on_sent: gets the reference as soon as Kaggle has the file, before the wait.
        """
        refs: list[int] = []
        with _in_competition(competition):
            try:
                self._report_sent(refs, on_sent)
                self._api.competition_submit_cli(
                    str(file),
                    message,
                    competition,
                    quiet=True,
                    wait=wait,
                    poll_interval=_POLL_SECONDS,
                )
            except ValueError:  # not scored in time, or not at all: its status has which
                if not refs:
                    raise
        return self.submission(competition, refs[0]) if refs and refs[0] else None

    def _report_sent(self, refs: list[int], on_sent: Callable[[int], None]) -> None:
        """Have the client's upload report its reference, which its wait does not return."""
        upload = type(self._api).competition_submit

        def competition_submit(*given: Any, **named: Any) -> Any:
            response = upload(self._api, *given, **named)
            if response.message != self._api.COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE:
                refs.append(int(response.ref or 0))
                on_sent(refs[0])
            return response

        self._api.competition_submit = competition_submit


def _client() -> Any:
    """The official client, not yet authenticated."""
    silent = io.StringIO()
    try:
        with redirect_stdout(silent), redirect_stderr(silent):
            from kaggle.api.kaggle_api_extended import KaggleApi
    except ImportError as error:
        finding = f"Kaggle's client is not installed ({error}): {INSTALL}"
        raise KaggleError(finding) from error
    except OSError as error:  # it makes its folder of settings
        raise KaggleError(
            f"Kaggle's client cannot write {error.filename}: {error.strerror}; set "
            "KAGGLE_CONFIG_DIR to a folder of yours"
        ) from error
    return KaggleApi()


@contextmanager
def _explained(what: str, page: str = "") -> Iterator[None]:
    """Turn what the client raises into a sentence about `what`, with its page; drop its prints."""
    import requests
    from requests.exceptions import ChunkedEncodingError  # a download that broke off

    try:
        with redirect_stdout(io.StringIO()):
            yield
    except requests.HTTPError as error:
        raise KaggleError(_refusal(error, what, page)) from error
    except (requests.ConnectionError, requests.Timeout, ChunkedEncodingError) as error:
        raise KaggleError(
            f"Kaggle cannot be reached for {what}: look at the network (in a notebook, its setting "
            "Internet), then type the command again; what was downloaded is kept"
        ) from error
    except (requests.RequestException, AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error.__cause__, requests.HTTPError):  # the client's sentence about a 404
            raise KaggleError(_refusal(error.__cause__, what, page)) from error
        raise KaggleError(
            f"Kaggle's client failed on {what}: {quoted(str(error), 300)}; type the command again, "
            "or look for a proxy or login page between here and https://www.kaggle.com"
        ) from error


def _in_competition(name: str) -> Any:
    return _explained(f"the competition {name}", f"https://www.kaggle.com/c/{name}/rules")


def _refusal(error: Any, what: str, page: str) -> str:
    """What a refused request means, and the remedy."""
    status = getattr(error.response, "status_code", 0)
    detail = quoted(str(error), 300)
    remedies = {
        401: f"Kaggle does not accept the credentials: {_CREDENTIALS}",
        403: f"Kaggle gives no access to {what}: accept its rules or terms at {page or '-'}, "
        "logged in as the owner of the credentials",
        404: f"Kaggle has no {what.removeprefix('the ')}: correct its name under `kaggle` in "
        f"config.yaml, or look at {page or '-'} whether it is still open",
        429: f"Kaggle takes no more requests for {what} now: wait, then type the command again",
    }
    other = f"Kaggle refuses {what}: look at {page or 'https://www.kaggle.com'}"
    return f"{remedies.get(status, other)} (HTTP {status}, {detail})"


def _downloaded(folder: Path, name: str) -> Path:
    """The file that the client wrote: its name follows from Kaggle's link."""
    files = [each for each in sorted(folder.rglob("*")) if each.is_file()]
    files = [each for each in files if not each.name.endswith(_PARTIAL)]
    if len(files) != 1:
        found = ", ".join(each.name for each in files) or "no file"
        raise KaggleError(f"{folder} holds {found} of {name}, one zip expected: delete the folder")
    return files[0]


def _sent_file(submission: Any) -> SentFile:
    return SentFile(
        int(submission.ref),
        submission.file_name or "",
        submission.description or "",
        submission.status.name,
        _score(submission.public_score),
        _score(submission.private_score),
        (submission.error_description or "").strip(),
    )


def _score(text: str | None) -> float | None:
    """A score from 0 to 1; None where Kaggle shows none, or one on another scale."""
    try:
        score = float(text or "nan")
    except ValueError:
        return None
    return score if 0 <= score <= 1 else None
