package diagnose

import "regexp"

// redacted stands in the place of what an archive must not hold.
const redacted = "[redacted]"

// secrets is what secrets look like. The program keeps them out of its logs, metrics and status by itself; this is for what
// others write into the same places.
var secrets = []struct {
	// hint is in every text that has one: most have none, and looking for a word is cheap.
	hint  *regexp.Regexp
	looks *regexp.Regexp
	leave string
}{
	// Keys, whole.
	{regexp.MustCompile(`PRIVATE KEY`), regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`), redacted},
	// Tokens: those of Kubernetes are JWTs.
	{regexp.MustCompile(`eyJ`), regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`), redacted},
	{regexp.MustCompile(`(?i)bearer|basic`), regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}`), "$1 " + redacted},
	// user:password@ in addresses, with a password or without.
	{regexp.MustCompile(`://`), regexp.MustCompile(`://[^/\s"'@]+@`), "://" + redacted + "@"},
	// Values of keys whose name says it, as in YAML, JSON, logs and connection strings.
	{
		regexp.MustCompile(`(?i)pass|secret|key|token|dsn|credential`),
		regexp.MustCompile(`(?i)((?:password|passwd|passphrase|secret[_-]?key|access[_-]?key|client[_-]?secret|api[_-]?key|token|dsn|credentials?)(?:\\?["'])?\s*[:=]\s*)(?:\\?"[^"\\\n]*\\?"|'[^'\n]*'|[^\s,"';&]+)`),
		"${1}" + redacted,
	},
}

// scrub takes out what looks like a secret.
func scrub(text []byte) []byte {
	for _, s := range secrets {
		if s.hint.Match(text) {
			text = s.looks.ReplaceAll(text, []byte(s.leave))
		}
	}
	return text
}
