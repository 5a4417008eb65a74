{{- define "holdfast.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* The name of the Deployment, the Services and, where there may be one only, of their kind. */}}
{{- define "holdfast.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "holdfast.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Names without a namespace carry it, so that a release's own never meet another's. */}}
{{- define "holdfast.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "holdfast.fullname" .) -}}
{{- end }}

{{- define "holdfast.selectorLabels" -}}
app.kubernetes.io/name: {{ include "holdfast.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "holdfast.labels" -}}
{{ include "holdfast.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "holdfast.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "holdfast.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{- define "holdfast.webhookName" -}}
{{- .Values.webhook.name | default (include "holdfast.fullname" .) -}}
{{- end }}

{{- define "holdfast.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{/* The Secret with certificates that somebody else issues; nothing where Holdfast does. */}}
{{- define "holdfast.certificateSecret" -}}
{{- if .Values.certificates.certManager.enabled -}}
{{- printf "%s-tls" (include "holdfast.fullname" .) -}}
{{- else -}}
{{- .Values.certificates.secretName -}}
{{- end -}}
{{- end }}

{{/* The ConfigMap with the user's policies; nothing for the shipped bundle. */}}
{{- define "holdfast.bundle" -}}
{{- if .Values.bundle.configMap -}}
{{- .Values.bundle.configMap -}}
{{- else if .Values.bundle.policies -}}
{{- printf "%s-bundle" (include "holdfast.fullname" .) -}}
{{- end -}}
{{- end }}

{{/* Whether each Pod keeps its ledger in a file: "file", or nothing. */}}
{{- define "holdfast.ledgerFile" -}}
{{- if and .Values.ledger.enabled (not .Values.ledger.postgres.secretName) -}}file{{- end -}}
{{- end }}

{{/* Whether the Pods of the audit have claims for it: "claim", or nothing. */}}
{{- define "holdfast.ledgerClaim" -}}
{{- if and (include "holdfast.ledgerFile" .) .Values.ledger.persistence.enabled -}}claim{{- end -}}
{{- end }}

{{/* Modes as NAME=MODE. In YAML an off without quotes is false. */}}
{{- define "holdfast.modes" -}}
{{- $modes := list -}}
{{- range $name, $mode := . -}}
{{- $modes = append $modes (printf "%s=%s" $name (ternary "off" (toString $mode) (eq (toString $mode) "false"))) -}}
{{- end -}}
{{- toJson $modes -}}
{{- end }}

{{/* The file that `holdfast serve --config` reads. */}}
{{- define "holdfast.config" -}}
webhook-name: {{ include "holdfast.webhookName" . }}
{{- if .Values.rbac.create }}
webhook-owner: {{ include "holdfast.clusterName" . }}
{{- end }}
service: {{ include "holdfast.fullname" . }}
deployment: {{ include "holdfast.fullname" . }}
{{- with .Values.breakGlass.users }}
break-glass-users: {{ toJson . }}
{{- end }}
{{- with .Values.breakGlass.groups }}
break-glass-groups: {{ toJson . }}
{{- end }}
namespace: {{ .Release.Namespace }}
listen: {{ printf ":%d" (int .Values.webhook.port) | quote }}
metrics-listen: {{ printf ":%d" (int .Values.metrics.port) | quote }}
log-level: {{ .Values.log.level }}
log-format: {{ .Values.log.format }}
log-repeats: {{ int .Values.log.repeats }}
log-repeats-interval: {{ .Values.log.repeatsInterval }}
{{- with .Values.traces }}
{{- if .endpoint }}
otlp-endpoint: {{ .endpoint | quote }}
trace-ratio: {{ .ratio }}
{{- if .attributes }}
trace-attribute:
{{- range $key, $value := .attributes }}
  - {{ printf "%s=%s" $key $value | quote }}
{{- end }}
{{- end }}
{{- if .caConfigMap }}
otlp-ca-file: /etc/holdfast/collector-ca/ca.crt
{{- end }}
{{- if .headers.secretName }}
otlp-headers-file: /etc/holdfast/collector/headers
{{- end }}
{{- end }}
{{- end }}
report-api: {{ .Values.reports.api }}
report-layout: {{ .Values.reports.layout }}
report-results: {{ toJson .Values.reports.results }}
resweep: {{ .Values.audit.resweep }}
clock-interval: {{ .Values.audit.clockInterval }}
lookup-timeout: {{ .Values.lookups.timeout }}
settle: {{ .Values.findings.settle }}
{{- with .Values.findings.settleNamespaces }}
settle-namespace: {{ toJson . }}
{{- end }}
events: {{ .Values.events.enabled }}
{{- with .Values.lookups.allowedServices }}
allowed-service-url: {{ toJson . }}
{{- end }}
reconcile: {{ .Values.reconcile.enabled }}
reconcile-mode: {{ .Values.reconcile.mode }}
approval-lasts: {{ .Values.reconcile.approvals.lasts }}
approval-not-by-author: {{ .Values.reconcile.approvals.notByAuthor }}
managed-by: {{ .Values.reconcile.managedBy | quote }}
live-policies: {{ .Values.livePolicies.enabled }}
{{- with .Values.livePolicies.exceptionNamespaces }}
exception-namespaces: {{ toJson . }}
{{- end }}
ledger: {{ .Values.ledger.enabled }}
{{- if .Values.ledger.enabled }}
ledger-retention: {{ .Values.ledger.retention }}
{{- if .Values.ledger.postgres.secretName }}
ledger-dsn-file: /etc/holdfast/ledger/dsn
{{- else }}
ledger-max-size: {{ .Values.ledger.maxSize }}
state-dir: /var/lib/holdfast
{{- end }}
{{- end }}
{{- if include "holdfast.bundle" . }}
bundle: [/etc/holdfast/bundle]
{{- end }}
{{- with .Values.packs }}
pack: {{ include "holdfast.modes" . }}
{{- end }}
{{- with .Values.policyModes }}
policy: {{ include "holdfast.modes" . }}
{{- end }}
{{- with .Values.parameters }}
parameter:
{{- range $name, $value := . }}
{{- if not (kindIs "slice" $value) }}
  - {{ printf "%s=%v" $name $value | quote }}
{{- else }}
{{- range $value }}
  - {{ printf "%s=%v" $name . | quote }}
{{- else }}
  - {{ printf "%s=" $name | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if include "holdfast.certificateSecret" . }}
cert-dir: /etc/holdfast/certs
{{- end }}
{{- with .Values.certificates.clients }}
{{- if .configMap }}
client-ca-file: /etc/holdfast/clients/ca.crt
{{- with .names }}
client-name: {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.config }}
{{ toYaml . }}
{{- end }}
{{- end }}
