package config

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

type word string

// flags are those of an imaginary command.
func flags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	fs.String("listen", ":9443", "")
	fs.StringArray("bundle", nil, "")
	fs.Bool("verbose", false, "")
	fs.Int("workers", 4, "")
	level := word("info")
	fs.Var(NewChoice(&level, []word{"debug", "info", "warn"}), "log-level", "")
	fs.String(Flag, "", "")
	fs.Bool("help", false, "")
	fs.Bool("print-config", false, "")
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return fs
}

// applied writes the configuration in force, or the error.
func applied(t *testing.T, file string, env map[string]string, args ...string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	opts := Options{
		Known:     append(Keys(flags(t)), "of-another-command"),
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
	if file != "" {
		opts.File = "c.yaml"
		if err := os.WriteFile(opts.File, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fs := flags(t, args...)
	values, err := Apply(context.Background(), fs, opts)
	if err != nil {
		return err.Error()
	}
	var b bytes.Buffer
	if err := Print(&b, values); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestValuesComeFromTheStrongestSource(t *testing.T) {
	const file = "listen: 127.0.0.1:1\nbundle: [a, b]\nverbose: true\nworkers: 8\nlog-level: debug\nof-another-command: x\n"
	env := map[string]string{
		"HOLDFAST_LISTEN": "127.0.0.1:2", "HOLDFAST_BUNDLE": "c,d", "HOLDFAST_VERBOSE": "false", "HOLDFAST_WORKERS": "9",
		"HOLDFAST_LOG_LEVEL": "warn", "HOLDFAST_PORT": "tcp://10.0.0.1:443",
	}
	for name, tc := range map[string]struct {
		file string
		env  map[string]string
		args []string
		want string
	}{
		"the default without any": {
			want: "bundle: [] # default\nlisten: :9443 # default\nlog-level: info # default\nverbose: false # default\nworkers: 4 # default\n",
		},
		"the file": {
			file: file,
			want: "bundle: # file c.yaml\n- a\n- b\nlisten: 127.0.0.1:1 # file c.yaml\nlog-level: debug # file c.yaml\nverbose: true # file c.yaml\nworkers: 8 # file c.yaml\n",
		},
		"the environment before the file": {
			file: file, env: env,
			want: "bundle: # environment HOLDFAST_BUNDLE\n- c\n- d\nlisten: 127.0.0.1:2 # environment HOLDFAST_LISTEN\nlog-level: warn # environment HOLDFAST_LOG_LEVEL\nverbose: false # environment HOLDFAST_VERBOSE\nworkers: 9 # environment HOLDFAST_WORKERS\n",
		},
		"the command line before all": {
			file: file, env: env, args: []string{"--listen=:3", "--bundle=e", "--verbose", "--workers=7", "--log-level=info"},
			want: "bundle: # flag\n- e\nlisten: :3 # flag\nlog-level: info # flag\nverbose: true # flag\nworkers: 7 # flag\n",
		},
		"an empty variable is none": {
			env:  map[string]string{"HOLDFAST_LISTEN": ""},
			want: "bundle: [] # default\nlisten: :9443 # default\nlog-level: info # default\nverbose: false # default\nworkers: 4 # default\n",
		},
		"one value is a list of one": {
			file: "bundle: a\n", env: map[string]string{"HOLDFAST_LOG_LEVEL": "debug"},
			want: "bundle: # file c.yaml\n- a\nlisten: :9443 # default\nlog-level: debug # environment HOLDFAST_LOG_LEVEL\nverbose: false # default\nworkers: 4 # default\n",
		},
		"an empty file says nothing": {
			file: "# nothing\n", args: []string{"--listen=:1"},
			want: "bundle: [] # default\nlisten: :1 # flag\nlog-level: info # default\nverbose: false # default\nworkers: 4 # default\n",
		},
		"JSON is a configuration too": {
			file: `{"workers": 12}`,
			want: "bundle: [] # default\nlisten: :9443 # default\nlog-level: info # default\nverbose: false # default\nworkers: 12 # file c.yaml\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := applied(t, tc.file, tc.env, tc.args...); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func TestWhatIsPrintedCanBeReadAgain(t *testing.T) {
	first := applied(t, "", nil, "--listen=a: b # c", "--bundle=- x", "--bundle=y", "--workers=3")
	again := applied(t, first, nil)
	strip := strings.NewReplacer(" # flag", "", " # file c.yaml", "", " # default", "")
	if strip.Replace(again) != strip.Replace(first) {
		t.Errorf("got\n%s\nwant\n%s", again, first)
	}
}

func TestMistakesAreToldWithTheirPlace(t *testing.T) {
	for name, tc := range map[string]struct {
		file string
		env  map[string]string
		want string
	}{
		"unknown keys":                 {"# c\nworker: 3\nverbose: true\nx: y\n", nil, "c.yaml:2:1: unknown key \"worker\": did you mean workers?\nc.yaml:4:1: unknown key \"x\""},
		"a key that is none":           {"config: a\n", nil, `c.yaml:1:1: unknown key "config"`},
		"values that do not fit":       {"workers: many\nlog-level: loud\nverbose: 3x\nbundle: {a: b}\nlisten: [a]\n", nil, "c.yaml:1:1: workers: strconv.ParseInt: parsing \"many\": invalid syntax\nc.yaml:2:1: log-level: unknown value \"loud\": expected debug, info or warn\nc.yaml:3:1: verbose: is \"3x\": expected true or false\nc.yaml:4:1: bundle: is an object: expected a list of strings\nc.yaml:5:1: listen: is a list: expected one value"},
		"a variable that does not fit": {"", map[string]string{"HOLDFAST_LOG_LEVEL": "loud"}, `environment variable HOLDFAST_LOG_LEVEL: unknown value "loud": expected debug, info or warn`},
		"broken YAML":                  {"a: b: c\n", nil, "c.yaml:1:5: broken YAML: mapping values are not allowed in this context"},
		"a list":                       {"- a\n", nil, "c.yaml:1:1: is a list: expected an object"},
		"a second document":            {"workers: 1\n---\nworkers: 2\n", nil, "c.yaml:3:1: a second document: expected one"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := applied(t, tc.file, tc.env); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func TestAFolderIsNoConfigurationFile(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := Apply(context.Background(), flags(t), Options{File: "."})
	if want := "reading the configuration: . is no file"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWhatIsAskedOnceIsNoKey(t *testing.T) {
	fs := flags(t)
	fs.String("namespace", "", "")
	Once(fs, "namespace")
	opts := Options{LookupEnv: func(name string) (string, bool) { return "elsewhere", name == "HOLDFAST_NAMESPACE" }}
	if _, err := Apply(context.Background(), fs, opts); err != nil {
		t.Fatal(err)
	}
	if got := fs.Lookup("namespace").Value.String(); got != "" {
		t.Errorf("it is %q, from the environment", got)
	}
}

func TestEnv(t *testing.T) {
	for key, want := range map[string]string{"log-level": "HOLDFAST_LOG_LEVEL", "bundle": "HOLDFAST_BUNDLE", "a.b-c": "HOLDFAST_A_B_C"} {
		if got := Env(key); got != want {
			t.Errorf("Env(%q) = %s, want %s", key, got, want)
		}
	}
}
