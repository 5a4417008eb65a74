package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"sigs.k8s.io/yaml"
)

// StatusOptions are what `holdfast status` takes.
type StatusOptions struct {
	// Kubeconfig leads to the cluster; empty means the usual places.
	Kubeconfig string
	// Namespace is where the replicas run.
	Namespace string
	// URLs are where replicas serve /status, for those that are not reached through the API server.
	URLs []string
	// Output is Table, JSON or YAML.
	Output  Format
	Version string
}

// StatusFormats are those of a status.
func StatusFormats() []Format { return []Format{Table, JSON, YAML} }

// Validate names the first option that cannot be.
func (o *StatusOptions) Validate() error {
	for _, u := range o.URLs {
		if parsed, err := url.Parse(u); err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
			return fmt.Errorf("--url %q: expected http://HOST:PORT", u)
		}
	}
	if o.Namespace == "" {
		return errors.New("--namespace is empty")
	}
	return nil
}

// clusterStatus is the answer of `holdfast status`: what each replica says, and what that makes together.
type clusterStatus struct {
	Replicas []replicaStatus `json:"replicas"`
	// Coverage is what those that audit have seen together, by type.
	Coverage []statusCoverage `json:"coverage"`
	// Gaps say what is not as it should be. Nothing in them means that all is looked at.
	Gaps []string `json:"gaps,omitempty"`
	// Stopped says why nothing is changed at all.
	Stopped *statusStopped `json:"stopped,omitempty"`
	// NotAuditable are rules that no audit can judge, which is as it should be.
	NotAuditable []statusNotJudged `json:"notAuditable,omitempty"`
}

// replicaStatus is what one replica answered, or why it did not.
type replicaStatus struct {
	Name   string  `json:"name"`
	Error  string  `json:"error,omitempty"`
	Status *status `json:"status,omitempty"`
}

// Status asks every replica how it is, writes what that makes together, and answers Findings where there are gaps.
func Status(ctx context.Context, opts StatusOptions, streams IO) (Exit, error) {
	asked := replicasAt(opts.URLs)
	if len(opts.URLs) == 0 {
		clients, err := connect(userKubeconfig(opts.Kubeconfig), opts.Version, streams.Log)
		if err != nil {
			return Failed, err
		}
		defer clients.close()
		if asked, err = replicasIn(ctx, clients.kube, opts.Namespace); err != nil {
			return Failed, err
		}
	}
	replicas := statusOf(ctx, asked)
	s := together(replicas)
	var err error
	switch opts.Output {
	case JSON:
		encoder := json.NewEncoder(streams.Out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(s)
	case YAML:
		var text []byte
		if text, err = yaml.Marshal(s); err == nil {
			_, err = streams.Out.Write(text)
		}
	default:
		err = s.write(streams.Out, time.Now())
	}
	switch {
	case err != nil:
		return Failed, fmt.Errorf("writing the status: %w", err)
	case !slices.ContainsFunc(replicas, func(r replicaStatus) bool { return r.Status != nil }):
		return Failed, errors.New("no replica has answered")
	case len(s.Gaps) > 0:
		return Findings, nil
	default:
		return Clean, nil
	}
}
