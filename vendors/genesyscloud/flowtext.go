package genesyscloud

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// A flow's text in Git does not repeat its name, which is the object's: so that a rename is one, and the same text can be another
// organisation's flow of another name. Everything else of the text is as Architect exports it.

// A head is where a flow's text says what it is.
type head struct {
	flowType string
	body     *yaml.Node // of the type
	name     *yaml.Node // nil where there is none
	key      *yaml.Node // of name
}

// readHead finds the head of a text. Architect begins a flow with its type, as inboundCall.
func readHead(content string) (head, bool) {
	var doc yaml.Node
	if yaml.Unmarshal([]byte(content), &doc) != nil || doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return head{}, false
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode || len(top.Content) != 2 || top.Content[1].Kind != yaml.MappingNode {
		return head{}, false
	}
	h := head{flowType: top.Content[0].Value, body: top.Content[1]}
	for i := 0; i+1 < len(h.body.Content); i += 2 {
		if k := h.body.Content[i]; k.Value == "name" {
			h.key, h.name = k, h.body.Content[i+1]
		}
	}
	return h, true
}

// withoutName returns the text without the line that has the name, if it stands on a line of its own.
func withoutName(content string) string {
	h, ok := readHead(content)
	if !ok || h.name == nil || h.name.Line != h.key.Line || h.name.Anchor != "" {
		return content
	}
	lines := strings.SplitAfter(content, "\n")
	at := h.key.Line - 1
	if at >= len(lines) || h.body.Line == 1 || len(h.body.Content) == 2 || !alone(h, at+1) {
		return content
	}
	return strings.Join(slices.Delete(lines, at, at+1), "")
}

// alone reports whether nothing else of the flow stands on the line.
func alone(h head, line int) bool {
	for i := 0; i+1 < len(h.body.Content); i += 2 {
		if k := h.body.Content[i]; k != h.key && k.Line == line {
			return false
		}
	}
	return h.name.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !strings.Contains(h.name.Value, "\n")
}

// withName returns the text as it is published, with the name. A text that is another flow's is refused: else a second one would be
// made.
func withName(content, flowType, name string) (string, error) {
	h, ok := readHead(content)
	if !ok {
		return "", fmt.Errorf("content: want Architect's YAML, which begins with the type of the flow: %w", vendors.ErrInvalid)
	}
	if !strings.EqualFold(h.flowType, strings.ReplaceAll(flowType, "_", "")) {
		return "", fmt.Errorf("content: is of type %s, and the flow is %s: %w", h.flowType, flowType, vendors.ErrInvalid)
	}
	if h.name != nil {
		if h.name.Value != name {
			return "", fmt.Errorf("content: is named %q, and the flow is %q: leave its name out: %w", h.name.Value, name, vendors.ErrInvalid)
		}
		return content, nil
	}
	if len(h.body.Content) == 0 || h.body.Line == 1 {
		return "", fmt.Errorf("content: has nothing below the type: %w", vendors.ErrInvalid)
	}
	quoted, err := json.Marshal(name) // YAML takes JSON's texts
	if err != nil {
		return "", fmt.Errorf("content: %w", err)
	}
	lines := strings.SplitAfter(content, "\n")
	first := h.body.Content[0]
	line := strings.Repeat(" ", first.Column-1) + "name: " + string(quoted) + "\n"
	return strings.Join(slices.Insert(lines, first.Line-1, line), ""), nil
}

// flowNames are the keys under which a flow's text names an object of another kind, as Architect writes it: {lit: {name: Support}}. What
// it names otherwise (in expressions, data actions and tables by maps, other flows, of which stubs are made) is found by the job.
var flowNames = map[string]resource.Kind{
	"targetQueue": queue, "queue": queue, "skill": skill, "languageSkill": language, "schedule": schedule, "scheduleGroup": schedulegroup,
	"emergencyGroup": emergencygroup, "prompt": prompt,
}

// flowTexts is how flows name other objects.
type flowTexts struct{}

// In implements resource.Mentions. A text that is none names nothing: the job says what is wrong with it.
func (flowTexts) In(spec resource.Spec) []resource.Key {
	content, _ := spec["content"].(string)
	var out []resource.Key
	for _, m := range mentionsIn(content) {
		out = append(out, m.key)
	}
	return out
}

// Renamed implements resource.Mentions. Names keep their quotes, and get some where they need them.
func (flowTexts) Renamed(spec resource.Spec, now map[resource.Key]resource.Key) resource.Spec {
	content, _ := spec["content"].(string)
	lines := strings.SplitAfter(content, "\n")
	for _, m := range slices.Backward(mentionsIn(content)) { // what stands before on a line keeps its place
		to, renamed := now[m.key]
		if !renamed {
			continue
		}
		line := []rune(lines[m.at.Line-1])
		begin := m.at.Column - 1
		end := begin + len([]rune(written(m.at.Value, m.at.Style)))
		if end > len(line) || string(line[begin:end]) != written(m.at.Value, m.at.Style) {
			continue // written with escapes: it is published anew
		}
		name := written(to.Name, m.at.Style)
		if m.at.Style == 0 && !bare(to.Name) {
			name = written(to.Name, yaml.DoubleQuotedStyle)
		}
		lines[m.at.Line-1] = string(line[:begin]) + name + string(line[end:])
	}
	out := maps.Clone(spec)
	out["content"] = strings.Join(lines, "")
	return out
}

// written is a name as YAML has it in a style, with the escapes that JSON has.
func written(name string, style yaml.Style) string {
	switch {
	case style&yaml.DoubleQuotedStyle != 0:
		b, err := json.Marshal(name)
		if err != nil {
			return name // a string always has a JSON form
		}
		return string(b)
	case style&yaml.SingleQuotedStyle != 0:
		return "'" + strings.ReplaceAll(name, "'", "''") + "'"
	}
	return name
}

// bare reports whether a name stands for itself without quotes, in a list in brackets too.
func bare(name string) bool {
	var v any
	return yaml.Unmarshal([]byte("["+name+"]"), &v) == nil && reflect.DeepEqual(v, []any{name})
}

// A mention is where a flow's text names another object.
type mention struct {
	key resource.Key
	at  *yaml.Node
}

// mentionsIn returns those of a text, in its order.
func mentionsIn(content string) []mention {
	var doc yaml.Node
	if yaml.Unmarshal([]byte(content), &doc) != nil {
		return nil
	}
	var out []mention
	var walk func(n *yaml.Node, depth int)
	walk = func(n *yaml.Node, depth int) {
		if depth > maxFlowDepth {
			return
		}
		for i, c := range n.Content {
			walk(c, depth+1)
			if n.Kind != yaml.MappingNode || i%2 == 0 {
				continue
			}
			if kind := flowNames[n.Content[i-1].Value]; kind != "" {
				if name := below(below(c, "lit"), "name"); name != nil && name.Kind == yaml.ScalarNode && name.Value != "" {
					out = append(out, mention{resource.Key{Kind: kind, Name: name.Value}, name})
				}
			}
		}
	}
	walk(&doc, 0)
	return out
}

// maxFlowDepth bounds how deep a flow's text is looked into.
const maxFlowDepth = 200

// below returns what stands under a key; nil where nothing does.
func below(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
