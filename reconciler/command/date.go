package command

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const untilHelp = "write until 2027-01-31 (the whole day, UTC), until 2027-01-31T18:00Z, or for how long: until 30d"

// until reads the end of something: a day, which counts whole, a time, or a duration of hours, days or weeks.
func until(words []word, now time.Time) (time.Time, error) {
	s := joined(words)
	t, ok := after(s, now)
	if !ok {
		if t, ok = moment(s); ok && len(s) == len(time.DateOnly) {
			t = t.Add(day - time.Second)
		}
	}
	switch {
	case !ok:
		return time.Time{}, &Error{Reason: fmt.Sprintf("%.40q is no date: %s", s, untilHelp)}
	case !t.After(now):
		return time.Time{}, &Error{Reason: fmt.Sprintf("%s is over already", t.Format(time.RFC3339))}
	case t.Unix()-now.Unix() > maxUntil:
		return time.Time{}, &Error{Reason: "at most ten years from now"}
	}
	return t, nil
}

const atHelp = "write at 22:00 (UTC, the next time that it is), at 2027-01-31T22:00Z, or in how long: at 2h"

// at reads when something is to begin.
func at(words []word, now time.Time) (time.Time, error) {
	s := joined(words)
	t, ok := after(s, now)
	if !ok && len(s) != len(time.DateOnly) {
		t, ok = moment(s)
	}
	if clock, err := time.Parse("15:04", s); err == nil {
		y, m, d := now.Date()
		t, ok = time.Date(y, m, d, clock.Hour(), clock.Minute(), 0, 0, time.UTC), true
		if !t.After(now) {
			t = t.Add(day)
		}
	}
	switch {
	case !ok:
		return time.Time{}, &Error{Reason: fmt.Sprintf("%.40q is no time: %s", s, atHelp)}
	case !t.After(now):
		return time.Time{}, &Error{Reason: fmt.Sprintf("%s is over already", t.Format(time.RFC3339))}
	case t.Unix()-now.Unix() > maxAt:
		return time.Time{}, &Error{Reason: "at most 31 days from now"}
	}
	return t, nil
}

// joined is what a date of one or two words is: 2027-01-31 22:00 is one.
func joined(words []word) string {
	var parts []string
	for _, w := range words {
		parts = append(parts, w.text)
	}
	return strings.Join(parts, " ")
}

// moment reads a day or a time; without a zone it is UTC.
func moment(s string) (time.Time, bool) {
	for _, layout := range []string{
		time.DateOnly, time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02 15:04 UTC",
	} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 0 {
			return t.UTC().Truncate(time.Second), true
		}
	}
	return time.Time{}, false
}

// after reads a duration of hours, days or weeks from now: 12h, 30d, 2w.
func after(s string, now time.Time) (time.Time, bool) {
	if len(s) < 2 || len(s) > 5 {
		return time.Time{}, false
	}
	n, err := strconv.Atoi(s[:len(s)-1])
	unit, ok := map[byte]time.Duration{'h': time.Hour, 'd': day, 'w': 7 * day}[s[len(s)-1]]
	if err != nil || n <= 0 || !ok {
		return time.Time{}, false
	}
	return now.Add(time.Duration(n) * unit), true
}
