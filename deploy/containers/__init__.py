"""Containers: what speaks to a stack of docker-compose.yml, and stand-ins of its servers where no image can be pulled."""
