"""The HTTP side of the picture of customers: journeys, encounters, needs, aspirations, expectations, feedback, relationship."""

from services.journey.api.picture import maps

ROUTERS = [maps.router]
