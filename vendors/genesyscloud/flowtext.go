package genesyscloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/driftback/driftback/vendors"
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
