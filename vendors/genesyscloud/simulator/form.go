package simulator

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// An input is a field of a form and where its value stands in the object.
type input struct {
	ID, Label, Value string
	Options          []string
	Long, Number     bool
	Column           bool // lists show it
	path             []string
}

// inputs are the fields of a kind's form; nil where there is no form.
func inputs(kind string) []input {
	field := func(label, path string) input {
		return input{ID: strings.ReplaceAll(path, ".", "-"), Label: label, path: strings.Split(path, ".")}
	}
	long := func(i input) input { i.Long = true; return i }
	num := func(i input) input { i.Number = true; return i }
	column := func(i input) input { i.Column = true; return i }
	choice := func(i input, options ...string) input { i.Options = options; return i }
	switch kind {
	case "queue":
		return []input{
			field("Name", "name"), long(column(field("Description", "description"))),
			choice(field("After-call work", "acwSettings.wrapupPrompt"), "MANDATORY", "OPTIONAL", "MANDATORY_TIMEOUT", "MANDATORY_FORCED_TIMEOUT", "AGENT_REQUESTED"),
			num(column(field("After-call work ends after (ms)", "acwSettings.timeoutMs"))),
			num(column(field("Calls ring for (s)", "mediaSettings.call.alertingTimeoutSeconds"))),
			num(field("Service level for calls (0 to 1)", "mediaSettings.call.serviceLevel.percentage")),
			num(field("Answered within (ms)", "mediaSettings.call.serviceLevel.durationMs")),
			choice(field("Skills", "skillEvaluationMethod"), "NONE", "BEST", "ALL"),
			choice(field("Scoring", "scoringMethod"), "TimestampAndPriority", "PriorityOnly"),
		}
	case "schedule":
		return []input{
			field("Name", "name"), long(field("Description", "description")), column(field("Starts", "start")), column(field("Ends", "end")), column(field("Repeats", "rrule")),
		}
	}
	return nil
}

// read is the field's value in an object.
func (i input) read(body map[string]any) string {
	v := any(body)
	for _, f := range i.path {
		v = asMap(v)[f]
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// write puts the field's value into an object; an empty one takes the field away.
func (i input) write(body map[string]any, value string) error {
	m := body
	for _, f := range i.path[:len(i.path)-1] {
		next := asMap(m[f])
		if next == nil {
			next = map[string]any{}
			m[f] = next
		}
		m = next
	}
	last := i.path[len(i.path)-1]
	switch {
	case value == "":
		delete(m, last)
	case i.Number:
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			return fmt.Errorf("%q is not a number", value)
		}
		m[last] = json.Number(value)
	default:
		m[last] = value
	}
	return nil
}
