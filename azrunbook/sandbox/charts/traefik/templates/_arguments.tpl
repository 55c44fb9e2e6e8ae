{{- /* Traefik's command line, one argument per line, in the order of the official chart. */ -}}
{{- define "traefik.arguments" -}}
{{- if not .Values.global.checkNewVersion }}
- "--global.checkNewVersion=false"
{{- end }}
{{- if .Values.global.sendAnonymousUsage }}
- "--global.sendAnonymousUsage"
{{- end }}
{{- range $name, $port := .Values.ports }}
- "--entryPoints.{{ $name }}.address=:{{ $port.port }}/{{ lower $port.protocol }}"
{{- end }}
- "--ping=true"
- "--metrics.prometheus=true"
- "--metrics.prometheus.entrypoint=metrics"
{{- if .Values.providers.kubernetesIngress.enabled }}
- "--providers.kubernetesingress"
{{- if and .Values.service.enabled .Values.providers.kubernetesIngress.publishedService.enabled }}
- "--providers.kubernetesingress.ingressendpoint.publishedservice={{ .Release.Namespace }}/{{ include "traefik.fullname" . }}"
{{- end }}
{{- with .Values.providers.kubernetesIngress.ingressClass }}
- "--providers.kubernetesingress.ingressClass={{ . }}"
{{- end }}
{{- end }}
- "--entryPoints.websecure.http.tls=true"
{{- range $name, $port := .Values.ports }}
{{- range $key, $value := ($port.transport).lifeCycle }}
- "--entryPoints.{{ $name }}.transport.lifeCycle.{{ $key }}={{ $value }}"
{{- end }}
{{- end }}
- "--log.level={{ upper .Values.log.level }}"
{{- if .Values.accessLog.enabled }}
- "--accesslog=true"
{{- end }}
{{- range .Values.additionalArguments }}
- {{ . | quote }}
{{- end }}
{{- end }}
