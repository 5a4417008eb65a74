{{/* The template of the Pods: of root, the chart's context; component, admission or audit; and args beside the configuration. */}}
{{- define "holdfast.pod" -}}
metadata:
  labels:
    {{- include "holdfast.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
    {{- with omit .root.Values.podLabels "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Files are read at the start: a change replaces the pods.
    holdfast.dev/config-checksum: {{ printf "%s\n%s" (include "holdfast.config" .root) (toYaml .root.Values.bundle) | sha256sum }}
    {{- with omit .root.Values.podAnnotations "holdfast.dev/config-checksum" }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "holdfast.serviceAccount" .root }}
  automountServiceAccountToken: true
  # Variables such as HOLDFAST_PORT, made from Services, would stand among those of the configuration.
  enableServiceLinks: false
  # Reviews in hand get the 30 s that an API server waits at most, after the pause below.
  terminationGracePeriodSeconds: 45
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: holdfast
      image: {{ include "holdfast.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args:
        - serve
        - --config
        - /etc/holdfast/config/holdfast.yaml
        {{- range .args }}
        - {{ . }}
        {{- end }}
      env:
        # For commands that are run in the Pod, such as `holdfast history`.
        - name: HOLDFAST_CONFIG
          value: /etc/holdfast/config/holdfast.yaml
      ports:
        {{- if eq .component "admission" }}
        - name: webhook
          containerPort: {{ .root.Values.webhook.port }}
          protocol: TCP
        {{- end }}
        - name: metrics
          containerPort: {{ .root.Values.metrics.port }}
          protocol: TCP
      {{- if and (eq .component "admission") (semverCompare ">=1.30.0-0" .root.Capabilities.KubeVersion.Version) }}
      lifecycle:
        preStop:
          # Until no API server's Service sends reviews here any more.
          sleep:
            seconds: 5
      {{- end }}
      livenessProbe:
        httpGet:
          path: /healthz
          port: metrics
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet:
          path: /readyz
          port: metrics
        # Ready a moment after it has registered itself: until then the Service leads nowhere.
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 3
      {{- with .root.Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        runAsNonRoot: true
        capabilities:
          drop: [ALL]
        seccompProfile:
          type: RuntimeDefault
      volumeMounts:
        - name: config
          mountPath: /etc/holdfast/config
          readOnly: true
        {{- if include "holdfast.bundle" .root }}
        - name: bundle
          mountPath: /etc/holdfast/bundle
          readOnly: true
        {{- end }}
        {{- if include "holdfast.ledgerFile" .root }}
        - name: state
          mountPath: /var/lib/holdfast
        {{- else if .root.Values.ledger.enabled }}
        - name: ledger
          mountPath: /etc/holdfast/ledger
          readOnly: true
        {{- end }}
        {{- if .root.Values.certificates.clients.configMap }}
        - name: clients
          mountPath: /etc/holdfast/clients
          readOnly: true
        {{- end }}
        {{- if and .root.Values.traces.endpoint .root.Values.traces.caConfigMap }}
        - name: collector-ca
          mountPath: /etc/holdfast/collector-ca
          readOnly: true
        {{- end }}
        {{- if and .root.Values.traces.endpoint .root.Values.traces.headers.secretName }}
        - name: collector
          mountPath: /etc/holdfast/collector
          readOnly: true
        {{- end }}
        {{- if include "holdfast.certificateSecret" .root }}
        - name: certs
          mountPath: /etc/holdfast/certs
          readOnly: true
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "holdfast.fullname" .root }}
    {{- with include "holdfast.bundle" .root }}
    - name: bundle
      configMap:
        name: {{ . }}
    {{- end }}
    {{- if and (include "holdfast.ledgerFile" .root) (not (and (eq .component "audit") (include "holdfast.ledgerClaim" .root))) }}
    - name: state
      emptyDir:
        sizeLimit: {{ .root.Values.ledger.volumeSize }}
    {{- else if and .root.Values.ledger.enabled .root.Values.ledger.postgres.secretName }}
    - name: ledger
      secret:
        secretName: {{ .root.Values.ledger.postgres.secretName }}
        defaultMode: 0440
        items:
          - key: {{ .root.Values.ledger.postgres.secretKey }}
            path: dsn
    {{- end }}
    {{- with .root.Values.certificates.clients.configMap }}
    - name: clients
      configMap:
        name: {{ . }}
    {{- end }}
    {{- with .root.Values.traces }}
    {{- if and .endpoint .caConfigMap }}
    - name: collector-ca
      configMap:
        name: {{ .caConfigMap }}
    {{- end }}
    {{- if and .endpoint .headers.secretName }}
    - name: collector
      secret:
        secretName: {{ .headers.secretName }}
        defaultMode: 0440
        items:
          - key: {{ .headers.secretKey }}
            path: headers
    {{- end }}
    {{- end }}
    {{- with include "holdfast.certificateSecret" .root }}
    - name: certs
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
  topologySpreadConstraints:
    {{- if .root.Values.topologySpreadConstraints }}
    {{- toYaml .root.Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "holdfast.selectorLabels" $.root | nindent 10 }}
          app.kubernetes.io/component: {{ $.component }}
    {{- end }}
    {{- end }}
  {{- with .root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
