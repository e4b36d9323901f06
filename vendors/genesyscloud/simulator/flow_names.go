package simulator

import (
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Architect keeps the ids of what a flow's text names, and exports the names that they have by then. That is how the vendor's provider
// describes it (MyPureCloud/terraform-provider-genesyscloud, architect_flow), not what was seen.

// A mention is where a flow's text names another object.
type mention struct {
	kind string
	name *yaml.Node
}

// mentions are those of a text, in its order.
func mentions(flow string) []mention {
	var doc yaml.Node
	if yaml.Unmarshal([]byte(flow), &doc) != nil {
		return nil
	}
	var out []mention
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		for i, c := range n.Content {
			walk(c)
			if n.Kind == yaml.MappingNode && i%2 == 1 {
				if kind := dependencies[n.Content[i-1].Value]; kind != "" {
					if name := child(child(c, "lit"), "name"); name != nil && name.Kind == yaml.ScalarNode {
						out = append(out, mention{kind, name})
					}
				}
			}
		}
	}
	walk(&doc)
	return out
}

func child(n *yaml.Node, key string) *yaml.Node {
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

// uses are the ids of what a text names, as the platform keeps them with the flow.
func (o *Org) uses(flow string) map[string]any {
	out := map[string]any{}
	for _, m := range mentions(flow) {
		if id := o.named(m.kind, m.name.Value); id != "" {
			out[m.kind+"/"+m.name.Value] = id
		}
	}
	return out
}

// today is a text with the names that what it names has now.
func (o *Org) today(flow string, uses map[string]any) string {
	lines := strings.Split(flow, "\n")
	for _, m := range slices.Backward(mentions(flow)) { // from behind: what stands before keeps its place
		id, _ := uses[m.kind+"/"+m.name.Value].(string)
		x := o.Objects[id]
		if x == nil || strings.EqualFold(o.name(x), m.name.Value) {
			continue
		}
		line := []rune(lines[m.name.Line-1])
		old, now := scalar(m.name), o.name(x)
		if m.name.Style != 0 || !bare(now) {
			now = string(quoted(now))
		}
		begin := m.name.Column - 1
		if end := begin + len([]rune(old)); end <= len(line) && string(line[begin:end]) == old {
			lines[m.name.Line-1] = string(line[:begin]) + now + string(line[end:])
		}
	}
	return strings.Join(lines, "\n")
}

// scalar is how a name stands in a text; escapes other than the commonest are not known here.
func scalar(n *yaml.Node) string {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return string(quoted(n.Value))
	case n.Style&yaml.SingleQuotedStyle != 0:
		return "'" + strings.ReplaceAll(n.Value, "'", "''") + "'"
	}
	return n.Value
}

// bare reports whether YAML takes the name without quotes.
func bare(name string) bool {
	for i, r := range name {
		if !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r) && !strings.ContainsRune(" _-", r)) {
			return false
		}
	}
	return name != "" && strings.TrimSpace(name) == name
}
