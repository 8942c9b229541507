"""`python -m services.workbench api | migrate`."""

from fastapi import FastAPI

from services.chassis.process import Context, Service, main
from services.workbench import api
from services.workbench.settings import WorkbenchSettings


def _api(context: Context) -> FastAPI:
    assert isinstance(context.settings, WorkbenchSettings)
    return api.build(context.settings, context.engine)


if __name__ == "__main__":
    main(Service("workbench", WorkbenchSettings, None, _api))
