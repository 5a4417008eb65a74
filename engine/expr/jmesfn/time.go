package jmesfn

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// timeFunctions calculate with times in RFC 3339 form and durations in Go's ('1h30m', 'ns' to 'h').
var timeFunctions = []function{
	{Spec: Spec{
		Name: "time_now", Returns: String, NeedsEnv: true,
		Doc:      "Gives the present time.",
		Examples: []Example{{Expr: "time_now()", Result: `"2024-05-01T12:00:00Z"`, Varies: true}},
	}, impl: func(c *call) (any, error) {
		now, err := c.now()
		return now.Format(time.RFC3339), err
	}},
	{Spec: Spec{
		Name: "time_now_utc", Returns: String, NeedsEnv: true,
		Doc:      "Gives the present time in UTC.",
		Examples: []Example{{Expr: "time_now_utc()", Result: `"2024-05-01T12:00:00Z"`, Varies: true}},
	}, impl: func(c *call) (any, error) {
		now, err := c.now()
		return now.UTC().Format(time.RFC3339), err
	}},
	{Spec: Spec{
		Name: "time_since", Args: []Arg{arg("layout", String), arg("start", String), arg("end", String)},
		Returns: String, NeedsEnv: true,
		Doc:      "Gives the duration from start to end, both written as layout says (Go's reference time; empty: RFC 3339). An empty end is now.",
		Examples: []Example{{Expr: "time_since('', '2024-05-01T00:00:00Z', '2024-05-02T06:00:00Z')", Result: `"30h0m0s"`}},
	}, impl: timeSince},
	{Spec: Spec{
		Name: "time_parse", Args: []Arg{arg("layout", String), arg("value", String)}, Returns: String,
		Doc: "Reads a time written as layout says (Go's reference time) and gives it in RFC 3339 form. " +
			"When the layout is a whole number, the value is in seconds since 1970.",
		Examples: []Example{
			{Expr: "time_parse('02 Jan 2006 15:04', '01 May 2024 12:30')", Result: `"2024-05-01T12:30:00Z"`},
			{Expr: "time_parse('0', '1714566600')", Result: `"2024-05-01T12:30:00Z"`},
		},
	}, impl: timeParse},
	{Spec: Spec{
		Name: "time_utc", Args: []Arg{arg("time", String)}, Returns: String,
		Doc:      "Gives a time in UTC.",
		Examples: []Example{{Expr: "time_utc('2024-05-01T12:00:00-07:00')", Result: `"2024-05-01T19:00:00Z"`}},
	}, impl: func(c *call) (any, error) {
		t, err := c.time(0)
		return t.UTC().Format(time.RFC3339), err
	}},
	{Spec: Spec{
		Name: "time_to_cron", Args: []Arg{arg("time", String)}, Returns: String,
		Doc:      "Gives the cron expression (minute, hour, day, month, weekday) of a time, in the zone in which it is written.",
		Examples: []Example{{Expr: "time_to_cron('2024-05-01T12:30:00Z')", Result: `"30 12 1 5 3"`}},
	}, impl: func(c *call) (any, error) {
		t, err := c.time(0)
		return fmt.Sprintf("%d %d %d %d %d", t.Minute(), t.Hour(), t.Day(), t.Month(), t.Weekday()), err
	}},
	{Spec: Spec{
		Name: "time_add", Args: []Arg{arg("time", String), arg("duration", String)}, Returns: String,
		Doc:      "Adds a duration, which may be negative, to a time.",
		Examples: []Example{{Expr: "time_add('2024-05-01T12:00:00Z', '-36h')", Result: `"2024-04-30T00:00:00Z"`}},
	}, impl: func(c *call) (any, error) {
		t, err := c.time(0)
		d, err2 := c.duration(1)
		return t.Add(d).Format(time.RFC3339), cmp.Or(err, err2)
	}},
	{Spec: Spec{
		Name: "time_truncate", Args: []Arg{arg("time", String), arg("duration", String)}, Returns: String,
		Doc:      "Rounds a time down to a multiple of a duration since the year 1. A duration of zero or less changes nothing.",
		Examples: []Example{{Expr: "time_truncate('2024-05-01T12:47:11Z', '15m')", Result: `"2024-05-01T12:45:00Z"`}},
	}, impl: func(c *call) (any, error) {
		t, err := c.time(0)
		d, err2 := c.duration(1)
		return t.Truncate(d).Format(time.RFC3339), cmp.Or(err, err2)
	}},
	{Spec: Spec{
		Name: "time_diff", Args: []Arg{arg("start", String), arg("end", String)}, Returns: String,
		Doc:      "Gives the duration from start to end; negative when end is earlier.",
		Examples: []Example{{Expr: "time_diff('2024-05-01T00:00:00Z', '2024-05-01T01:30:00Z')", Result: `"1h30m0s"`}},
	}, impl: func(c *call) (any, error) {
		start, err := c.time(0)
		end, err2 := c.time(1)
		return end.Sub(start).String(), cmp.Or(err, err2)
	}},
	{Spec: Spec{
		Name: "time_before", Args: []Arg{arg("time", String), arg("other", String)}, Returns: Boolean,
		Doc:      "Tells whether a time is before another.",
		Examples: []Example{{Expr: "time_before('2024-05-01T00:00:00Z', '2024-05-02T00:00:00Z')", Result: "true"}},
	}, impl: func(c *call) (any, error) {
		t, err := c.time(0)
		other, err2 := c.time(1)
		return t.Before(other), cmp.Or(err, err2)
	}},
	{Spec: Spec{
		Name: "time_after", Args: []Arg{arg("time", String), arg("other", String)}, Returns: Boolean,
		Doc:      "Tells whether a time is after another.",
		Examples: []Example{{Expr: "time_after('2024-05-01T00:00:00Z', '2024-05-02T00:00:00Z')", Result: "false"}},
	}, impl: func(c *call) (any, error) {
		t, err := c.time(0)
		other, err2 := c.time(1)
		return t.After(other), cmp.Or(err, err2)
	}},
	{Spec: Spec{
		Name: "time_between", Args: []Arg{arg("time", String), arg("start", String), arg("end", String)}, Returns: Boolean,
		Doc:      "Tells whether a time is after start and before end; at either of them it is not.",
		Examples: []Example{{Expr: "time_between('2024-05-02T00:00:00Z', '2024-05-01T00:00:00Z', '2024-05-03T00:00:00Z')", Result: "true"}},
	}, impl: func(c *call) (any, error) {
		t, err := c.time(0)
		start, err2 := c.time(1)
		end, err3 := c.time(2)
		return t.After(start) && t.Before(end), cmp.Or(err, err2, err3)
	}},
}

func (c *call) now() (time.Time, error) {
	if c.rt.env.Now == nil {
		return time.Time{}, c.errorf("there is no clock here")
	}
	return c.rt.env.Now(), nil
}

func (c *call) time(i int) (time.Time, error) {
	t, ok := parseTime(time.RFC3339, c.string(i))
	if !ok {
		return t, c.argument(i, "must be a time in RFC 3339 form, like 2006-01-02T15:04:05Z")
	}
	return t, nil
}

func (c *call) duration(i int) (time.Duration, error) {
	d, err := time.ParseDuration(c.string(i))
	if err != nil {
		return d, c.argument(i, "must be a duration, like 1h30m")
	}
	return d, nil
}

// parseTime reads zone abbreviations as if the machine stood in UTC, where the library would ask the machine:
// none but UTC has an offset.
func parseTime(layout, value string) (time.Time, bool) {
	t, err := time.ParseInLocation(layout, value, time.UTC)
	return t, err == nil
}

func timeSince(c *call) (any, error) {
	layout := c.string(0)
	if layout == "" {
		layout = time.RFC3339
	}
	start, ok := parseTime(layout, c.string(1))
	if !ok {
		return nil, c.argument(1, "is not written as the layout says")
	}
	if c.string(2) == "" {
		now, err := c.now()
		return now.Sub(start).String(), err
	}
	end, ok := parseTime(layout, c.string(2))
	if !ok {
		return nil, c.argument(2, "is not written as the layout says")
	}
	return end.Sub(start).String(), nil
}

func timeParse(c *call) (any, error) {
	layout, value := c.string(0), c.string(1)
	if _, err := strconv.ParseInt(layout, 10, 64); err == nil {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, c.argument(1, "must be a whole number of seconds, since the layout is a number")
		}
		return time.Unix(seconds, 0).UTC().Format(time.RFC3339), nil
	}
	t, ok := parseTime(layout, value)
	if !ok {
		return nil, c.argument(1, "is not written as the layout says")
	}
	return t.Format(time.RFC3339), nil
}
