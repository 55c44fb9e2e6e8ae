"""What the application answers, asked through Flask's own client."""

import json

import pytest

RELEASE = {"app_version": "1.2.3", "region": "eastus", "pod_name": "hello-world-abc"}


def test_index_answers_as_documented(client_for):
    """The main page keeps the body its users know."""
    answer = client_for().get("/")
    assert answer.status_code == 200
    assert answer.json == {
        "status": "OK",
        "app": "hello-world",
        "message": "Application is running",
    }


def test_readiness_has_no_body(client_for):
    """A ready pod answers 204."""
    answer = client_for().get("/health")
    assert (answer.status_code, answer.data) == (204, b"")


def test_liveness_says_alive(client_for):
    """A live pod says so."""
    answer = client_for().get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "alive"})


def test_info_names_release_place_and_pod(client_for):
    """The information page tells which release answered, where."""
    assert client_for(**RELEASE, environment="dv").get("/api/info").json == {
        "app": "hello-world",
        "version": "1.2.3",
        "environment": "dv",
        "region": "eastus",
        "pod": "hello-world-abc",
        "status": "healthy",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nowhere", 404, "Not found"),
        ("GET", "/static/main.py", 404, "Not found"),
        ("POST", "/", 405, "Method not allowed"),
        ("GET", "/broken", 500, "Internal server error"),
    ],
)
def test_errors_are_json(main, method, path, status, error):
    """Every error is a JSON object with one sentence."""
    app = main.create_app(main.Settings())
    app.add_url_rule("/broken", view_func=lambda: 1 / 0)
    answer = app.test_client().open(path, method=method)
    assert answer.status_code == status
    assert answer.json == {"error": error}


def test_refused_method_names_the_allowed_ones(client_for):
    """A 405 carries the Allow header that HTTP asks for."""
    assert "GET" in client_for().post("/").headers["Allow"]


@pytest.mark.parametrize("path", ["/", "/health", "/healthz", "/api/info", "/nowhere", "/broken"])
def test_every_response_is_signed(main, path):
    """Whatever the answer, its headers say which release gave it, where."""
    app = main.create_app(main.Settings(**RELEASE))
    app.add_url_rule("/broken", view_func=lambda: 1 / 0)
    headers = app.test_client().get(path).headers
    assert headers["X-App-Version"] == "1.2.3"
    assert headers["X-App-Region"] == "eastus"
    assert headers["X-App-Pod"] == "hello-world-abc"


def test_failure_leaves_one_json_line(main, capsys):
    """An unhandled exception is one line: what, where, on which pod, with its traceback."""
    app = main.create_app(main.Settings(**RELEASE))
    app.add_url_rule("/broken", view_func=lambda: 1 / 0)
    app.test_client().get("/broken?token=hunter2")
    [line] = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert record["level"] == "error"
    assert (record["method"], record["path"]) == ("GET", "/broken")
    assert (record["region"], record["version"]) == ("eastus", "1.2.3")
    assert "ZeroDivisionError" in record["exception"]
    assert "hunter2" not in line


def test_success_leaves_no_line(client_for, capsys):
    """A request that succeeds is not logged."""
    client_for().get("/")
    assert capsys.readouterr().err == ""


def test_draining_fails_readiness_alone(main):
    """While the server drains, readiness is 503 and pages are served."""
    app = main.create_app(main.Settings())
    app.config["IS_DRAINING"] = lambda: True
    client = app.test_client()
    assert (client.get("/health").status_code, client.get("/health").json) == (
        503,
        {"status": "draining"},
    )
    assert client.get("/healthz").status_code == 200
    assert client.get("/").status_code == 200


def test_unready_fault_fails_readiness_alone(client_for):
    """The drill's unready pod still lives and still answers."""
    client = client_for(fault_unready=True)
    assert client.get("/health").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("percent", [0, 1, 25, 33.5, 100])
def test_error_fault_fails_exactly_its_share(client_for, percent):
    """Of 200 requests, exactly the asked share is answered 500."""
    client = client_for(fault_error_percent=percent)
    statuses = [client.get("/").status_code for _ in range(200)]
    assert statuses.count(500) == int(200 * percent / 100)
    assert statuses.count(200) == 200 - statuses.count(500)


def test_error_fault_spares_the_probes(client_for):
    """A drill with errors does not get the pod restarted."""
    client = client_for(fault_error_percent=100)
    assert client.get("/health").status_code == 204
    assert client.get("/healthz").status_code == 200


def test_delay_fault_slows_pages_and_not_probes(main, monkeypatch):
    """Pages wait for the asked time, probes do not."""
    waited = []
    monkeypatch.setattr(main.time, "sleep", waited.append)
    client = main.create_app(main.Settings(fault_delay_seconds=2.5)).test_client()
    client.get("/health")
    client.get("/healthz")
    assert waited == []
    client.get("/")
    assert waited == [2.5]


def test_settings_come_from_the_environment(main):
    """Every variable reaches its setting, in the setting's type."""
    settings = main.Settings.from_environ(
        {
            "APP_NAME": "other",
            "APP_VERSION": "1.0.1",
            "ENVIRONMENT": "dv",
            "REGION": "westus2",
            "POD_NAME": "p",
            "FAULT_UNREADY": "true",
            "FAULT_DELAY_SECONDS": "0.5",
            "FAULT_ERROR_PERCENT": "10",
        }
    )
    assert settings == main.Settings(
        app_name="other",
        app_version="1.0.1",
        environment="dv",
        region="westus2",
        pod_name="p",
        fault_unready=True,
        fault_delay_seconds=0.5,
        fault_error_percent=10.0,
    )


def test_there_are_no_visits_without_a_database(client_for):
    """Without its two addresses the application is as it was."""
    assert client_for().post("/api/visits").status_code == 404


def test_half_a_data_path_is_refused(main):
    """One address without the other is a mistake, told at start-up."""
    with pytest.raises(main.SettingError, match="one of DATABASE_URL and REDIS_URL is set"):
        main.Settings.from_environ({"DATABASE_URL": "postgresql://u:hunter2@h/d"})


def test_addresses_with_passwords_are_shown_nowhere(main):
    """Neither a refusal nor the settings' text holds them."""
    with pytest.raises(main.SettingError, match="DATABASE_URL is hidden") as refused:
        main.Settings.from_environ({"DATABASE_URL": "postgresql://u:hunter2\n@h/d"})
    assert "hunter2" not in str(refused.value)
    given = {"DATABASE_URL": "postgresql://u:hunter2@h/d", "REDIS_URL": "rediss://:hunter2@h"}
    assert "hunter2" not in repr(main.Settings.from_environ(given))


def test_empty_variables_count_as_absent(main):
    """An empty variable leaves the default."""
    assert main.Settings.from_environ({"REGION": "", "FAULT_UNREADY": ""}) == main.Settings()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("FAULT_UNREADY", "yes", "FAULT_UNREADY is 'yes'; expected true or false"),
        (
            "FAULT_DELAY_SECONDS",
            "long",
            "FAULT_DELAY_SECONDS is 'long'; expected a number from 0 up, for example 2.5",
        ),
        (
            "FAULT_DELAY_SECONDS",
            "-1",
            "FAULT_DELAY_SECONDS is '-1'; expected a number from 0 up, for example 2.5",
        ),
        (
            "FAULT_DELAY_SECONDS",
            "nan",
            "FAULT_DELAY_SECONDS is 'nan'; expected a number from 0 up, for example 2.5",
        ),
        (
            "FAULT_ERROR_PERCENT",
            "101",
            "FAULT_ERROR_PERCENT is 101; expected a number from 0 to 100, for example 25",
        ),
        ("REGION", "a\nb", "REGION is 'a\\nb'; expected printable ASCII on one line"),
    ],
)
def test_wrong_setting_is_refused(main, name, text, message):
    """A variable that cannot be used is named, with what was expected."""
    with pytest.raises(main.SettingError) as caught:
        main.Settings.from_environ({name: text})
    assert str(caught.value) == message
