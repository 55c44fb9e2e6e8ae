"""Serve main:app under gunicorn and take it out of service without losing a request.

Law: only gunicorn's settings and hooks; the application is told one thing, whether it drains.
Reason: a pod learns that it must go (SIGTERM) before the proxies in front of it do. Stopping at
once answers their next requests with a refused connection, so the master first lets readiness
fail and serves on for DRAIN_SECONDS, and only then stops the way gunicorn always does.

Variables: HOST, PORT, WEB_CONCURRENCY, WEB_THREADS, DRAIN_SECONDS, GRACEFUL_SECONDS, ACCESS_LOG,
FORWARDED_ALLOW_IPS.
"""

import mmap
import os
import signal
from typing import NoReturn

import gunicorn.arbiter
import gunicorn.http.message
import gunicorn.workers.base

HOST = os.environ.get("HOST") or "0.0.0.0"  # noqa: S104 - a container's own network
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS") or 5)

bind = f"{f'[{HOST}]' if ':' in HOST else HOST}:{os.environ.get('PORT') or 8080}"

# One worker: a pod is small and there are several. Threads, not processes, wait for slow clients.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY") or 1)
threads = int(os.environ.get("WEB_THREADS") or 8)
# Loaded once, before the workers: a wrong setting ends the master with its message, instead of
# worker after worker, and the pages are shared.
preload_app = True

# Longer than a proxy keeps an idle connection (Traefik and Go's HTTP client: 90 s), so that the
# proxy is the one that closes. The other way round it sends a request into a closing connection.
keepalive = 95
# After the drain: how long requests in flight may take to finish.
graceful_timeout = int(os.environ.get("GRACEFUL_SECONDS") or 15)

# The heartbeat file on a disk can block a worker until it is killed for being silent.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - unlinked at once
# A management socket in the home directory: nothing here uses it, and the disk is read-only.
control_socket_disable = True

# Only the ingress controller reaches a pod and its address is not known beforehand, so every peer
# may say that the client came by https; none may set SCRIPT_NAME or PATH_INFO.
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS") or "*"
forwarder_headers = ""

# Probes and proxies log each request already; errors are logged by the application.
accesslog = "-" if os.environ.get("ACCESS_LOG", "").lower() == "true" else None

# One byte shared by the master and all its workers, also those forked later.
_drain_flag = mmap.mmap(-1, 1)


def _is_draining() -> bool:
    return _drain_flag[0] == 1


def on_starting(server: gunicorn.arbiter.Arbiter) -> None:
    """Replace the master's answer to SIGTERM; it looks its handlers up by name.

    The end of the drain is a SIGALRM and not a thread, because the master forks.
    """

    def begin_drain() -> None:
        _drain_flag[0] = 1
        # From here on a second SIGTERM is SIGQUIT: whoever asks twice does not want to wait.
        signal.signal(signal.SIGTERM, lambda *_: server.SIG_QUEUE.put_nowait(signal.SIGQUIT))
        server.log.info("Draining for %g seconds", DRAIN_SECONDS)
        if DRAIN_SECONDS == 0:
            end_drain()
        signal.setitimer(signal.ITIMER_REAL, DRAIN_SECONDS)

    def end_drain() -> NoReturn:
        raise StopIteration  # the master's loop takes this as: stop gracefully, exit 0

    signal.signal(signal.SIGALRM, server.signal)
    server.handle_term = begin_drain
    server.handle_alrm = end_drain


# A reload reads this file anew, flag included.
on_reload = on_starting


def post_worker_init(worker: gunicorn.workers.base.Worker) -> None:
    """Tell the application how to find out, and let SIGQUIT and SIGINT end the worker at once.

    gunicorn's own handler exits the interpreter, which waits for every pool thread, that is for
    the requests that were to be given up.
    """
    worker.wsgi.config["IS_DRAINING"] = _is_draining
    for number in (signal.SIGQUIT, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))


def pre_request(
    _worker: gunicorn.workers.base.Worker, request: gunicorn.http.message.Request
) -> None:
    """While draining, close each connection after its answer so that no proxy keeps it."""
    if _is_draining():
        request.force_close()
