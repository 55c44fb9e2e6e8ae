{{/* One name for every object: the release's, as one release is one application in a namespace. */}}
{{- define "app.name" -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/*
Selector labels, apart from the labels below: a Deployment's selector is immutable, so nothing that
changes from release to release (version, chart) may be in it.
*/}}
{{- define "app.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Of a pod: no more than can differ between releases, as each change here restarts every pod. */}}
{{- define "app.podLabels" -}}
{{ include "app.selectorLabels" . }}
{{- /* A tag may be longer than a label and end in what a label may not. */}}
app.kubernetes.io/version: {{ .Values.image.tag | trunc 63 | trimAll "-_." | quote }}
{{- end -}}

{{- define "app.labels" -}}
{{ include "app.podLabels" . }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Tag and digest: the tag is for people, a node pulls by the digest alone. */}}
{{- define "app.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ .tag }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end -}}

{{/* The fewest pods there may be: what a disruption budget has to be judged against. */}}
{{- define "app.fewestReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled -}}
{{- end -}}

{{/*
What the pods read of the Secret, as a digest: another content restarts them, as they read it only
when they start. Empty where no cluster is asked. The runbook computes the same one.
*/}}
{{- define "app.dataDigest" -}}
{{- with .Values.data.secretName }}
{{- with lookup "v1" "Secret" $.Release.Namespace . }}
{{- printf "%s %s" (get .data "DATABASE_URL") (get .data "REDIS_URL") | sha256sum }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Variables that the chart itself sets, in the order they are rendered. A YAML list of env entries. */}}
{{- define "app.ownEnv" -}}
- name: APP_VERSION
  value: {{ .Values.image.tag | quote }}
- name: REGION
  value: {{ .Values.region | quote }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
# The pod's own address: what shares its network cannot answer for it.
- name: HOST
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: PORT
  value: {{ .Values.service.targetPort | quote }}
- name: DRAIN_SECONDS
  value: {{ .Values.shutdown.drainSeconds | quote }}
- name: GRACEFUL_SECONDS
  value: {{ .Values.shutdown.finishSeconds | quote }}
- name: FAULT_UNREADY
  value: {{ .Values.faults.unready | quote }}
- name: FAULT_DELAY_SECONDS
  value: {{ .Values.faults.delaySeconds | quote }}
- name: FAULT_ERROR_PERCENT
  value: {{ .Values.faults.errorPercent | quote }}
{{- with .Values.data.secretName }}
{{- range list "DATABASE_URL" "REDIS_URL" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.data.secretName }}
      key: {{ . }}
{{- end }}
{{- end }}
{{- end -}}
