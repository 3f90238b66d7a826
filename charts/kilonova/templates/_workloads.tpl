{{/* A Deployment of one of our services: the same dict as kilonova.servicePod takes. */}}
{{- define "kilonova.deployment" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "kilonova.fullname" $root }}-{{ .component }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "kilonova.labels" (list $root .component) | nindent 4 }}
spec:
  replicas: {{ .values.replicas }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  selector:
    matchLabels:
      {{- include "kilonova.selectorLabels" (list $root .component) | nindent 6 }}
  template:
    {{- include "kilonova.servicePod" . | nindent 4 }}
{{- end -}}

{{- define "kilonova.podDisruptionBudget" -}}
{{- $root := .root -}}
{{- with .values.podDisruptionBudget }}
{{- if .enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "kilonova.fullname" $root }}-{{ $.component }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "kilonova.labels" (list $root $.component) | nindent 4 }}
spec:
  maxUnavailable: {{ .maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "kilonova.selectorLabels" (list $root $.component) | nindent 6 }}
{{- end }}
{{- end }}
{{- end -}}
