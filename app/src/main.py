"""Answer HTTP for hello-world and say, in every answer, which region and release gave it.

Law: reads its environment once, at start-up, and keeps no state between requests; the visits, if
a database is given, are elsewhere (visits.py). Reason: a rehearsal proves a failover or a release
by what the answers say about themselves, and a pod that holds nothing may be stopped at any time.

Readiness does not ask the database. All pods share it: when it fails over, every pod would be
taken out at once, and pages that need no data would fail with those that do.
"""

import dataclasses
import hashlib
import html
import itertools
import json
import logging
import os
import pathlib
import socket
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import flask
from werkzeug import exceptions

# A rehearsal breaks the application; a probe that broke with it would only get the pod restarted.
PROBE_PATHS = frozenset({"/health", "/healthz"})
# What a browser needs beside the page. Its address changes with its content, so a copy of it is
# good for ever: 12 digits of its SHA-256, then its name. Whoever uploads it names it the same.
STATIC_FOLDER = pathlib.Path(__file__).parent / "static"
STATIC_LIFETIME = "public, max-age=31536000, immutable"
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{name}</title>{links}</head>
<body><main><h1>{message}</h1><p>{name} {version} in {region}</p></main></body>
</html>
"""


class SettingError(ValueError):
    """An environment variable holds something this application cannot use."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment says; the defaults suit a developer's machine, not a cluster.

    The fault switches are for drills: readiness that never passes, every request slowed, and
    `fault_error_percent` of each hundred requests of a worker answered 500.
    """

    app_name: str = "hello-world"
    app_version: str = "0.0.0"
    environment: str = "development"
    region: str = "local"
    pod_name: str = dataclasses.field(default_factory=socket.gethostname)
    fault_unready: bool = False
    fault_delay_seconds: float = 0.0
    fault_error_percent: float = 0.0
    # Both or neither; they hold passwords.
    database_url: str = dataclasses.field(default="", repr=False)
    redis_url: str = dataclasses.field(default="", repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the variables of the fields' names; an empty one counts as absent.

        Raises:
            SettingError: a value is not of its field's kind or out of range.
        """
        given = {
            field.name: _setting(field.name.upper(), environ[field.name.upper()], field.type)
            for field in dataclasses.fields(cls)
            if environ.get(field.name.upper())
        }
        settings = cls(**given)
        if settings.fault_error_percent > 100:  # noqa: PLR2004 - a percentage
            raise SettingError(
                f"FAULT_ERROR_PERCENT is {settings.fault_error_percent:g}; "
                "expected a number from 0 to 100, for example 25"
            )
        if bool(settings.database_url) != bool(settings.redis_url):
            raise SettingError(
                "one of DATABASE_URL and REDIS_URL is set; visits need both, and without visits "
                "neither is needed"
            )
        return settings


def _setting(name: str, text: str, kind: object) -> Any:
    if kind is bool:
        if text.lower() not in {"true", "false"}:
            raise SettingError(f"{name} is {text!r}; expected true or false")
        return text.lower() == "true"
    if kind is float:
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 <= number < float("inf"):
            raise SettingError(f"{name} is {text!r}; expected a number from 0 up, for example 2.5")
        return number
    if not text.isprintable() or not text.isascii():
        # It goes into a response header, where anything else is a refused response at run time.
        shown = "hidden" if name.endswith("_URL") else repr(text)
        raise SettingError(f"{name} is {shown}; expected printable ASCII on one line")
    return text


class JsonLines(logging.Formatter):
    """One JSON object per record, because a log collector parses lines, not tracebacks."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._pod = {
            "region": settings.region,
            "pod": settings.pod_name,
            "version": settings.app_version,
        }

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **self._pod,
        }
        if flask.has_request_context():
            line |= {"method": flask.request.method, "path": flask.request.path}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def create_app(settings: Settings | None = None) -> flask.Flask:
    """Build the application from the settings, or from this process's environment.

    The server puts a callable into `config["IS_DRAINING"]`; while it returns true, readiness
    fails and everything else is served as before.
    """
    settings = settings or Settings.from_environ(os.environ)
    app = flask.Flask(__name__, static_folder=None)
    app.config["IS_DRAINING"] = lambda: False
    _log_as_json(app, settings)
    _add_faults(app, settings)
    _add_probes(app, settings)
    _add_pages(app, settings)
    _add_static(app)
    if settings.database_url:
        _add_visits(app, settings)
    _add_errors(app)
    _sign_responses(app, settings)
    return app


def _log_as_json(app: flask.Flask, settings: Settings) -> None:
    # Flask logs each unhandled exception to this logger; requests that succeed leave no line.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(settings))
    app.logger.handlers = [handler]
    app.logger.propagate = False


def _add_faults(app: flask.Flask, settings: Settings) -> None:
    if not (settings.fault_delay_seconds or settings.fault_error_percent):
        return
    must_fail = _every_percent(settings.fault_error_percent)

    @app.before_request
    def inject_fault() -> None:
        if flask.request.path in PROBE_PATHS:
            return
        time.sleep(settings.fault_delay_seconds)
        if must_fail():
            app.logger.warning("answering 500 because of FAULT_ERROR_PERCENT")
            raise exceptions.InternalServerError


def _every_percent(percent: float) -> Callable[[], bool]:
    """Say which calls are among `percent` of every hundred, spread evenly.

    Counted, not drawn: the same drill gives the same number of errors twice.
    """
    numbers = itertools.count(1)

    def is_chosen() -> bool:
        number = next(numbers)
        return int(number * percent / 100) > int((number - 1) * percent / 100)

    return is_chosen


def _add_probes(app: flask.Flask, settings: Settings) -> None:
    @app.get("/health")
    def get_readiness() -> tuple[str | dict[str, str], int]:
        if app.config["IS_DRAINING"]():
            return {"status": "draining"}, 503
        if settings.fault_unready:
            return {"status": "unready"}, 503
        return "", 204

    @app.get("/healthz")
    def get_liveness() -> dict[str, str]:
        return {"status": "alive"}


def _add_pages(app: flask.Flask, settings: Settings) -> None:
    @app.get("/")
    def get_index() -> flask.Response:
        index = {
            "status": "OK",
            "app": settings.app_name,
            "message": "Application is running",
        }
        wanted = flask.request.accept_mimetypes.best_match(["application/json", "text/html"])
        is_page = wanted == "text/html"
        answer = flask.Response(_render(settings, index)) if is_page else flask.jsonify(index)
        answer.vary.add("Accept")
        return answer

    @app.get("/api/info")
    def get_info() -> dict[str, str]:
        return {
            "app": settings.app_name,
            "version": settings.app_version,
            "environment": settings.environment,
            "region": settings.region,
            "pod": settings.pod_name,
            "status": "healthy",
        }


def _render(settings: Settings, index: Mapping[str, str]) -> str:
    """The index for a browser."""
    sheets = [name for name in list_static() if name.endswith(".css")]
    return PAGE.format(
        name=html.escape(index["app"]),
        message=html.escape(index["message"]),
        version=html.escape(settings.app_version),
        region=html.escape(settings.region),
        links="".join(f'<link rel="stylesheet" href="/static/{name}">' for name in sheets),
    )


def list_static() -> dict[str, pathlib.Path]:
    """Find each static file by the address that it is served at, below /static/."""
    return {
        f"{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}/{path.name}": path
        for path in sorted(STATIC_FOLDER.iterdir())
    }


def _add_static(app: flask.Flask) -> None:
    files = list_static()

    @app.get("/static/<path:name>")
    def get_static(name: str) -> flask.Response:
        if name not in files:
            raise exceptions.NotFound
        answer = flask.send_file(files[name])
        answer.headers["Cache-Control"] = STATIC_LIFETIME
        return answer


def _add_visits(app: flask.Flask, settings: Settings) -> None:
    import visits  # its drivers are not loaded where there is no database

    # The drivers tell of lost connections in the one format that is collected.
    logging.getLogger().handlers = app.logger.handlers
    store = visits.Visits(
        settings.database_url, settings.redis_url, region=settings.region, pod=settings.pod_name
    )

    @app.errorhandler(visits.UnavailableError)
    def answer_unavailable(error: visits.UnavailableError) -> flask.Response:
        app.logger.warning("the database cannot be asked: %s", error)
        return app.handle_http_exception(exceptions.ServiceUnavailable(retry_after=1))

    @app.post("/api/visits")
    def post_visit() -> tuple[visits.Answer, int]:
        return store.record(), 201

    @app.get("/api/visits")
    def get_visits() -> visits.Answer:
        return store.read()

    @app.get("/api/visits/<uuid:visit>")
    def get_visit(visit: uuid.UUID) -> visits.Answer:
        found = store.find(visit)
        if found is None:
            raise exceptions.NotFound
        return found


def _add_errors(app: flask.Flask) -> None:
    @app.errorhandler(exceptions.HTTPException)
    def answer_error(error: exceptions.HTTPException) -> flask.Response:
        # The error's own headers stay: a 405 owes its Allow.
        response = flask.Response(status=error.code, headers=error.get_headers())
        response.data = flask.json.dumps({"error": error.name.capitalize()}) + "\n"
        response.content_type = "application/json"
        return response


def _sign_responses(app: flask.Flask, settings: Settings) -> None:
    @app.after_request
    def sign(response: flask.Response) -> flask.Response:
        response.headers["X-App-Version"] = settings.app_version
        response.headers["X-App-Region"] = settings.region
        response.headers["X-App-Pod"] = settings.pod_name
        return response


app = create_app()
