"""Record visits in PostgreSQL and count them in Redis, and survive that either fails over.

Law: opens its connections at the first visit, in the worker that serves it, and never waits longer
than a few seconds for them. Reason: a failover ends every connection, moves a name to another
address and may leave the old server running as a read-only replica. So a connection is checked
before it is lent, must be one to a server that takes writes, is given up after minutes so that
the name is looked up again, and whoever cannot get one is told 503 in time to ask again.

PostgreSQL is the record. The count in Redis is quick and may be missing or one too many.
"""

import logging
import threading
import uuid
from typing import Any

import psycopg
import psycopg_pool
import redis
from redis import backoff, exceptions, retry

Answer = dict[str, str | int | None]
Row = tuple[Any, ...]

_WAIT_SECONDS = 3
_STATEMENT_MILLISECONDS = 3000
_KEY = "visits"
_CREATE = """
    create table if not exists visits (
        id uuid primary key default gen_random_uuid(),
        at timestamptz not null default now(),
        region text not null,
        pod text not null
    )
"""
# Of a visit that is lost in a failover nobody else may get the name: a number would be given again.
_INSERT = "insert into visits (region, pod) values (%s, %s) returning id"
_FIND = "select at, region, pod from visits where id = %s"
_COUNT = "select count(*) from visits"
# Two pods may ask at once, and "if not exists" does not make that safe.
_LOCK = "select pg_advisory_xact_lock(hashtext('visits'))"

_LOG = logging.getLogger(__name__)


class UnavailableError(Exception):
    """The database cannot be asked just now; nothing was recorded that was confirmed."""


class Connection(psycopg.Connection):
    """A connection whose last failure to come about is kept: the pool only logs it."""

    last_failure = ""

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> "Connection":
        try:
            made = super().connect(conninfo, **options)
        except psycopg.OperationalError as error:
            cls.last_failure = str(error).strip()
            raise
        cls.last_failure = ""
        return made


class Visits:
    """The visits of all regions; `region` and `pod` are noted with each new one."""

    def __init__(self, database_url: str, redis_url: str, *, region: str, pod: str) -> None:
        self._database_url = database_url
        self._place = (region, pod)
        self._lock = threading.Lock()
        self._pool: psycopg_pool.ConnectionPool | None = None
        # Opens nothing yet.
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_connect_timeout=_WAIT_SECONDS,
            socket_timeout=_WAIT_SECONDS,
            retry=retry.Retry(backoff.NoBackoff(), 1),
        )

    def record(self) -> Answer:
        """Record one visit.

        Raises:
            UnavailableError: the database did not confirm it.
        """
        try:
            row = self._ask(_INSERT, self._place)
        except psycopg.errors.UndefinedTable:
            self._create()
            row = self._ask(_INSERT, self._place)
        return {"visit": str(row[0]), "count": self._count("INCR")}

    def find(self, visit: uuid.UUID) -> Answer | None:
        """Say when and where a visit was, or None: there is no such visit.

        Raises:
            UnavailableError: the database does not answer.
        """
        row = self._ask_or(_FIND, (str(visit),))
        return row and {"at": row[0].isoformat(), "region": row[1], "pod": row[2]}

    def read(self) -> Answer:
        """Say how many there were.

        Raises:
            UnavailableError: the database does not answer.
        """
        row = self._ask_or(_COUNT)
        return {"recorded": row[0] if row else 0, "count": self._count("GET")}

    def _ask_or(self, statement: str, values: tuple[str, ...] = ()) -> Row | None:
        """Ask; before the first visit there is no table, and nothing in it."""
        try:
            return self._ask(statement, values)
        except psycopg.errors.UndefinedTable:
            return None

    def _count(self, command: str) -> int | None:
        try:
            return int(self._redis.execute_command(command, _KEY) or 0)
        except exceptions.RedisError as error:
            _LOG.warning("no count of visits: %s", error)
            return None

    def _create(self) -> None:
        with self._open().connection() as connection:
            connection.execute(_LOCK)
            connection.execute(_CREATE)

    def _ask(self, statement: str, values: tuple[str, ...] = ()) -> Row | None:
        try:
            with self._open().connection() as connection:
                try:
                    return connection.execute(statement, values).fetchone()
                except psycopg.errors.ReadOnlySqlTransaction:
                    connection.close()  # to a server that is a replica now: not to be lent again
                    raise
        except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
            raise UnavailableError(self._describe(error)) from error

    def _describe(self, error: psycopg.Error) -> str:
        """Say why there is no connection; of a certificate, whose was expected."""
        failure = Connection.last_failure
        said = ": ".join(part for part in (str(error), failure) if part)
        if "certificate" not in failure:
            return said
        wanted = psycopg.conninfo.conninfo_to_dict(self._database_url)
        return (
            f"{said}; expected a certificate for {wanted.get('host')} that is valid now and signed "
            f"by an authority of sslrootcert={wanted.get('sslrootcert')}"
        )

    def _open(self) -> psycopg_pool.ConnectionPool:
        """Open the pool in this process: threads and connections do not survive a fork."""
        with self._lock:
            if self._pool is None:
                self._pool = psycopg_pool.ConnectionPool(
                    self._database_url,
                    connection_class=Connection,
                    kwargs={
                        "connect_timeout": _WAIT_SECONDS,
                        "options": f"-c statement_timeout={_STATEMENT_MILLISECONDS}",
                        "tcp_user_timeout": _WAIT_SECONDS * 1000,
                        "target_session_attrs": "read-write",
                        "application_name": self._place[1],
                    },
                    min_size=0,
                    max_size=4,
                    timeout=_WAIT_SECONDS,
                    reconnect_timeout=_WAIT_SECONDS,
                    max_lifetime=300,
                    check=psycopg_pool.ConnectionPool.check_connection,
                    open=True,
                )
            return self._pool
