{{- define "kilonova.username" -}}
system:serviceaccount:{{ (index . 0).Release.Namespace }}:{{ include "kilonova.fullname" (index . 0) }}-{{ index . 1 }}
{{- end -}}

{{/* The binding of a policy of the same name, to be put behind it. */}}
{{- define "kilonova.policyBinding" -}}
{{- $root := index . 0 -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ index . 1 }}
  labels:
    {{- include "kilonova.labels" (list $root "policies") | nindent 4 }}
spec:
  policyName: {{ index . 1 }}
  validationActions: [Deny]
{{- end -}}

{{/* The version of MutatingAdmissionPolicy that the cluster serves; empty where it serves none or policies are off. */}}
{{- define "kilonova.requesterPolicyVersion" -}}
{{- if .Values.policies.enabled -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
v1
{{- else if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy" -}}
v1beta1
{{- end -}}
{{- end -}}
{{- end -}}

{{/* For nova-api: it believes the stamp only where the policy is that makes it. */}}
{{- define "kilonova.requesterEnv" -}}
- name: KILONOVA_TRUST_REQUESTER
  value: {{ ternary "true" "false" (ne (include "kilonova.requesterPolicyVersion" .) "") | quote }}
{{- end -}}
