#!/bin/sh
# As the image `apache/kafka` does: KAFKA_A_B=c is the broker's setting a.b=c, and new storage is formatted first.
set -eu
properties=/tmp/server.properties
env | awk -F= '/^KAFKA_/ { name = substr($1, 7); gsub("_", ".", name); print tolower(name) "=" substr($0, length($1) + 2) }' > "$properties"
java="/opt/java/bin/java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
# shellcheck disable=SC2086
$java -cp '/opt/kafka/libs/*' kafka.tools.StorageTool format --ignore-formatted -t 5L6g3nShT-eMCtK--X86sw -c "$properties"
# shellcheck disable=SC2086
exec $java -cp '/opt/kafka/libs/*' kafka.Kafka "$properties"
