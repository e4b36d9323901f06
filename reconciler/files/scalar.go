package files

import (
	"encoding/json"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/driftback/driftback/vendors/resource"
)

var (
	decimal   = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	otherBase = regexp.MustCompile(`^[-+]?(0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?)$`)
	notFinite = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

// scalar gives a scalar its value, as YAML 1.2's core schema has it, except that
// numbers are kept by their digits and other spellings of numbers than decimal are refused.
func scalar(n *yaml.Node) (any, *fault) {
	if n.Style&yaml.TaggedStyle != 0 {
		if n.Tag != "!!str" {
			return nil, faultAt(n.Line, n.Column, "the tag %.60s is not read", n.Tag)
		}
		return n.Value, nil
	}
	if n.Style != 0 {
		return n.Value, nil
	}
	switch s := n.Value; s {
	case "", "~", "null", "Null", "NULL":
		return nil, nil
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	default:
		if !strings.ContainsRune("+-.0123456789", rune(s[0])) {
			return s, nil
		}
		return number(n)
	}
}

// number reads a scalar that begins like a number.
func number(n *yaml.Node) (any, *fault) {
	s := n.Value
	if len(s) < 1000 && s[0] >= '1' && s[0] <= '9' && strings.Trim(s, "0123456789") == "" {
		return json.Number(s), nil
	}
	if notFinite.MatchString(s) || otherBase.MatchString(s) {
		return nil, faultAt(n.Line, n.Column, "is this a number or a text? Write the number in decimal, or quote the text")
	}
	if !decimal.MatchString(s) {
		return s, nil
	}
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(s), "e")
	sign := ""
	if mantissa[0] == '-' {
		sign = "-"
	}
	whole, fraction, _ := strings.Cut(strings.TrimLeft(mantissa, "+-"), ".")
	if len(whole) > 1 && whole[0] == '0' {
		return nil, faultAt(n.Line, n.Column, "is this a number or a text? Write the number without leading zeros, or quote the text")
	}
	text := sign + max(whole, "0")
	if fraction != "" {
		text += "." + fraction
	}
	if hasExponent {
		text += "e" + exponent
	}
	c, err := resource.CanonicalNumber(text)
	if err != nil {
		return nil, faultAt(n.Line, n.Column, "the number is too long, or its exponent too large; quote it if it is a text")
	}
	return c, nil
}
