"""Containers: what speaks to a stack of docker-compose.yml, and what proves it where no image can be pulled."""
