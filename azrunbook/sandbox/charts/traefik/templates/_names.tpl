{{- define "traefik.name" -}}
{{- .Chart.Name }}
{{- end }}

{{- define "traefik.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name }}{{ end }}
{{- end }}

{{- /* Cluster-wide objects carry the namespace, so that two releases do not collide. */ -}}
{{- define "traefik.clusterName" -}}
{{- printf "%s-%s" (include "traefik.fullname" .) .Release.Namespace }}
{{- end }}

{{- /* A Deployment's selector is immutable: nothing that a new version changes may be in here. */ -}}
{{- define "traefik.selectorLabels" -}}
app.kubernetes.io/name: {{ include "traefik.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}-{{ .Release.Namespace }}
{{- end }}

{{- define "traefik.labels" -}}
{{ include "traefik.selectorLabels" . }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "traefik.image" -}}
{{- printf "%s/%s:%s" .Values.image.registry .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
