from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hyperfocal.errors import SettingsError
from hyperfocal.feedback.records import now
from hyperfocal.server.app import create_app
from hyperfocal.server.results import Results
from hyperfocal.server.settings import ServerSettings
from hyperfocal.server.store import Store, jobs
from hyperfocal.settings import Settings

_TIMES = {
    "job_hours": 24 * 36_500,
    "result_minutes": 60 * 24 * 36_500,
    "request_days": 36_500,
    "verdict_days": 36_500,
    "picture_days": 36_500,
}


def read(given=None, **more):
    environment = {f"HYPERFOCAL_SERVER_{name}": value for name, value in (given or {}).items()}
    return ServerSettings.read(environment, **more)


def test_only_this_machine_can_reach_it_and_nothing_risky_is_on_by_default():
    settings = read()
    assert settings.loopback
    assert settings.cors == ()
    assert settings.media_root is None
    assert not settings.metrics_public
    assert settings.trusted_proxy_hops == 0


def test_values_of_the_environment_are_read_as_people_write_them():
    settings = read(
        {
            "MAX_BODY": "20MB",
            "WORKER_MEMORY": "1.5GiB",
            "CORS": "https://a.example, https://b.example",
            "MODELS": "photo-fast-x2",
            "PRODUCTION": "true",
            "MEDIA_ROOT": "/srv/media",
            "PORT": "0",
        }
    )
    assert settings.max_body == 20_000_000
    assert settings.worker_memory == 3 * 2**29
    assert settings.cors == ("https://a.example", "https://b.example")
    assert settings.models == ("photo-fast-x2",)
    assert settings.production is True
    assert settings.media_root == Path("/srv/media")


def test_an_empty_value_means_none():
    assert read({"KEYS": "", "MEDIA_ROOT": ""}).keys is None


def test_what_is_given_overrides_the_environment():
    assert read({"PORT": "1"}, port=2).port == 2


def test_other_variables_are_nobodys_business_here():
    assert ServerSettings.read({"HYPERFOCAL_MEMORY": "1GB", "PORT": "9"}).port == 8000


def test_the_engine_leaves_the_services_settings_alone():
    assert Settings.read({"HYPERFOCAL_SERVER_PORT": "1", "HYPERFOCAL_THREADS": "3"}).threads == 3


def test_an_unknown_setting_is_answered_by_the_nearest():
    with pytest.raises(SettingsError, match="'prot'.*'port'"):
        read({"PROT": "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "x"),
        ("WORKERS", "-1"),
        ("MAX_BODY", "0"),
        ("MAX_BODY", "many"),
        ("QUEUE", "-1"),
        ("TASK_SECONDS", "0"),
        ("LOG_LEVEL", "loud"),
        ("DRAIN_SECONDS", "inf"),
        ("DRAIN_SECONDS", "nan"),
        ("DRAIN_SECONDS", "1e9"),
        ("TASK_SECONDS", "inf"),
        ("JOB_SECONDS", "1e300"),
        ("BODY_SECONDS", "nan"),
        ("ALIAS_SECONDS", "inf"),
        ("RESULT_MINUTES", "inf"),
        ("RESULT_MINUTES", "1e12"),
        ("JOB_HOURS", "1e8"),
        ("REQUEST_DAYS", "1e6"),
        ("VERDICT_DAYS", "nan"),
        ("PICTURE_DAYS", "inf"),
        ("WORKER_MEMORY", "9" * 30),
        ("MAX_CONNECTIONS", "9" * 30),
        ("JOBS", "9" * 30),
        ("CORS", "https://a.example/"),
        ("PRODUCTION", "perhaps"),
    ],
)
def test_an_impossible_value_names_its_setting(name, value):
    with pytest.raises(SettingsError, match=f"{name.lower()}|amount of memory"):
        read({name: value})


@pytest.mark.parametrize("name", [*_TIMES])
def test_the_longest_time_works_everywhere(name, tmp_path):
    settings = read({name.upper(): str(_TIMES[name])}, data=tmp_path)
    assert jobs.expiry(settings.job_hours).year < 2200
    assert now() - timedelta(hours=settings.job_hours) < now()
    Store.open(settings).close()
    assert Results(settings)._seconds < 10**10


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://a.example",
        "http://a.example:8080",
        "http://127.0.0.1:3000",
        "http://[::1]:3000",
        "https://xn--bcher-kva.example",
        "chrome-extension://abcdefghijklmnop",
    ],
)
def test_origins_as_browsers_write_them(origin):
    assert read({"CORS": origin}).cors == (origin,)


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("https://a.example/", "write https://a.example$"),
        ("https://a.example/page?x", "write https://a.example$"),
        ("https://A.example", "write https://a.example$"),
        ("https://a.example:443", "write https://a.example$"),
        ("http://a.example:80/", "write http://a.example$"),
        ("https://me@a.example", "write https://a.example$"),
        ("a.example", "is no origin"),
        ("a.example:8080", "is no origin"),
        ("//a.example", "is no origin"),
        ("https://", "is no origin"),
        ("https://*.example", "is no origin"),
        ("https://bücher.example", "is no origin"),
        ("https://a.example:port", "is no origin"),
        ("https://[a.example", "is no origin"),
        ("null", "is no origin"),
    ],
)
def test_what_no_browser_would_send_is_refused(origin, said):
    with pytest.raises(SettingsError, match=f"'cors'.*{said}"):
        read({"CORS": f"https://good.example, {origin}"})


def test_a_media_folder_that_is_none_is_told_at_the_start(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for place, said in ((tmp_path / "gone", "No such file"), (file, "is no folder")):
        with pytest.raises(SettingsError, match=f"media_root.*{said}"):
            create_app(read(media_root=place, data=tmp_path))
    create_app(read(media_root=tmp_path, data=tmp_path))


def test_everything_lies_in_the_data_folder_unless_told_otherwise(tmp_path):
    settings = read(data=tmp_path)
    assert settings.spool == tmp_path / "spool"
    assert settings.database_url == f"sqlite:///{tmp_path}/hyperfocal.db"
    assert settings.results_url == str(tmp_path / "results")
    assert settings.pictures_url == str(tmp_path / "pictures")
    elsewhere = read(
        {"SPOOL": "/fast"}, data=tmp_path, results="s3://bucket/x", database="sqlite:///y"
    )
    assert elsewhere.spool == Path("/fast")
    assert elsewhere.results_url == "s3://bucket/x"
    assert elsewhere.database_url == "sqlite:///y"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
        ("example.org", False),
    ],
)
def test_loopback_is_told_from_the_rest(host, expected):
    assert read(host=host).loopback is expected


def test_the_secret_is_not_shown():
    assert "hush" not in repr(read(secret="hush hush"))


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        read().port = 1
