package credential

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// A style says how a value was written.
type style int

const (
	plain  style = iota // bare, as in YAML, INI and env files
	quoted              // in quotes, or a field's own value
	code                // bare, where a program's text is as likely: name = other;
)

// maxValue bounds how much of a value is looked at.
const maxValue = 256

// literal reports whether the value v, under a name of class c, is a
// credential itself and not a placeholder, a reference or a description.
func (c class) literal(v string, s style) bool {
	if c == none {
		return false
	}
	v = strings.TrimSpace(v[:min(len(v), maxValue)])
	if !strings.ContainsFunc(v, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) || placeholder(v) {
		return false
	}
	if scheme, rest, ok := strings.Cut(v, " "); ok && slices.Contains(schemes, strings.ToLower(scheme)) {
		// Authorization: Bearer …
		return c >= secret && !strings.Contains(strings.TrimSpace(rest), " ") && secret.literal(rest, quoted)
	}
	if s != quoted && reference(v, s) {
		return false
	}
	spaces := strings.Count(v, " ")
	switch c {
	case maybe:
		return random(v)
	case secret:
		return spaces == 0 && !isPath(v) && (strings.Trim(v, "0123456789.") != "" || len(v) >= 4)
	case pin:
		return len(v) >= 4 && len(v) <= 12 && strings.Trim(v, "0123456789") == ""
	}
	if s == code && spaces > 0 {
		return false
	}
	return spaces < 6 && !isPath(v)
}

var schemes = []string{"bearer", "basic", "digest", "token", "apikey"}

// words that stand for no value, or name a type. Well-known defaults such as
// changeme are not among them: read from a live system, they are its password.
var nothing = []string{
	"true", "false", "yes", "no", "on", "off", "null", "nil", "none", "~", "-", "undefined", "redacted", "<redacted>", "[redacted]",
	"string", "str", "text", "bool", "boolean", "int", "integer", "number", "object", "array", "required", "optional", "read", "write", "admin",
	"bearer", "basic", "digest", "|", ">", "|-", ">-", "|+", ">+", "{", "[", "{}", "[]", "\"\"", "''",
}

// schemesOfReferences begin values that say where the secret is.
var schemesOfReferences = []string{
	"env:", "file:", "cmd:", "vault:", "vault/", "op://", "ref+", "sops:", "enc[", "aws-sm:", "arn:aws:", "systemd-cred:",
	"projects/", "pkcs11:", "https://", "http://", "your-", "your_", "your ", "replace-", "replace_", "replace ", "insert-", "insert_", "ssh-rsa ", "ssh-ed25519 ",
	"!", "*", "&", "$ref:", "!!",
}

// placeholder reports whether v stands for a value that is somewhere else, or is masked.
func placeholder(v string) bool {
	low := strings.ToLower(v)
	if slices.Contains(nothing, low) || masked(low) {
		return true
	}
	for _, p := range schemesOfReferences {
		if strings.HasPrefix(low, p) {
			return true
		}
	}
	for _, p := range [][2]string{
		{"${", "}"}, {"$(", ")"}, {"{{", "}}"}, {"{", "}"}, {"<", ">"}, {"%(", ")s"}, {"%", "%"}, {"@@", "@@"}, {"##", "##"}, {"@", "@"}, {"#{", "}"},
		{"__", "__"}, {"[", "]"}, {"<%", "%>"},
	} {
		if len(v) >= len(p[0])+len(p[1]) && strings.HasPrefix(v, p[0]) && strings.HasSuffix(v, p[1]) {
			return true
		}
	}
	if strings.HasPrefix(v, "{{") || strings.HasPrefix(v, "${") && strings.Contains(v, "}") && !strings.Contains(v[:strings.IndexByte(v, '}')], " ") && len(v) == strings.IndexByte(v, '}')+1 {
		return true
	}
	return v[0] == '$' && len(v) > 1 && isVariable(v[1:])
}

// isVariable reports whether v is a name as in $NAME, $var(name), $config['name'] or $labels.name.
func isVariable(v string) bool {
	i := 0
	for i < len(v) && (isAlnum(v[i]) || v[i] == '_') {
		i++
	}
	if i == 0 || isDigit(v[0]) && i > 1 {
		return false
	}
	rest := v[i:]
	return rest == "" || strings.ContainsRune("([.-/", rune(rest[0])) || strings.Trim(rest, ";,)") == ""
}

// masked reports whether v is one character over and over: xxxx, ****, ....
func masked(v string) bool {
	return len(v) > 1 && strings.ContainsRune("x*.-_#•?", rune(v[0])) && strings.Trim(v, v[:1]) == "" ||
		strings.HasPrefix(v, "•") && strings.Trim(v, "•") == "" || strings.HasPrefix(v, "****") || strings.HasPrefix(v, "xxxx")
}

// reference reports whether the bare word v is an expression that leads to a value: a call, or in code a variable.
func reference(v string, s style) bool {
	if i := strings.IndexByte(v, '('); i > 0 && isIdent(v[i-1]) && strings.HasSuffix(strings.TrimRight(v, "; "), ")") {
		return true
	}
	if s != code {
		return false
	}
	if i := strings.IndexAny(v, "([{"); i > 0 && isIdent(v[i-1]) {
		return true
	}
	bare := strings.TrimRight(v, "; ")
	if strings.Trim(bare, letters+"_.") != "" {
		return false
	}
	return strings.ContainsRune(bare, '.') || bare != v
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func isPath(v string) bool {
	for _, ext := range []string{".pem", ".key", ".crt", ".p12", ".jks"} {
		if strings.HasSuffix(v, ext) {
			return true
		}
	}
	return strings.HasPrefix(v, "./") || strings.HasPrefix(v, "../") || strings.HasPrefix(v, "~/") ||
		strings.HasPrefix(v, "/") && strings.Count(v, "/") > 1 && !strings.HasSuffix(v, "=")
}

// random reports whether v looks like a generated key: one long word of mixed
// characters. UUIDs, digits and words joined by dashes, are ids and not keys.
func random(v string) bool {
	if len(v) < 20 || isPath(v) {
		return false
	}
	var digits, lower, upper int
	for i := range len(v) {
		switch c := v[i]; {
		case isDigit(c):
			digits++
		case isUpper(c):
			upper++
		case isLower(c):
			lower++
		case !strings.ContainsRune("+/=_-.~", rune(c)):
			return false
		}
	}
	if digits == 0 || lower+upper == 0 {
		return false
	}
	if strings.Trim(strings.ToLower(v), "0123456789abcdef") == "" {
		return len(v) >= 24 && entropy(v) > 3
	}
	return entropy(v) > 3.5 && (lower > 0 && upper > 0 || digits > 3 && !strings.ContainsAny(v, "-_."))
}

// entropy is Shannon's, in bits a byte.
func entropy(v string) float64 {
	var n [256]int
	for i := range len(v) {
		n[v[i]]++
	}
	var h float64
	for _, k := range n {
		if k > 0 {
			p := float64(k) / float64(len(v))
			h -= p * math.Log2(p)
		}
	}
	return h
}
