{{/* What tells one part from another: `component` is a process (journey-consume) or a job (journey-migrate). */}}
{{- define "makegood.selector" -}}
app.kubernetes.io/name: makegood
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "makegood.labels" -}}
{{ include "makegood.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "makegood.name" -}}
{{ printf "%s-%s" .root.Release.Name .component | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* How many partitions a topic has, as the contracts say. */}}
{{- define "makegood.partitions" -}}
{{- range (.root.Files.Get "topics.yaml" | fromYaml).topics }}{{ if eq .name $.topic }}{{ .partitions }}{{ end }}{{ end }}
{{- end }}

{{/* What everything in a pod of ours has in common: nobody's, shut in, with nowhere to write. */}}
{{- define "makegood.pod" -}}
serviceAccountName: {{ .root.Release.Name }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65534
  runAsGroup: 65534
  fsGroup: 65534
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "makegood.container" -}}
image: {{ printf "%s:%s" .root.Values.image.repository (.root.Values.image.tag | default .root.Chart.AppVersion) }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Kafka's part of the environment, and the files it names; `kafkaSecret` is the Secret that holds them. */}}
{{- define "makegood.kafka" -}}
- {name: MAKEGOOD_KAFKA, value: {{ required "kafka.bootstrap: the brokers' address, host:port" .root.Values.kafka.bootstrap | quote }}}
- {name: MAKEGOOD_KAFKA_SECURITY_PROTOCOL, value: {{ .root.Values.kafka.securityProtocol }}}
{{- if hasPrefix "SASL" .root.Values.kafka.securityProtocol }}
- {name: MAKEGOOD_KAFKA_SASL_MECHANISM, value: {{ .root.Values.kafka.saslMechanism }}}
- {name: MAKEGOOD_KAFKA_USER_FILE, value: /kafka/user}
- {name: MAKEGOOD_KAFKA_PASSWORD_FILE, value: /kafka/password}
{{- end }}
{{- if hasSuffix "SSL" .root.Values.kafka.securityProtocol }}
- {name: MAKEGOOD_KAFKA_CA_FILE, value: /kafka/ca.crt}
{{- end }}
{{- if eq .root.Values.kafka.securityProtocol "SSL" }}
- {name: MAKEGOOD_KAFKA_CERTIFICATE_FILE, value: /kafka/tls.crt}
- {name: MAKEGOOD_KAFKA_KEY_FILE, value: /kafka/tls.key}
{{- end }}
{{- end }}

{{- define "makegood.environment" -}}
- {name: MAKEGOOD_ENV, value: production}
- {name: MAKEGOOD_CLOCK, value: live}
- {name: MAKEGOOD_ISSUER, value: {{ required "tokens.issuer: who issues tokens, as they name themselves" .root.Values.tokens.issuer | quote }}}
- {name: MAKEGOOD_AUDIENCE, value: {{ .root.Values.tokens.audience | quote }}}
- {name: MAKEGOOD_JWKS_URL, value: {{ required "tokens.jwksUrl: where the issuer's public keys are" .root.Values.tokens.jwksUrl | quote }}}
- name: MAKEGOOD_DATABASE
  valueFrom: {secretKeyRef: {name: {{ index .root.Values.database.secrets .service }}, key: {{ .databaseKey | default "database" }}}}
{{ include "makegood.kafka" . }}
{{- if .root.Values.telemetry.endpoint }}
- {name: MAKEGOOD_TRACES, value: otlp}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ .root.Values.telemetry.endpoint | quote }}}
{{- end }}
{{- if eq .service "journey" }}
- name: MAKEGOOD_STATUS_SECRET
  valueFrom: {secretKeyRef: {name: {{ .root.Values.database.secrets.journey }}, key: status-secret}}
{{- end }}
{{- if eq .service "workbench" }}
{{- range $name := list "journey" "promises" "recovery" }}
- {name: MAKEGOOD_{{ upper $name }}_URL, value: "http://{{ include "makegood.name" (dict "root" $.root "component" (printf "%s-api" $name)) }}:8080"}
{{- end }}
- {name: MAKEGOOD_WORKBENCH_URL, value: {{ required "workbench.url: where people find the workbench" .root.Values.workbench.url | quote }}}
- {name: MAKEGOOD_OIDC_URL, value: {{ required "workbench.oidcUrl: the OpenID provider people sign in at" .root.Values.workbench.oidcUrl | quote }}}
- {name: MAKEGOOD_OIDC_CLIENT, value: {{ .root.Values.workbench.oidcClient | quote }}}
- name: MAKEGOOD_OIDC_SECRET
  valueFrom: {secretKeyRef: {name: {{ .root.Values.database.secrets.workbench }}, key: oidc-secret}}
- {name: MAKEGOOD_ASSETS, value: /makegood/browser/served}
{{- end }}
{{- range $name, $value := .root.Values.settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{/* Whether brokers ask who we are, so that a Secret with the answer is mounted. */}}
{{- define "makegood.kafka.named" -}}
{{ if and (ne .root.Values.kafka.securityProtocol "PLAINTEXT") (hasKey .root.Values.kafka.secrets .secretOf) }}yes{{ end }}
{{- end }}

{{- define "makegood.kafka.mount" -}}
{{- if include "makegood.kafka.named" . }}
volumeMounts:
  - {name: kafka, mountPath: /kafka, readOnly: true}
{{- end }}
{{- end }}

{{- define "makegood.kafka.volume" -}}
{{- if include "makegood.kafka.named" . }}
volumes:
  - {name: kafka, secret: {secretName: {{ index .root.Values.kafka.secrets .secretOf }}, defaultMode: 0440}}
{{- end }}
{{- end }}
