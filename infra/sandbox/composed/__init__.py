"""The services of `infra/compose/compose.yaml` as processes of this machine, without a container engine.

Commands, environments, secrets, order and health checks are those of the file; programs are those of this environment
and of Debian's packages. In the place of what an engine gives, each container has a folder with its files under their
own paths, and names of services become ports of the loopback address. What an engine keeps apart (users, read-only
file systems, networks, limits) is not kept apart here.
"""
