"""Putting an exported model into MLflow's registry."""

from __future__ import annotations

from pathlib import Path

from hyperfocal.models.card import ModelCard
from hyperfocal.training.mlflow_server import Server, run_of
from hyperfocal.training.outbox import Outbox


def register(card: ModelCard, folder: Path, run: Path) -> str | None:
    """Put an exported model, weights and card, into the registry under the run that made it.

    ``folder``: where :func:`hyperfocal.training.export.export` wrote; ``run``: the training's
    folder. Gives the version, or None where the training was not tracked or MLflow fails.
    """
    server = Server.of(run)
    run_id = run_of(run, server)
    if run_id is None:
        return None
    made: list[str] = []

    def send() -> None:
        client = server.client()
        files = [folder / entry.file for entry in card.weights.values()]
        for path in (*files, folder / f"{card.name}.toml"):
            client.log_artifact(run_id, str(path), "model")
        if not client.search_registered_models(f"name = '{card.name}'"):
            client.create_registered_model(card.name, description=card.purpose)
        version = client.create_model_version(
            card.name,
            source=f"runs:/{run_id}/model",
            run_id=run_id,
            await_creation_for=0,
            description=f"```toml\n{card.to_toml()}```",
            tags={
                "scale": str(card.scale),
                "licence": card.licence,
                **{f"sha256.{kind}": entry.sha256 for kind, entry in card.weights.items()},
            },
        )
        made.append(str(version.version))

    outbox = Outbox(f"MLflow ({server.uri})")
    outbox.put(send)
    outbox.close()
    return made[0] if made else None
