package manifests

// defaultIgnored are the fields that the API server, controllers and Kyverno itself set: the lists of
// k8s-manifest-sigstore and of Kyverno 1.19 together.
func defaultIgnored() []ignored {
	of := func(kind string, fields ...string) ignored {
		return ignored{fields: compileFields(fields...), objects: []objectPattern{{kind: kind}}}
	}
	return []ignored{
		of("*",
			"status", "metadata.namespace", "metadata.uid", "metadata.generation", "metadata.resourceVersion",
			"metadata.selfLink", "metadata.creationTimestamp", "metadata.finalizers", "metadata.managedFields",
			"metadata.labels.app.kubernetes.io/instance", "metadata.annotations.namespace",
			"metadata.annotations.kubectl.kubernetes.io/last-applied-configuration",
			"metadata.annotations.control-plane.alpha.kubernetes.io/leader",
			"metadata.annotations.deployment.kubernetes.io/revision",
			"metadata.annotations.deprecated.daemonset.template.generation",
			"spec.containers.*.imagePullPolicy", "spec.containers.*.terminationMessagePath",
			"spec.containers.*.terminationMessagePolicy", "spec.dnsPolicy", "spec.restartPolicy",
			"spec.schedulerName", "spec.terminationGracePeriodSeconds"),
		of("Pod",
			"spec.volumes.*.name", "spec.volumes.*.projected.*", "spec.volumes.*.configMap.defaultMode",
			"spec.containers.*.volumeMounts.*", "spec.tolerations.*", "spec.enableServiceLinks",
			"spec.preemptionPolicy", "spec.priority", "spec.serviceAccount"),
		of("Deployment",
			"spec.progressDeadlineSeconds", "spec.revisionHistoryLimit", "spec.strategy.*",
			"spec.template.metadata.creationTimestamp", "spec.containers.*.ports.*.protocol",
			"spec.containers.*.resources", "spec.securityContext"),
		of("Service",
			"spec.ports.*.nodePort", "spec.clusterIP", "spec.clusterIPs.0", "spec.sessionAffinity", "spec.type",
			"spec.ipFamilies.*", "spec.ipFamilyPolicy", "spec.internalTrafficPolicy"),
		of("ServiceAccount", "secrets.*.name", "imagePullSecrets.*.name"),
		of("CustomResourceDefinition", "spec.conversion.strategy", "spec.names.listKind"),
		of("ClusterPolicy,Policy",
			"metadata.annotations.pod-policies.kyverno.io/autogen-controllers", "spec.failurePolicy",
			"spec.background", "spec.validationFailureAction"),
		{fields: compileFields("spec.host"), objects: []objectPattern{{kind: "Route", group: "route.openshift.io"}}},
	}
}
