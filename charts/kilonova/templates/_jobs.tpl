{{/* The Pod of what runs once, without metadata: (dict "root" . "component" "catalogue" "args" (list …) "env" "…"
     "messaging" true). */}}
{{- define "kilonova.oncePodSpec" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "kilonova.fullname" $root }}-{{ .component }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "kilonova.placement" (dict "root" $root "component" .component "values" $root.Values.jobs) | trim | nindent 0 }}
containers:
  - name: {{ .component }}
    image: {{ include "kilonova.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: {{ toJson .args }}
    env:
      {{- .env | trim | nindent 6 }}
    {{- with $root.Values.jobs.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $root.Values.securityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- $sources := ternary (include "kilonova.messagingSources" $root | trim) "" (default false .messaging) }}
    {{- if $sources }}
    volumeMounts:
      - name: messaging
        mountPath: /var/run/secrets/kilonova
        readOnly: true
    {{- end }}
{{- if $sources }}
volumes:
  - name: messaging
    projected:
      sources:
        {{- $sources | nindent 8 }}
{{- end }}
{{- end -}}

{{/* A Job that is a hook of the release: also "hook" "pre-install,pre-upgrade". It is removed when it has succeeded; one that
     failed stays to be looked at until the next try. */}}
{{- define "kilonova.hookJob" -}}
{{- $root := .root -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "kilonova.fullname" $root }}-{{ .component }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "kilonova.labels" (list $root .component) | nindent 4 }}
  annotations:
    helm.sh/hook: {{ .hook }}
    helm.sh/hook-weight: "0"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  {{- include "kilonova.jobSpec" . | nindent 2 }}
{{- end -}}

{{- define "kilonova.jobSpec" -}}
{{- $root := .root -}}
backoffLimit: 10
activeDeadlineSeconds: {{ $root.Values.jobs.activeDeadlineSeconds }}
template:
  metadata:
    {{- include "kilonova.podMetadata" (dict "root" $root "component" .component "values" $root.Values.jobs) | nindent 4 }}
  spec:
    restartPolicy: OnFailure
    {{- $env := printf "%s\n%s" (include "kilonova.loggingEnv" $root) (default "" .env) }}
    {{- include "kilonova.oncePodSpec" (merge (dict "env" $env) .) | nindent 4 }}
{{- end -}}

{{/* Whose keys `kilonova nats-keys` makes and renews. */}}
{{- define "kilonova.natsKeysEnv" -}}
{{- $nats := printf "%s-nats" (include "kilonova.fullname" .) }}
{{- $names := list $nats (printf "%s.%s" $nats .Release.Namespace) (printf "%s.%s.svc" $nats .Release.Namespace) }}
{{- /* As the servers call each other. */ -}}
{{- $names = append $names (printf "*.%s-headless.%s.svc" $nats .Release.Namespace) -}}
- name: KILONOVA_NAMESPACE
  value: {{ .Release.Namespace }}
- name: KILONOVA_NAME_PREFIX
  value: {{ include "kilonova.fullname" . }}
- name: KILONOVA_DNS_NAMES
  value: {{ join "," $names | quote }}
{{- end -}}
