"""The HTTP side of the picture of customers: journeys, encounters, needs, aspirations, expectations, feedback, relationship."""

from services.journey.api.picture import lists, maps, needs, relationships, sensed

ROUTERS = [maps.router, sensed.router, relationships.router, lists.router, needs.router]
