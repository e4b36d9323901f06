package simulator

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are checked, also where the machine has no list of them
)

// between refuses a number outside of its limits; an absent one is not looked at.
func between(body map[string]any, path string, least, most float64) string {
	v := any(body)
	for _, f := range strings.Split(path, ".") {
		v = asMap(v)[f]
	}
	if v == nil {
		return ""
	}
	if n, ok := number(v); !ok || n < least || n > most {
		return fmt.Sprintf("%s must be from %s to %s", path, decimal(least), decimal(most))
	}
	return ""
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func first(whys ...string) string {
	for _, w := range whys {
		if w != "" {
			return w
		}
	}
	return ""
}

func checkQueue(b map[string]any) string {
	acw := asMap(b["acwSettings"])
	switch text(acw, "wrapupPrompt") {
	case "MANDATORY", "OPTIONAL":
		delete(acw, "timeoutMs")
	}
	why := between(b, "acwSettings.timeoutMs", 1000, 86400000)
	if firstRule(b)["queue"] != nil {
		why = first(why, "The first rule of conditional group routing is about the queue itself and takes no queue")
	}
	for _, m := range []string{"call", "callback", "chat", "email", "message"} {
		at := "mediaSettings." + m
		why = first(why, between(b, at+".alertingTimeoutSeconds", 7, 259200), between(b, at+".serviceLevel.percentage", 0, 1), between(b, at+".serviceLevel.durationMs", 1000, 604800000))
	}
	return why
}

const localTime = "2006-01-02T15:04:05.000000"

func checkSchedule(b map[string]any) string {
	start, err := time.Parse("2006-01-02T15:04:05", strings.SplitN(text(b, "start"), ".", 2)[0])
	if err != nil {
		return "start must be a local time without a zone"
	}
	end, err := time.Parse("2006-01-02T15:04:05", strings.SplitN(text(b, "end"), ".", 2)[0])
	if err != nil {
		return "end must be a local time without a zone"
	}
	if !end.After(start) {
		return "end must be after start"
	}
	b["start"], b["end"] = start.Format(localTime), end.Format(localTime)
	if r := text(b, "rrule"); r != "" && !regexp.MustCompile(`^(RRULE:)?FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;[A-Z]+=[^;=]+)*$`).MatchString(r) {
		return "rrule is not a recurrence rule"
	}
	return ""
}

func checkScheduleGroup(b map[string]any) string {
	if z := text(b, "timeZone"); z != "" {
		if _, err := time.LoadLocation(z); err != nil {
			return fmt.Sprintf("timeZone %q is not known", z)
		}
	}
	return ""
}

func checkPrompt(b map[string]any) string {
	if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(text(b, "name")) {
		return "name may hold letters, digits and underscores only"
	}
	return ""
}

func checkDataTable(b map[string]any) string {
	props := asMap(asMap(b["schema"])["properties"])
	if props["key"] == nil {
		return "schema.properties.key is required"
	}
	return ""
}

func checkCallableTimes(b map[string]any) string {
	times, _ := b["callableTimes"].([]any)
	for _, t := range times {
		if _, err := time.LoadLocation(text(asMap(t), "timeZoneId")); err != nil || text(asMap(t), "timeZoneId") == "" {
			return fmt.Sprintf("timeZoneId %q is not known", text(asMap(t), "timeZoneId"))
		}
	}
	return ""
}

func checkCampaign(b map[string]any) string {
	if text(b, "dialingMode") != "agentless" && b["queue"] == nil {
		return "queue is required unless dialingMode is agentless"
	}
	return first(between(b, "priority", 1, 5), between(b, "abandonRate", 0, 100))
}

func checkResponse(b map[string]any) string {
	if l, ok := b["libraries"].([]any); !ok || len(l) == 0 {
		return "a response must be in a library"
	}
	return ""
}

func checkTrigger(b map[string]any) string {
	if text(asMap(b["target"]), "type") != "Workflow" {
		return "target.type must be Workflow"
	}
	if b["eventTTLSeconds"] != nil && b["delayBySeconds"] != nil {
		return "eventTTLSeconds and delayBySeconds exclude each other"
	}
	return between(b, "eventTTLSeconds", 10, 31536000)
}
