"""The HTTP side of the workbench."""

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.http import create_app
from services.workbench import store
from services.workbench.settings import WorkbenchSettings


def build(settings: WorkbenchSettings, engine: AsyncEngine) -> FastAPI:
    """The application of `python -m services.workbench api`."""
    return create_app("workbench", settings, [], access={}, checks={"database": lambda: store.answers(engine)})
