package peers

// values are arguments of every kind: plain ones, those at the edges, and such as functions read out of text.
var values = []any{
	nil, true, false,
	0.0, 1.0, -1.0, 2.0, 3.0, 1.5, -2.5, 13.0, 100.0, 8080.0, 16777217.0, 9007199254740993.0, 1e21, -1e21, 1e308, 0.1, 1e-9,
	"", " ", "a", "A", "abc", "a,b,c", "Abc-Def", "äöü", "ÄÖÜ", "日本語", "a\x00b", "\u00e4", "a\u0308", "nginx", "kube-system",
	"nginx:1.2", "ghcr.io/x/y:v1", "docker.io/library/nginx@sha256:128c6e3534b842a2eec139999b8ce8aa9a2af9907e2b9269550809d18cd832a3",
	"1", "0", "-0", "12Ki", "1Gi", "512Mi", "100m", "1.5", "-5", "-100m", "1e3", "1s", "1h30m", "-90s", "0s", "5m", "0Ki", "1E", "1k", "0.5Gi", "1000", "1024", "1n", "9223372036854775807",
	"2024-05-01T12:00:00Z", "2024-05-02T06:00:00+02:00", "2006-01-02T15:04:05Z07:00", "2006-01-02", "2024-05-01", "1714566600", "2024-02-30T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
	"^a", "[a-z]+", "(a)(b)?", "(?P<x>a)", "$1", "${x}", "$0", "*", "a*", "?", "a?c", "a[", "x{3}", "(", ".*", "$", "|",
	"1.2.3", "v1.2.3", "1.2.3-rc.1", "1.2.3+5", ">1.0.0", ">=1.2.x", "<2.0.0 || >=3.0.0", "!1.x.x", "=1.2.3", "1.2.x", "2", ">1 <2", "||",
	"true", "False", "TRUE", "yes", "SGVsbG8=", "SGVsbG8", "4pyT", "####", `{"a":[1,2]}`, "a: [1, yes]\nb: 0x10\n", "- 1\n- 2.5\n", "{", "a: b: c", "null", `"x"`, "/a//b/../c", "..", "./a/",
	"http://10.0.0.1/x", "https://8.8.8.8", "http://localhost:80", "https://[::1]/", "ftp://192.168.1.1", "://",
	[]any{}, []any{"a", "b"}, []any{"b", "a", "c"}, []any{1.0, 3.0, 2.0}, []any{"1Gi", "512Mi"}, []any{"1h", "30m", "1s"}, []any{1.0, "a"}, []any{nil}, []any{true}, []any{"a", nil}, []any{"1", 2.0},
	[]any{map[string]any{"a": 1.0}, map[string]any{"a": 2.0}}, []any{map[string]any{"a": "x"}, map[string]any{}}, []any{map[string]any{"a": "y"}, map[string]any{"a": "x"}}, []any{[]any{1.0}, []any{2.0}}, []any{"äöü", "zz", "Z"},
	map[string]any{}, map[string]any{"a": 1.0}, map[string]any{"b": "x", "a": nil}, map[string]any{"app": "web", "tier": "front"}, map[string]any{"app": "*"}, map[string]any{"a": map[string]any{"b": 2.0}},
}

// ownValues are arguments that a function makes more of than of others, and which are drawn for it more often.
var ownValues = map[string][]any{
	"add": quantities, "subtract": quantities, "multiply": quantities, "divide": quantities, "modulo": quantities, "sum": sums,
	"time_add": times, "time_after": times, "time_before": times, "time_between": times, "time_diff": times,
	"time_parse": times, "time_since": times, "time_to_cron": times, "time_truncate": times, "time_utc": times,
	"regex_match": patterns, "regex_replace_all": patterns, "regex_replace_all_literal": patterns, "pattern_match": patterns,
	"semver_compare": versions, "image_normalize": images, "is_external_url": addresses,
	"label_match": labels, "lookup": lookups, "object_from_lists": lists, "items": lists, "zip": lists,
	"truncate": lengths, "round": lengths, "to_number": quantities, "to_boolean": {"true", "TRUE", "tRuE", "false", "False", "1", "", "t"},
	"parse_json": documents, "parse_yaml": documents, "base64_decode": encoded,
	"contains": lookups, "split": {"a,b,c", ",", "", "äöü", "ö", "a", "aa"}, "trim": {"--a--", "-", "äaä", "ä", "", " a "},
	"replace": {"a-a-a", "a", "", "-", -1.0, 0.0, 1.0, 2.0, 1.5, 1e21}, "replace_all": {"a-a-a", "a", "", "-"}, "x509_decode": documents,
}

var (
	quantities = []any{
		0.0, 1.0, -1.0, 3.0, 0.1, 0.2, 2.5, 1e6, 1e18, 16777217.0, "0", "1", "3", "-3", "0.1", "1.5", "12Ki", "1Gi", "-1Gi", "512Mi", "1Mi", "100m", "1m", "3m", "1k", "1e3", "1E", "1n", "7u",
		"1s", "1h", "1h30m", "-90s", "0s", "1ms", "1ns", "300h", "2562047h", "0.5h", "1.5m", "x", "", "1 Gi", "1GB", "Ki", "0x10", "1e100", "+1", "1_000",
	}
	sums  = []any{[]any{}, []any{1.0}, []any{1.0, 0.1}, []any{"1Gi", "512Mi"}, []any{"1h", "30m"}, []any{"1", 2.0}, []any{"100m", "900m"}, []any{"1h", "1Gi"}, []any{"x"}, []any{nil}, []any{"-1", "1"}, []any{"0.1", "0.2"}, []any{1e308, 1e308}, []any{"1s"}, []any{"5"}}
	times = []any{
		"2024-05-01T12:00:00Z", "2024-05-02T06:00:00+02:00", "2021-01-02T15:04:05-07:00", "2024-05-01T12:00:00.999Z", "2024-02-29T23:59:60Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z",
		"1h", "-1h", "1h30m", "24h", "1ns", "0s", "1d", "", "2006-01-02", "2006-01-02T15:04:05Z07:00", "Mon Jan _2 15:04:05 2006", "Wed May  1 12:00:00 2024", "2024-05-01", "1714566600", "-1", "99999999999999999999", "15:04", "12:00", "x",
	}
	patterns = []any{
		"^a", "[a-z]+", "(a)(b)?", "(?P<x>a)b", "(?i)ABC", "$1", "${x}y", "$x", "$1y", "$$", "", ".", "*", "a*", "?", "a?c", "a[", "x{3}", "x{2,1}", "(", ")", "\\d+", "\\", "[^a]", "a|b", "^$", "\\bab",
		"abc", "ab", "aaa", "äbc", "a\nb", "123", "12.5", 12.5, 123.0, 1e6, 1e21, 0.1, -1.0, 1234567.5, "*.example.com", "www.example.com", "**", "a**c",
	}
	versions  = []any{"1.2.3", "v1.2.3", "1.2.3-rc.1", "1.2.3-alpha", "1.2.3+5", "1.2", "1", "01.2.3", "", ">1.0.0", ">=1.2.x", "<2.0.0 || >=3.0.0", "!1.x.x", "!1.2.3", "=1.2.3", "==1.2.3", "1.2.x", "1.x", "*", ">1.0.0 <2.0.0", "||", "> 1.0.0", "1.2.3 ", ">=", "^1.2.3", "~1.2.3", "1.2.3 - 2.0.0", "x"}
	images    = []any{"nginx", "nginx:1.2", "ghcr.io/x/y:v1", "localhost:5000/a", "localhost/a", "a/b", "a/b@sha256:128c6e3534b842a2eec139999b8ce8aa9a2af9907e2b9269550809d18cd832a3", "nginx:1@sha256:128c6e3534b842a2eec139999b8ce8aa9a2af9907e2b9269550809d18cd832a3", "Nginx", "a b", "", ":1", "a:", "a//b", "docker.io/nginx", "index.docker.io/library/nginx", "registry.io:443/x:y", "x@sha256:12", "-a"}
	addresses = []any{"http://10.0.0.1/x", "https://8.8.8.8", "http://localhost:80", "http://127.0.0.1", "https://[::1]/", "https://[2001:db8::1]/", "ftp://192.168.1.1", "http://172.16.0.1", "http://169.254.169.254/", "8.8.8.8", "//8.8.8.8", "", "://", "http://", "http://%zz", "mailto:a", "http://0.0.0.0", "http://1.1.1.1:80"}
	labels    = []any{map[string]any{"app": "web"}, map[string]any{"app": "w*"}, map[string]any{"a*": "w?b"}, map[string]any{}, map[string]any{"app": "web", "tier": "front"}, map[string]any{"app": 1.0}, map[string]any{"app": nil}, map[string]any{"*": "*"}, map[string]any{"app": true}}
	lookups   = []any{[]any{"a", "b"}, []any{}, []any{1.0, 2.0}, []any{nil}, []any{[]any{1.0}}, []any{map[string]any{"a": 1.0}}, map[string]any{"a": 1.0}, map[string]any{}, "a", "b", "ab", "", 0.0, 1.0, -1.0, 1.5, 5.0, 1e21, nil, []any{1.0}, true}
	lists     = []any{[]any{"a", "b"}, []any{1.0, 2.0}, []any{}, []any{"a"}, []any{"a", "a"}, []any{nil, true}, []any{[]any{}, map[string]any{}}, []any{"a", 1.0}, map[string]any{"a": 1.0}, map[string]any{"b": 2.0, "a": nil}, map[string]any{}, "key", "value", "k", ""}
	lengths   = []any{"Lorem ipsum", "äöü", "", "abc", 0.0, 1.0, 2.0, 2.6, -1.0, 5.0, 100.0, 1e21, -1e21, 3.14159, 2.5, -2.5, 0.5, 1234.5678, 1e300, 15.0, 308.0, 0.1, 1e-7}
	documents = []any{`{"a":[1,2]}`, `[1,2,]`, `{"a":1}{"b":2}`, `{"a":1,"a":2}`, `1e400`, `12345678901234567890`, `"x"`, `null`, ``, ` `, `{`, "a: [1, yes]\nb: 0x10\n", "- 1\n- 2.5\n", "a: b: c", "a: &x [1]\nb: *x\n", "a: !!str 1", "? a", "1: x", "a: 1\na: 2", "---\na: 1\n---\nb: 2\n", "2024-05-01", "on", "~", "a: 0o10", "a: .inf", "<<: {a: 1}", "\t", "a:\n\t- b", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}
	encoded   = []any{"SGVsbG8=", "SGVsbG8", "4pyT", "####", "", "SGVs\nbG8=", "_-==", "/+==", "gICA", "AA==", "A", "  ", "SGVsbG8=SGVsbG8="}
)
