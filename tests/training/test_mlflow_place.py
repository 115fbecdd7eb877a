"""Where MLflow's database lies, whatever the folder is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperfocal.errors import SettingsError
from hyperfocal.training import mlflow_server
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit
from hyperfocal.training.mlflow_server import Server, refuse_another_place, run_of


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def experiment(experiment_file: Path) -> Experiment:
    experiment_file.write_text(experiment_file.read_text().replace("steps = 250", "steps = 1"))
    return Experiment.read(experiment_file)


@pytest.mark.parametrize("name", ["who? 100% %41 #1+b", "usual"])
def test_the_database_lies_beside_the_run(name: str, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed")
    make_url = pytest.importorskip("sqlalchemy.engine").make_url
    out = tmp_path / name / "run"
    try:
        refuse_another_place(out)
    except SettingsError:
        pytest.skip("this SQLAlchemy has no escapes")
    place = tmp_path.resolve() / name / "mlflow.db"
    assert make_url(Server.of(out).uri).database == str(place)


@pytest.mark.tracking
def test_a_training_in_a_folder_with_a_question_mark_is_tracked_there(
    experiment: Experiment, tmp_path: Path, with_database: object
) -> None:
    folder = tmp_path / "who? 100% %41 #1"
    with_database(folder)  # type: ignore[operator]
    try:
        trained = fit(experiment, folder / "run", progress=False)
    except SettingsError:
        pytest.skip("this SQLAlchemy has no escapes")
    server = Server.of(folder / "run")
    assert trained.run_id is not None
    assert trained.run_id == run_of(folder / "run", server)
    assert "val_psnr" in server.client().get_run(trained.run_id).data.metrics
    assert sorted(path.name for path in folder.iterdir()) == ["mlartifacts", "mlflow.db", "run"]
    # Nothing was put where the name ends for those who do not know of escapes.
    assert [path.name for path in tmp_path.glob("who*")] == [folder.name]


def test_a_place_without_an_address_is_refused_before_it_begins(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.setattr(mlflow_server, "_address", lambda database: None)
    with pytest.raises(SettingsError, match=r"MLflow's database cannot lie in .*--no-tracking"):
        fit(experiment, tmp_path / "who?" / "run", progress=False)
    assert not list((tmp_path / "who?" / "run").glob("*.ckpt"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:1")
    refuse_another_place(tmp_path / "who?" / "run")
