package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/reconciler/merge"
	"github.com/driftback/driftback/vendors/resource"
)

// SchemaVersion is that of the documents that JSON and YAML write. It grows when a field changes its meaning.
const SchemaVersion = 1

// TextOptions say how Text writes. The zero value writes without colour.
type TextOptions struct {
	Color bool
	// Brief leaves out fields and conflicts: one line an object.
	Brief bool
}

// Text writes what differs for a terminal: one line an object, its fields below,
// and a line that counts. Control characters in names and values are shown as escapes.
func Text(w io.Writer, os []Object, o TextOptions) error {
	var b strings.Builder
	for _, obj := range os {
		o.object(&b, obj)
	}
	b.WriteString(count(os).String() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

var colors = map[byte]string{'+': "\x1b[32m", '-': "\x1b[31m", '~': "\x1b[33m", '>': "\x1b[33m", '!': "\x1b[1;31m", '@': "\x1b[36m"}

// paint writes a line in the colour of its mark.
func (o TextOptions) paint(b *strings.Builder, mark byte, text string) {
	if c := colors[mark]; o.Color && c != "" {
		text = c + text + "\x1b[0m"
	}
	b.WriteString(text + "\n")
}

func (o TextOptions) object(b *strings.Builder, obj Object) {
	mark := map[resource.Action]byte{resource.Create: '+', resource.Update: '~', resource.Delete: '-', resource.Rename: '>'}[obj.Change.Action()]
	head := visible(obj.Key().String(), false)
	if obj.Change.Action() == resource.Rename {
		head = visible(obj.Change.Before.Key.String(), false) + " → " + head
	}
	if obj.Who != "" || obj.Email != "" || !obj.When.IsZero() {
		head += "  (" + obj.who() + ", " + obj.when() + ")"
	}
	if len(obj.Conflicts) > 0 {
		head += "  in conflict"
	}
	if obj.Note != "" {
		head += "  " + visible(obj.Note, false)
	}
	o.paint(b, mark, string(mark)+" "+head)
	if o.Brief {
		return
	}
	for _, c := range obj.shownConflicts() {
		field := "whole object"
		if len(c.Path) > 0 {
			field = c.Path.String()
		}
		o.paint(b, '!', "  ! conflict: "+visible(field, false)+": "+visible(c.Reason, false))
		for _, s := range []struct {
			name  string
			value any
		}{{"base", c.Base}, {"Git ", c.Ours}, {"live", c.Theirs}} {
			text, _ := sideText(c, s.value)
			b.WriteString("      " + s.name + "  " + clip(visible(text, false), maxLine) + "\n")
		}
	}
	for _, l := range obj.difference() {
		text := string(l.mark) + " " + l.text
		if l.mark == '@' {
			text = "@ " + l.text
		}
		o.paint(b, l.mark, "    "+text)
	}
}

// Markdown writes what differs as a table and one section an object, for pasting
// into an issue or a chat. Names and values stand in code only.
func Markdown(w io.Writer, os []Object) error {
	b := body{limit: DefaultLimit}
	if len(os) > 0 {
		b.rows("| object | change | who | when |\n|---|---|---|---|\n", os, row, b.limit/2)
		b.sections("## Conflicts\n\n", Pull{Objects: os}.inConflict(), conflict)
		b.sections("## Differences\n\n", os, section)
	}
	_, err := io.WriteString(w, b.String()+count(os).String()+"\n")
	return err
}

// document is what JSON and YAML write.
type document struct {
	SchemaVersion int          `json:"schemaVersion"`
	Summary       counts       `json:"summary"`
	Objects       []objectJSON `json:"objects"`
}

type objectJSON struct {
	Key       string          `json:"key"`
	From      string          `json:"from,omitempty"` // the former key of a rename
	Action    resource.Action `json:"action"`
	Who       string          `json:"who,omitempty"`
	Email     string          `json:"email,omitempty"`
	When      time.Time       `json:"when,omitzero"`
	AuditID   string          `json:"auditId,omitempty"`
	With      string          `json:"application,omitempty"`
	Note      string          `json:"note,omitempty"`
	Fields    []diff.Field    `json:"fields,omitempty"`
	Content   *contentJSON    `json:"content,omitempty"`  // instead of fields, of raw kinds
	Withheld  string          `json:"withheld,omitempty"` // why there are neither fields nor content
	Conflicts []conflictJSON  `json:"conflicts,omitempty"`
}

// contentJSON is how a raw file differs: sizes in bytes, and lines where it is text.
type contentJSON struct {
	Before int      `json:"before"`
	After  int      `json:"after"`
	Lines  []string `json:"lines,omitempty"`
}

type conflictJSON struct {
	Path   string          `json:"path"`
	Base   json.RawMessage `json:"base,omitempty"` // left out where absent
	Git    json.RawMessage `json:"git,omitempty"`
	Live   json.RawMessage `json:"live,omitempty"`
	Reason string          `json:"reason"`
}

// JSON writes what differs as one document with schemaVersion. References are
// {"$ref": "kind/name"}, secrets {"$secret": "NAME"}; absent values and what is unknown are left out.
func JSON(w io.Writer, os []Object) error {
	d := document{SchemaVersion: SchemaVersion, Summary: count(os), Objects: []objectJSON{}}
	for _, o := range os {
		j, err := o.json()
		if err != nil {
			return fmt.Errorf("report %s: %w", o.Key(), err)
		}
		d.Objects = append(d.Objects, j)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(d)
}

func (o Object) json() (objectJSON, error) {
	out := objectJSON{
		Key: o.Key().String(), Action: o.Change.Action(), Who: o.Who, Email: o.Email, When: o.When.UTC(), AuditID: o.AuditID, With: o.Application, Note: o.Note,
		Withheld: o.Withheld,
	}
	if o.When.IsZero() {
		out.When = time.Time{}
	}
	if out.Action == resource.Rename {
		out.From = o.Change.Before.Key.String()
	}
	if o.Withheld != "" {
		return out, nil
	}
	before, after := o.sides()
	if isRaw(before) && isRaw(after) {
		a, _ := before[resource.Content].(string)
		b, _ := after[resource.Content].(string)
		out.Content = &contentJSON{Before: len(a), After: len(b)}
		for _, l := range o.difference() {
			out.Content.Lines = append(out.Content.Lines, string(l.mark)+l.text)
		}
	} else {
		out.Fields = o.Fields()
	}
	for _, c := range o.Conflicts {
		j, err := conflictOf(c)
		if err != nil {
			return out, err
		}
		out.Conflicts = append(out.Conflicts, j)
	}
	return out, nil
}

func conflictOf(c merge.Conflict) (conflictJSON, error) {
	out := conflictJSON{Path: c.Path.String(), Reason: c.Reason}
	for _, s := range []struct {
		to    *json.RawMessage
		value any
	}{{&out.Base, c.Base}, {&out.Git, c.Ours}, {&out.Live, c.Theirs}} {
		if spec, ok := s.value.(resource.Spec); s.value == nil || ok && spec == nil {
			continue
		}
		b, err := diff.MarshalValue(s.value)
		if err != nil {
			return out, err
		}
		*s.to = b
	}
	return out, nil
}

// YAML writes the document of JSON as YAML.
func YAML(w io.Writer, os []Object) error {
	var b bytes.Buffer
	if err := JSON(&b, os); err != nil {
		return err
	}
	dec := json.NewDecoder(&b)
	dec.UseNumber()
	n, err := node(dec)
	if err != nil {
		return fmt.Errorf("report as YAML: %w", err)
	}
	b.Reset()
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return fmt.Errorf("report as YAML: %w", err)
	}
	_, err = b.WriteTo(w)
	return err
}

// node reads one JSON value, keeping the order of fields and the digits of numbers.
func node(dec *json.Decoder) (*yaml.Node, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		if t == '{' {
			n.Kind = yaml.MappingNode
		}
		for dec.More() {
			c, err := node(dec) // keys come as strings, each before its value
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		_, err := dec.Token()
		return n, err
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(t.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: t.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(t)}, nil
	}
	n := &yaml.Node{}
	return n, n.Encode(t) // quotes what YAML 1.1 would read as something else too
}
