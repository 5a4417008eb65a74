package report

import (
	"encoding/json"

	"github.com/holdfast-io/holdfast/engine"
)

// ChangeText writes a change of an object for people, as JSON in one line, without the values of Secrets.
func ChangeText(c *engine.Change) string {
	raw, err := json.Marshal(changesOf([]engine.Change{*c}, nil)[0])
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
