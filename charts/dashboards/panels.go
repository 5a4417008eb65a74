package main

import "fmt"

// all are the dashboards, in the order of a look that goes from the promises to the costs.
func all() []dashboard { return []dashboard{overview(), admission(), drift(), remediation(), cost()} }

// rate is the change of a counter over what Grafana finds fit for the width of the panel.
func rate(counter string) string { return "rate(" + counter + "[$__rate_interval])" }

// quantiles of a histogram, by a label or, without one, of all.
func quantiles(histogram, by string) (queries []query) {
	labels, legend := "le", ""
	if by != "" {
		labels, legend = "le, "+by, " {{"+by+"}}"
	}
	for _, q := range []string{"0.5", "0.95", "0.99"} {
		queries = append(queries, query{fmt.Sprintf("histogram_quantile(%s, sum by (%s) (%s))", q, labels, rate(histogram+"_bucket")), "p" + q[2:] + legend})
	}
	queries[0].legend = "p50" + legend
	return queries
}

// ours keeps of the metrics that every program has those of Holdfast.
func ours(metric string) string { return metric + " and on (job, instance) holdfast_bundle_policies" }

func overview() dashboard {
	return dashboard{"overview", "Overview", []row{
		{"What is promised", []panel{
			{"Reviews not evaluated", "Share of the last hour's reviews that failurePolicy settled. Promised: 0.1 %.", stat, "percentunit", 0.001,
				[]query{{"holdfast:admission_unanswered:ratio_rate1h", ""}}},
			{"Reviews later than 100 ms", "Share of the last hour's reviews. Promised: 1 %.", stat, "percentunit", 0.01,
				[]query{{"holdfast:admission_late:ratio_rate1h", ""}}},
			{"Drift found later than 1 s", "Share of the last hour's findings. Promised: 1 %.", stat, "percentunit", 0.01,
				[]query{{"holdfast:detection_late:ratio_rate1h", ""}}},
			{"Types not covered", "Share of the types that policies name. Promised: none.", stat, "percentunit", 0.0001,
				[]query{{"1 - holdfast:audit_covered:ratio", ""}}},
			{"Settled findings", "Rules that objects fail, beyond the time in which that may pass.", stat, "short", 0,
				[]query{{"holdfast:drift:findings", ""}}},
			{"Until a certificate ends", "The first of all.", stat, "s", 0, []query{{"min(holdfast_certificate_expiry_seconds)", ""}}},
		}},
		{"At a glance", []panel{
			{"Reviews by decision", "Answers to the API server in a second.", series, "reqps", 0,
				[]query{{"sum by (decision) (" + rate("holdfast_admission_requests_total") + ")", "{{decision}}"}}},
			{"Time of a review", "In the webhook, without the way to it.", series, "s", 0, quantiles("holdfast_admission_duration_seconds", "")},
			{"Findings by state", "Transient ones may pass by themselves, settled ones are drift.", series, "short", 0,
				[]query{{"sum by (state) (holdfast_audit_findings)", "{{state}}"}}},
		}},
		{"State", []panel{
			{"Policies", "Of the bundle and of the cluster. Those that are not in force are named by holdfast status.", series, "short", 0,
				[]query{{"max by (source, state) (holdfast_policies)", "{{source}} {{state}}"}}},
			{"Replicas", "How many can be scraped, and how many audit.", series, "short", 0,
				[]query{{"count(holdfast_bundle_policies)", "running"}, {"sum(holdfast_audit_leader)", "auditing"}}},
			{"What is wrong", "Each should be zero.", series, "short", 0, []query{
				{"max(1 - holdfast_webhook_configuration_in_sync)", "webhook configurations out of step"},
				{"max(holdfast_webhook_fail_not_yet_on)", "entries whose Fail is not on yet"},
				{"max(holdfast_webhook_unserved_kinds)", "kinds that are not served"},
				{"max(1 - holdfast_ledger_writing)", "ledgers that cannot be written"},
				{"sum(max by (resource) (holdfast_audit_stale))", "types that are stale"},
			}},
		}},
	}}
}

func admission() dashboard {
	return dashboard{"admission", "Admission", []row{
		{"Reviews", []panel{
			{"By decision", "Answers in a second.", series, "reqps", 0, []query{{"sum by (webhook, decision) (" + rate("holdfast_admission_requests_total") + ")", "{{webhook}} {{decision}}"}}},
			{"By kind", "Of the objects; other is what no policy names.", series, "reqps", 0, []query{{"sum by (kind) (" + rate("holdfast_admission_requests_total") + ")", "{{kind}}"}}},
			{"In hand", "At 256 reviews, or 128 MiB, others are turned away.", series, "short", 0, []query{{"sum by (instance) (holdfast_admission_in_flight)", "{{instance}}"}}},
			{"Length of those in hand", "", series, "bytes", 0, []query{{"sum by (instance) (holdfast_admission_in_flight_bytes)", "{{instance}}"}}},
		}},
		{"Time", []panel{
			{"Of reviews, by webhook", "From the first byte to the answer.", series, "s", 0, quantiles("holdfast_admission_duration_seconds", "webhook")},
			{"Of reviews", "How many took how long.", heat, "s", 0, []query{{"sum by (le) (increase(holdfast_admission_duration_seconds_bucket[$__rate_interval]))", "{{le}}"}}},
		}},
		{"Time by policy", []panel{
			{"Of one rule, on average", "The ten policies that take the longest, from one review in eight.", series, "s", 0, []query{{
				"topk(10, sum by (policy) (" + rate("holdfast_admission_policy_duration_seconds_sum") + ") / sum by (policy) (" + rate("holdfast_admission_policy_duration_seconds_count") + "))", "{{policy}}"}}},
			{"Of all their rules together", "Share of a second that the ten most expensive policies take, of one review in eight.", series, "percentunit", 0, []query{{
				"topk(10, sum by (policy) (" + rate("holdfast_admission_policy_duration_seconds_sum") + "))", "{{policy}}"}}},
			{"Slowest rules", "The 99th percentile of the ten policies with the highest.", series, "s", 0, []query{{
				"topk(10, histogram_quantile(0.99, sum by (policy, le) (" + rate("holdfast_admission_policy_duration_seconds_bucket") + ")))", "{{policy}}"}}},
		}},
		{"What goes wrong", []panel{
			{"Not evaluated", "Reviews and rules, by reason; the log names them.", series, "reqps", 0, []query{{"sum by (webhook, reason) (" + rate("holdfast_admission_errors_total") + ")", "{{webhook}} {{reason}}"}}},
			{"Turned away", "Because too many were in hand.", series, "reqps", 0, []query{{"sum by (webhook, failure_policy) (" + rate("holdfast_admission_shed_total") + ")", "{{webhook}} {{failure_policy}}"}}},
			{"Webhook configurations written", "repaired: somebody else had changed them.", series, "short", 0, []query{{"sum by (configuration, change) (holdfast_webhook_configuration_writes_total)", "{{configuration}} {{change}}"}}},
		}},
		{"Look-ups of rules", []panel{
			{"By outcome", "", series, "reqps", 0, []query{{"sum by (question, outcome) (" + rate("holdfast_lookup_requests_total") + ")", "{{question}} {{outcome}}"}}},
			{"Time", "The 99th percentile by what is asked.", series, "s", 0, []query{{"histogram_quantile(0.99, sum by (question, le) (" + rate("holdfast_lookup_duration_seconds_bucket") + "))", "{{question}}"}}},
		}},
	}}
}

func drift() dashboard {
	return dashboard{"drift", "Drift", []row{
		{"Where and since when", []panel{
			{"Drift by namespace and policy", "Settled findings of the thirty pairs with the most; the darker, the more.", history, "short", 0,
				[]query{{`topk(30, max by (namespace, policy) (holdfast_audit_drift))`, "{{namespace}} / {{policy}}"}}},
		}},
		{"How much", []panel{
			{"Policies with the most", "", series, "short", 0, []query{{`topk(10, sum by (policy) (holdfast_audit_findings{state="settled"}))`, "{{policy}}"}}},
			{"Namespaces with the most", "", series, "short", 0, []query{{`topk(10, sum by (namespace) (holdfast_audit_namespace_findings{state="settled"}))`, "{{namespace}}"}}},
			{"By state", "", series, "short", 0, []query{{"sum by (state) (holdfast_audit_findings)", "{{state}}"}, {"max(holdfast_audit_settling)", "objects that settle"}}},
		}},
		{"Time to detect", []panel{
			{"From the write to the finding", "Of writes whose time is known to the millisecond.", series, "s", 0, quantiles(`holdfast_audit_detection_seconds`, "source")},
			{"How many took how long", "", heat, "s", 0, []query{{`sum by (le) (increase(holdfast_audit_detection_seconds_bucket[$__rate_interval]))`, "{{le}}"}}},
		}},
		{"Coverage", []panel{
			{"Stale types", "1: what is known may be out of date. holdfast status says why.", history, "short", 1, []query{{"max by (resource) (holdfast_audit_stale)", "{{resource}}"}}},
			{"Since the last full list", "", series, "s", 0, []query{{"time() - min by (resource) (holdfast_audit_last_list_timestamp_seconds > 0)", "{{resource}}"}}},
			{"Since anything was heard", "An API server says something each minute.", series, "s", 0, []query{{"time() - min by (resource) (holdfast_audit_last_heard_timestamp_seconds > 0)", "{{resource}}"}}},
		}},
		{"Objects", []panel{
			{"Known", "", series, "short", 0, []query{{"sum by (resource) (holdfast_audit_objects)", "{{resource}}"}}},
			{"Judged in a second", "", series, "ops", 0, []query{{"sum by (resource) (" + rate("holdfast_audit_objects_judged_total") + ")", "{{resource}}"}}},
			{"Not judged, because nothing had changed", "", series, "ops", 0, []query{{"sum by (resource) (" + rate("holdfast_audit_objects_unchanged_total") + ")", "{{resource}}"}}},
			{"Not evaluated in whole", "A rule is an error on them: see their reports.", series, "short", 0, []query{{"sum by (resource) (holdfast_audit_objects_failed)", "{{resource}}"}}},
		}},
	}}
}

func remediation() dashboard {
	return dashboard{"remediation", "Remediation", []row{
		{"What would mend drift", []panel{
			{"Waiting Remediations", "By how far they may go.", series, "short", 0, []query{{"sum by (mode) (holdfast_remediation_pending)", "{{mode}}"}}},
			{"Objects in them", "By what stands in the way; none: nothing does.", series, "short", 0, []query{{"sum by (obstacle) (holdfast_remediation_targets)", "{{obstacle}}"}}},
			{"Plans", "Proposed, and superseded because they no longer fit.", series, "ops", 0, []query{{"sum by (outcome) (" + rate("holdfast_remediation_plans_total") + ")", "{{outcome}}"}}},
			{"Not planned yet", "Objects that wait, and changes that there is no room for.", series, "short", 0, []query{{"max(holdfast_remediation_waiting)", "waiting"}, {"max(holdfast_remediation_dropped)", "dropped"}}},
		}},
		{"What rules want of other objects", []panel{
			{"Changes", "", series, "ops", 0, []query{{"sum by (action, outcome) (" + rate("holdfast_reconcile_changes_total") + ")", "{{action}} {{outcome}}"}}},
			{"Waiting", "Triggers whose rules want changes that have not been made yet.", series, "short", 0, []query{{"max(holdfast_reconcile_waiting)", "waiting"}}},
			{"Given up", "", series, "short", 0, []query{{"sum(holdfast_reconcile_dropped_total)", "dropped"}, {"sum(holdfast_reconcile_failures_total)", "attempts that failed"}}},
		}},
	}}
}

func cost() dashboard {
	return dashboard{"cost", "Cost", []row{
		{"Processes", []panel{
			{"CPU", "Cores.", series, "short", 0, []query{{ours(rate("process_cpu_seconds_total")), "{{instance}}"}}},
			{"Memory", "", series, "bytes", 0, []query{{ours("process_resident_memory_bytes"), "{{instance}}"}}},
			{"Goroutines", "", series, "short", 0, []query{{ours("go_goroutines"), "{{instance}}"}}},
			{"Reviews for a CPU-second", "Of admission and everything else together.", series, "short", 0, []query{{
				"sum(" + rate("holdfast_admission_requests_total") + ") / sum(" + ours(rate("process_cpu_seconds_total")) + ")", "reviews"}}},
		}},
		{"Audit", []panel{
			{"Time of a sweep", "The 90th percentile by type, since the start.", series, "s", 0, []query{{"histogram_quantile(0.9, sum by (resource, le) (holdfast_audit_sweep_duration_seconds_bucket))", "{{resource}}"}}},
			{"Requests about reports", "", series, "reqps", 0, []query{{"sum by (operation, outcome) (" + rate("holdfast_report_writes_total") + ")", "{{operation}} {{outcome}}"}}},
			{"Reports that wait", "", series, "short", 0, []query{{"max(holdfast_report_pending)", "pending"}}},
			{"Events", "", series, "reqps", 0, []query{{"sum by (reason, outcome) (" + rate("holdfast_events_total") + ")", "{{reason}} {{outcome}}"}}},
		}},
		{"Ledger", []panel{
			{"Entries", "", series, "ops", 0, []query{{"sum by (kind) (" + rate("holdfast_ledger_entries_total") + ")", "{{kind}}"}}},
			{"Time until they are on disk", "", series, "s", 0, quantiles("holdfast_ledger_append_duration_seconds", "")},
			{"Size", "", series, "bytes", 0, []query{{"max by (instance) (holdfast_ledger_size_bytes)", "{{instance}}"}}},
			{"Waiting entries", "", series, "short", 0, []query{{"max by (instance) (holdfast_ledger_waiting)", "{{instance}}"}}},
		}},
		{"Look-ups", []panel{
			{"Kept for look-ups", "About how long it is as JSON.", series, "bytes", 0, []query{{"sum by (cache) (holdfast_lookup_cache_bytes)", "{{cache}}"}}},
			{"Kinds that are watched for them", "", series, "short", 0, []query{{"max(holdfast_lookup_watched_kinds)", "kinds"}}},
		}},
	}}
}
