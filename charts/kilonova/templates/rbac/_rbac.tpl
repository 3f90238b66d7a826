{{/* The ServiceAccount of a component, and its ClusterRole and Role with their bindings: (dict "root" . "component" "api"
     "rules" "…" "local" "…" "namespace" "…" "hook" "…"). `rules` hold in the whole cluster, `local` in one namespace, the
     release's unless another is given. A component of a hook has what it needs from before it runs until it has succeeded. */}}
{{- define "kilonova.rbac" -}}
{{- $root := .root -}}
{{- $name := printf "%s-%s" (include "kilonova.fullname" $root) .component -}}
{{- $labels := include "kilonova.labels" (list $root .component) -}}
{{- $metadata := printf "labels:\n%s" (indent 2 $labels) -}}
{{- with .hook -}}
{{- $metadata = printf "%s\nannotations:\n  helm.sh/hook: %s\n  helm.sh/hook-weight: \"-10\"\n  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded" $metadata . -}}
{{- end -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  {{- $metadata | nindent 2 }}
# Its Pods say themselves that they want the token.
automountServiceAccountToken: false
{{- with .rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name }}
  {{- $metadata | nindent 2 }}
rules:
  {{- . | trim | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  {{- $metadata | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $root.Release.Namespace }}
{{- end }}
{{- $namespace := default $root.Release.Namespace .namespace }}
{{- with .local }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  {{- $metadata | nindent 2 }}
rules:
  {{- . | trim | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  {{- $metadata | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $root.Release.Namespace }}
{{- end }}
{{- end -}}

{{/* A lease of this name, for the election of a leader. Who may make one cannot be told which. */}}
{{- define "kilonova.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ . }}]
  verbs: [get, update]
{{- end -}}

{{- define "kilonova.eventRules" -}}
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
