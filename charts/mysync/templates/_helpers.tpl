{{- define "mysync.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "mysync.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mysync.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "mysync.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* The settings file: the given ones, and the address that probes can reach. */}}
{{- define "mysync.settings" -}}
{{- $http := merge (dict "host" "0.0.0.0" "producer_port" 8701 "consumer_port" 8702) (default dict .Values.settings.http) -}}
{{- merge (dict "http" $http) .Values.settings | toYaml -}}
{{- end -}}

{{/* One secret key as a variable that names its mounted file. Call with a list: variable, key. */}}
{{- define "mysync.secretFile" -}}
{{- $key := index . 1 -}}
{{- if $key }}
- name: {{ index . 0 }}
  value: /etc/mysync/secrets/{{ $key }}
{{- end -}}
{{- end -}}

{{/* The pod of a service. Call with a dict: root, service (producer or consumer), port. */}}
{{- define "mysync.pod" -}}
{{- $root := .root -}}
{{- $values := index $root.Values .service -}}
{{- $secret := $root.Values.existingSecret -}}
metadata:
  labels:
    {{- include "mysync.selectorLabels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .service }}
  annotations:
    # Another configuration is another pod.
    checksum/config: {{ include "mysync.settings" $root | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  # Services called mysync-… would add MYSYNC_… variables; mysync-schema-registry's would be refused
  # as misspelt settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: {{ .service }}
      image: "{{ $root.Values.image.repository }}:{{ default $root.Chart.AppVersion $root.Values.image.tag }}"
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      command: [mysync-{{ .service }}, run]
      env:
        - name: MYSYNC_CONFIG
          value: /etc/mysync/config/mysync.yaml
        {{- include "mysync.secretFile" (list (printf "MYSYNC_%s__PASSWORD_FILE" (ternary "SOURCE" "TARGET" (eq .service "producer"))) (ternary $secret.sourcePasswordKey $secret.targetPasswordKey (eq .service "producer"))) | nindent 8 }}
        {{- with $secret.kafkaSaslPasswordKey }}
        {{- include "mysync.secretFile" (list "MYSYNC_KAFKA__SASL_PASSWORD_FILE" .) | nindent 8 }}
        {{- end }}
        {{- with $secret.httpTokenKey }}
        {{- include "mysync.secretFile" (list "MYSYNC_HTTP__TOKEN_FILE" .) | nindent 8 }}
        {{- end }}
        {{- with $values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: http
          containerPort: {{ .port }}
          protocol: TCP
      # Alive is a loop that goes round, whatever Kafka and the servers do: a restart mends no outage.
      startupProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 5
        timeoutSeconds: 5
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        runAsNonRoot: true
        capabilities:
          drop: [ALL]
      {{- with $values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: config
          mountPath: /etc/mysync/config
          readOnly: true
        - name: secrets
          mountPath: /etc/mysync/secrets
          readOnly: true
        - name: tmp
          mountPath: /tmp
        {{- range $root.Values.extraVolumeMounts }}
        - {{ toYaml (merge (dict "readOnly" true) .) | nindent 10 | trim }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "mysync.fullname" $root }}
    - name: secrets
      secret:
        secretName: {{ $secret.name }}
        defaultMode: 0440
    - name: tmp
      emptyDir: {}
    {{- with $root.Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
