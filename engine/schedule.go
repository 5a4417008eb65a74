package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron"
)

// Schedule is a compiled cron expression. Its times are UTC.
type Schedule struct {
	text  string
	times cron.Schedule
}

// ParseSchedule reads a cron expression of five fields (minute, hour, day of month, month, day of week), or
// @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually. An expression whose time never comes,
// such as the 30th of February, is an error.
func ParseSchedule(text string) (Schedule, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return Schedule{}, errors.New("is empty: expected a cron expression of five fields")
	case strings.HasPrefix(text, "@every"):
		return Schedule{}, fmt.Errorf("%q has no fixed times: expected a cron expression of five fields", text)
	case !strings.HasPrefix(text, "@") && len(strings.Fields(text)) != 5:
		return Schedule{}, fmt.Errorf("%q has %d of five fields: minute, hour, day of month, month and day of week", text, len(strings.Fields(text)))
	}
	times, err := cron.ParseStandard(text)
	if err != nil {
		return Schedule{}, fmt.Errorf("%q is not a cron expression: %w", text, err)
	}
	s := Schedule{text, times}
	// Years are looked at in runs of five, and each holds every date that a calendar has from 2000 on.
	if s.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, fmt.Errorf("%q names a time that never comes", text)
	}
	return s, nil
}

// Next is the first time after now.
func (s Schedule) Next(now time.Time) time.Time { return s.times.Next(now.UTC()) }

func (s Schedule) String() string { return s.text }
