// Package window knows when an environment may be deployed to: times of the week that operators write down as cron expressions with
// a length, in a time zone. It is pure: the time is an argument.
//
// A window opens at every minute of the local clock that its expression matches, and stays open for its length in elapsed time,
// whatever the clock does meanwhile. Where clocks are put forward over the minute, it opens at the moment that they are put forward;
// where they are put back over it, it opens once, the first time. So none is skipped, and none opens twice.
package window

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// A Window is one row of the configuration.
type Window struct {
	text   string
	spec   *cron.SpecSchedule
	length time.Duration
	zone   *time.Location
}

// MaxLength bounds a window. One that is always open is none.
const MaxLength = 7 * 24 * time.Hour

// horizon is how far ahead an opening is looked for: leap days come at most eight years apart.
const horizon = 9 * 366

// Parse reads a window: a cron expression of five fields (minute, hour, day of the month, month, day of the week), its length of a
// minute to a week, and the name of a time zone of the IANA database; an empty one is UTC.
func Parse(allow string, length time.Duration, zone string) (Window, error) {
	if strings.ContainsAny(allow, "=@") { // which the parser takes for zones and shorthands of its own
		return Window{}, fmt.Errorf("%q: want five fields: minute, hour, day of the month, month, day of the week", allow)
	}
	s, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(allow)
	spec, ok := s.(*cron.SpecSchedule)
	if err != nil || !ok {
		return Window{}, fmt.Errorf("%q: %w", allow, err)
	}
	if length < time.Minute || length > MaxLength {
		return Window{}, fmt.Errorf("length %s: want between 1m and 168h", length)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return Window{}, fmt.Errorf("time zone %q: want a name such as Europe/Zurich", zone)
	}
	w := Window{text: strings.Join(strings.Fields(allow), " "), spec: spec, length: length, zone: loc}
	if _, ok := w.opening(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); !ok {
		return Window{}, fmt.Errorf("%q: there is no such day", allow)
	}
	return w, nil
}

// String is the window as it was written.
func (w Window) String() string {
	return fmt.Sprintf("%s for %s (%s)", w.text, short.Replace(w.length.String()+" "), w.zone)
}

// short leaves out the zeros with which the library ends a length.
var short = strings.NewReplacer("h0m0s ", "h", "m0s ", "m", " ", "")

// until returns the end of the window that is open at a time; zero where it is not.
func (w Window) until(at time.Time) (end time.Time) {
	day := dayOf(at.Add(-w.length).In(w.zone)).AddDate(0, 0, -1)
	for ; !day.After(dayOf(at.In(w.zone)).AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
		w.starts(day, func(start time.Time) bool {
			if e := start.Add(w.length); !start.After(at) && e.After(at) && e.After(end) {
				end = e
			}
			return true
		})
	}
	return end
}

// opening returns the first time after at that the window opens.
func (w Window) opening(at time.Time) (first time.Time, ok bool) {
	day := dayOf(at.In(w.zone)).AddDate(0, 0, -1)
	for range horizon {
		w.starts(day, func(start time.Time) bool {
			if start.After(at) && (!ok || start.Before(first)) {
				first, ok = start, true
			}
			return true
		})
		if ok {
			return first, true
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}, false
}

// dayOf is the day of a local time, as midnight of UTC, in which days are counted without tripping over clocks.
func dayOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// starts calls do with the times at which the window opens on a day, until it returns false.
func (w Window) starts(day time.Time, do func(time.Time) bool) {
	if !w.on(day) {
		return
	}
	for h := range 24 {
		for m := range 60 {
			if has(w.spec.Hour, h) && has(w.spec.Minute, m) && !do(instant(day.Add(time.Duration(h)*time.Hour+time.Duration(m)*time.Minute), w.zone)) {
				return
			}
		}
	}
}

func has(set uint64, n int) bool { return set&(1<<uint(n)) != 0 }

// on reports whether the expression matches a day. As crontab(5) has it, where both the day of the month and that of the week are
// given, either is enough.
func (w Window) on(day time.Time) bool {
	const star = 1 << 63 // the parser's mark of a field that was *
	dom, dow := has(w.spec.Dom, day.Day()), has(w.spec.Dow, int(day.Weekday()))
	if !has(w.spec.Month, int(day.Month())) {
		return false
	}
	if w.spec.Dom&star != 0 || w.spec.Dow&star != 0 {
		return dom && dow
	}
	return dom || dow
}

// instant is when clocks in a zone show what a time of UTC shows: the first time, and where they skip it the moment of the skip.
func instant(wall time.Time, zone *time.Location) time.Time {
	var skipped time.Time
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} { // the offsets before and after a change of clocks
		_, offset := wall.Add(near).In(zone).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		if shown := t.In(zone); shown.Hour() == wall.Hour() && shown.Minute() == wall.Minute() && shown.Day() == wall.Day() {
			return t
		}
		if skipped.IsZero() {
			skipped, _ = t.In(zone).ZoneBounds()
		}
	}
	return skipped
}

// Windows are those of an environment. Without any it is always open.
type Windows []Window

// At reports whether an environment may be deployed to at a time, and when that changes: the time at which the last of the open
// windows closes, or the next one opens. It is zero where there are no windows.
func (ws Windows) At(at time.Time) (open bool, change time.Time) {
	if len(ws) == 0 {
		return true, time.Time{}
	}
	for _, w := range ws {
		if end := w.until(at); end.After(change) {
			open, change = true, end
		}
	}
	if open {
		return true, change
	}
	for _, w := range ws {
		if next, ok := w.opening(at); ok && (change.IsZero() || next.Before(change)) {
			change = next
		}
	}
	return false, change
}

// String lists the windows as they were written.
func (ws Windows) String() string {
	var all []string
	for _, w := range ws {
		all = append(all, w.String())
	}
	return strings.Join(all, "; ")
}
