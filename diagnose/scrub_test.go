package diagnose

import "testing"

func TestSecretsAreTakenOut(t *testing.T) {
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl"
	for name, tc := range map[string]struct{ text, want string }{
		"a key":                         {"a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb", "a\n[redacted]\nb"},
		"a key without an end":          {"-----BEGIN PRIVATE KEY-----\nMIIE\nMIIF", "[redacted]"},
		"a certificate is none":         {"-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----"},
		"a token":                       {"with " + jwt + " it", "with [redacted] it"},
		"a header":                      {"Authorization: Bearer abcdef0123456789", "Authorization: Bearer [redacted]"},
		"an address":                    {"postgres://holdfast:hunter2@db:5432/x", "postgres://[redacted]@db:5432/x"},
		"an address with a token alone": {"https://ghp_0123@example.com/x", "https://[redacted]@example.com/x"},
		"an address without":            {"https://example.com/x@y", "https://example.com/x@y"},
		"a connection string":           {"host=db password=hunter2 user=x", "host=db password=[redacted] user=x"},
		"one that is quoted":            {"host=db password='hunter 2' user=x", "host=db password=[redacted] user=x"},
		"YAML":                          {"registry-password: hunter2\nother: x", "registry-password: [redacted]\nother: x"},
		"YAML that is quoted":           {"  token: \"hunter 2\"\n", "  token: [redacted]\n"},
		"JSON":                          {`{"clientSecret":"hunter2","b":"c"}`, `{"clientSecret":[redacted],"b":"c"}`},
		"JSON in a log":                 {`msg="{\"password\":\"hunter2\"}"`, `msg="{\"password\":[redacted]}"`},
		"a log":                         {`level=ERROR msg=x api_key=hunter2 b=c`, `level=ERROR msg=x api_key=[redacted] b=c`},
		"a metric about Secrets":        {`holdfast_audit_objects{resource="secrets"} 7`, `holdfast_audit_objects{resource="secrets"} 7`},
		"names of Secrets":              {"secretName: holdfast-webhook-certs\nsecretKeyRef: {name: a, key: dsn}", "secretName: holdfast-webhook-certs\nsecretKeyRef: {name: a, key: dsn}"},
		"the path of a file":            {"ledger-dsn-file: /etc/holdfast/ledger/dsn", "ledger-dsn-file: /etc/holdfast/ledger/dsn"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(scrub([]byte(tc.text))); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}
