{{/* What a service is told by its environment. Call it with the values' map of options. */}}
{{- define "kilonova.optionEnv" -}}
{{- range $name, $value := . }}
- name: KILONOVA_{{ snakecase $name | upper }}
  value: {{ include "kilonova.optionValue" $value | quote }}
{{- end }}
{{- end -}}

{{- define "kilonova.optionValue" -}}
{{- if kindIs "slice" . -}}
{{- join "," . -}}
{{- else if kindIs "map" . -}}
{{- $pairs := list -}}
{{- range $key, $value := . -}}
{{- $pairs = append $pairs (printf "%s=%s" $key (include "kilonova.optionValue" $value)) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- else if kindIs "string" . -}}
{{- . -}}
{{- else -}}
{{- /* As a template prints it, a million would be 1e+06. */ -}}
{{- toJson . -}}
{{- end -}}
{{- end -}}

{{- define "kilonova.loggingEnv" -}}
- name: KILONOVA_LOG_FORMAT
  value: {{ .Values.logging.format | quote }}
- name: KILONOVA_LOG_LEVEL
  value: {{ .Values.logging.level | quote }}
{{- with .Values.logging.levels }}
- name: KILONOVA_LOG_LEVELS
  value: {{ include "kilonova.optionValue" . | quote }}
{{- end }}
{{- end -}}

{{- define "kilonova.natsUrl" -}}
{{- if .Values.nats.enabled -}}
tls://{{ include "kilonova.fullname" . }}-nats.{{ .Release.Namespace }}.svc:4222
{{- else -}}
{{- .Values.messaging.url -}}
{{- end -}}
{{- end -}}

{{- define "kilonova.tokenAudience" -}}
{{- if .Values.nats.enabled -}}
{{- default "nats.kilonova.dev" .Values.messaging.tokenAudience -}}
{{- else -}}
{{- .Values.messaging.tokenAudience -}}
{{- end -}}
{{- end -}}

{{- define "kilonova.caConfigMap" -}}
{{- if .Values.nats.enabled -}}
{{- include "kilonova.fullname" . }}-nats-ca
{{- else -}}
{{- .Values.messaging.caConfigMap -}}
{{- end -}}
{{- end -}}

{{/* How the broker is reached. The files are those of kilonova.messagingSources. */}}
{{- define "kilonova.brokerEnv" -}}
- name: KILONOVA_MESSAGING
  value: {{ include "kilonova.natsUrl" . | quote }}
{{- with include "kilonova.caConfigMap" . }}
- name: KILONOVA_MESSAGING_CA_FILE
  value: /var/run/secrets/kilonova/nats-ca.crt
{{- end }}
{{- end -}}

{{/* And how a service shows it who it is. */}}
{{- define "kilonova.messagingEnv" -}}
{{ include "kilonova.brokerEnv" . }}
{{- with include "kilonova.tokenAudience" . }}
- name: KILONOVA_MESSAGING_TOKEN_FILE
  value: /var/run/secrets/kilonova/nats-token
{{- end }}
{{- with .Values.messaging.credsSecret }}
- name: KILONOVA_MESSAGING_CREDS_FILE
  value: /var/run/secrets/kilonova/nats.creds
{{- end }}
{{- with .Values.messaging.clientCertSecret }}
- name: KILONOVA_MESSAGING_CERT_FILE
  value: /var/run/secrets/kilonova/nats-client.crt
- name: KILONOVA_MESSAGING_KEY_FILE
  value: /var/run/secrets/kilonova/nats-client.key
{{- end }}
{{- end -}}

{{- define "kilonova.streamReplicasEnv" -}}
{{- $replicas := .Values.messaging.streamReplicas -}}
{{- if and .Values.nats.enabled (kindIs "invalid" $replicas) }}{{ $replicas = .Values.nats.replicas }}{{ end -}}
{{- if not (kindIs "invalid" $replicas) }}
- name: KILONOVA_MESSAGING_REPLICAS
  value: {{ $replicas | quote }}
{{- end }}
{{- end -}}

{{- define "kilonova.brokerSources" -}}
{{- with include "kilonova.caConfigMap" . }}
- configMap:
    name: {{ . }}
    items: [{ key: ca.crt, path: nats-ca.crt }]
{{- end }}
{{- end -}}

{{- define "kilonova.messagingSources" -}}
{{ include "kilonova.brokerSources" . }}
{{- with include "kilonova.tokenAudience" . }}
- serviceAccountToken:
    path: nats-token
    audience: {{ . | quote }}
    expirationSeconds: 3600
{{- end }}
{{- with .Values.messaging.credsSecret }}
- secret:
    name: {{ . }}
    items: [{ key: nats.creds, path: nats.creds }]
{{- end }}
{{- with .Values.messaging.clientCertSecret }}
- secret:
    name: {{ . }}
    items:
      - { key: tls.crt, path: nats-client.crt }
      - { key: tls.key, path: nats-client.key }
{{- end }}
{{- end -}}

{{- define "kilonova.podMetadata" -}}
{{- $root := .root -}}
labels:
  {{- include "kilonova.labels" (list $root .component) | nindent 2 }}
  {{- if .hasMetrics }}
  compute.kilonova.dev/metrics: "true"
  {{- end }}
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  kubectl.kubernetes.io/default-container: {{ .component }}
  {{- with .values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Where a Pod may run. */}}
{{- define "kilonova.placement" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .values.affinity }}
affinity:
  {{- toYaml .values.affinity | nindent 2 }}
{{- else if .spread }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "kilonova.selectorLabels" (list $root $component) | nindent 14 }}
{{- end }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $constraint := . }}
  {{- if not .labelSelector }}
  {{- $labels := include "kilonova.selectorLabels" (list $root $component) | fromYaml }}
  {{- $constraint = merge (dict "labelSelector" (dict "matchLabels" $labels)) . }}
  {{- end }}
  - {{- toYaml $constraint | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The Pod template of one of our services: (dict "root" . "component" "api" "values" .Values.api "spread" true "env" "…"
     "sources" "…"). `env` is more than every service gets; `sources` instead of what others find beside their token. */}}
{{- define "kilonova.servicePod" -}}
{{- $root := .root -}}
metadata:
  {{- include "kilonova.podMetadata" (merge (dict "hasMetrics" true) .) | nindent 2 }}
spec:
  serviceAccountName: {{ include "kilonova.fullname" $root }}-{{ .component }}
  automountServiceAccountToken: true
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- include "kilonova.placement" . | nindent 2 }}
  containers:
    - name: {{ .component }}
      image: {{ include "kilonova.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [{{ .component }}]
      env:
        {{- include "kilonova.loggingEnv" $root | nindent 8 }}
        - name: KILONOVA_HEALTH_PORT
          value: "8080"
        {{- include (ternary "kilonova.brokerEnv" "kilonova.messagingEnv" (eq .component "nats-auth")) $root | trim | nindent 8 }}
        {{- with .env }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with include "kilonova.optionEnv" .values.options }}
        {{- . | trim | nindent 8 }}
        {{- end }}
        {{- with .values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: health
          containerPort: 8080
      livenessProbe:
        httpGet: { path: /healthz, port: health }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: health }
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 3
      {{- with .values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- $sources := default (include "kilonova.messagingSources" $root) .sources | trim }}
      {{- if $sources }}
      volumeMounts:
        - name: messaging
          mountPath: /var/run/secrets/kilonova
          readOnly: true
  volumes:
    - name: messaging
      projected:
        sources:
          {{- $sources | nindent 10 }}
      {{- end }}
{{- end -}}
