package credential

import (
	"slices"
	"strings"
)

// A class says what a name promises about its value.
type class int

const (
	none     class = iota
	maybe          // a random-looking value is a credential
	secret         // any literal word is one
	password       // any literal text is one, also with spaces or digits only
	pin            // digits are one
)

func (c class) rule() string {
	if c == maybe {
		return HighEntropy
	}
	return Assignment
}

// maxName bounds how much of a name is looked at, from its end.
const maxName = 64

// classify says what the name promises. Its last words decide: password_file
// and tokenUrl hold no secret, db_password and clientSecret do.
func classify(name string) class {
	if len(name) > maxName {
		name = name[len(name)-maxName:]
	}
	if !stem(name) {
		return none
	}
	w := words(name)
	for len(w) > 1 && (slices.Contains(suffixes, w[len(w)-1]) || strings.Trim(w[len(w)-1], "0123456789") == "") {
		w = w[:len(w)-1]
	}
	if len(w) == 0 {
		return none
	}
	last, before := w[len(w)-1], ""
	if len(w) > 1 {
		before = w[len(w)-2]
	}
	last = strings.TrimRight(last, "0123456789")
	for _, s := range []string{"password", "passwd", "passphrase", "passwort", "kennwort", "requirepass", "masterauth"} {
		if strings.HasSuffix(last, s) {
			return password
		}
	}
	switch {
	case last == "pass" || last == "pwd" || last == "psw":
		return password
	case last == "pin":
		return pin
	case strings.HasSuffix(last, "token"):
		if slices.Contains(publicTokens, before) {
			return none
		}
		return secret
	case before == "load": // Kamailio's load_credentials names columns
		return none
	case strings.HasSuffix(last, "secret"), strings.HasSuffix(last, "apikey"), last == "secretkey", last == "privatekey",
		last == "accesskey", last == "credential", last == "credentials", last == "authorization", last == "ha" && before == "":
		return secret
	case last == "key" && slices.Contains(secretKeys, before):
		return secret
	case last == "key" && before == "public":
		return none
	case slices.Contains(maybes, last), last == "id" && before == "secret":
		return maybe
	}
	return none
}

var (
	// suffixes say nothing about whether the value is secret.
	suffixes = []string{
		"hash", "value", "plain", "plaintext", "cleartext", "base64", "b64", "encrypted", "prod", "dev", "test",
		"staging", "old", "new", "current", "previous", "primary", "secondary",
	}
	// publicTokens are words before token that make it none of ours.
	publicTokens = []string{
		"page", "pagination", "next", "continuation", "cursor", "sync", "eos", "bos", "pad", "unk", "max", "min", "stop", "delimiter",
	}
	secretKeys = []string{"api", "secret", "private", "access", "auth", "shared", "encryption", "signing", "master", "hmac"}
	maybes     = []string{
		"key", "keys", "auth", "sig", "signature", "salt", "cookie", "session", "jwt", "bearer", "seed", "otp", "totp", "hmac",
		"secrets", "tokens", "passwords", "cred", "creds",
	}
)

// stem is a cheap test that most names fail: whether the name has any part of a word that matters.
func stem(name string) bool {
	for i := 0; i+2 < len(name); i++ {
		switch string([]byte{name[i] | 0x20, name[i+1] | 0x20, name[i+2] | 0x20}) {
		case "pas", "pwd", "psw", "ken", "tok", "sec", "key", "cre", "aut", "sig", "sal", "coo", "ses", "jwt", "bea", "see", "otp", "hma", "pin", "ret", "ha1":
			return true
		}
	}
	return false
}

// words splits a name at punctuation and humps, in lower case: clientSecret2 is
// client, secret2.
func words(name string) []string {
	var out []string
	start := 0
	cut := func(end int) {
		if end > start {
			out = append(out, strings.ToLower(name[start:end]))
		}
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case !isAlnum(c):
			cut(i)
			start = i + 1
		case isUpper(c) && i > start && (!isUpper(name[i-1]) || i+1 < len(name) && isLower(name[i+1])):
			cut(i)
			start = i
		}
	}
	cut(len(name))
	return out
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlnum(c byte) bool { return isUpper(c) || isLower(c) || isDigit(c) }
func isIdent(c byte) bool { return isAlnum(c) || c == '_' || c == '-' || c == '.' }
