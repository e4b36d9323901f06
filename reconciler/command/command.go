// Package command reads what people ask for in comments on pull requests:
//
//	/drift accept|revert|ignore [OBJECT…] [until DATE]
//	/plan [ENV]
//	/apply [ENV] [at TIME]
//	/cancel
//	/hold [REASON]
//	/rollback COMMIT
//	/why OBJECT
//	/help
//
// One line is one command, as in Prow: it begins with a slash, and its words are
// separated by white space. A word in double quotes or backquotes may hold
// white space, so that a name can be copied from our texts as it stands there.
//
// The package knows words and dates. It must not know who may ask for what, nor
// whether an object is there.
package command

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// A Verb is what is asked for.
type Verb string

// The verbs, as they are written.
const (
	Accept   Verb = "drift accept"
	Revert   Verb = "drift revert"
	Ignore   Verb = "drift ignore"
	Plan     Verb = "plan"
	Apply    Verb = "apply"
	Cancel   Verb = "cancel"
	Hold     Verb = "hold"
	Rollback Verb = "rollback"
	Why      Verb = "why"
	Help     Verb = "help"
)

// Verbs lists them all, in the order in which help tells of them.
func Verbs() []Verb {
	return []Verb{Accept, Revert, Ignore, Plan, Apply, Cancel, Hold, Rollback, Why, Help}
}

// Bounds of one command.
const (
	maxLine   = 8 << 10 // bytes
	maxKeys   = 200
	maxReason = 300                  // characters
	maxUntil  = 10 * 366 * 24 * 3600 // seconds from now
	maxAt     = 31 * 24 * 3600       // seconds from now
	day       = 24 * time.Hour       // of a duration in days; dates are days of UTC
	shortest  = 7                    // digits of a commit
	wholeID   = 40                   // digits of a whole one
)

// A Command is one that was understood.
type Command struct {
	Verb Verb
	// Keys are the objects that it names; none means all that it can mean.
	Keys []resource.Key
	Env  string // of Plan and Apply; empty means every one that is concerned
	// Until is the end of Ignore, At the beginning of Apply; zero where nothing was said. To the second, in UTC.
	Until, At time.Time
	Commit    string // of Rollback: 7 to 40 hexadecimal digits, in lower case
	Reason    string // of Hold, on one line
}

// ErrForeign says that a line is no command of ours, and not meant to be one.
var ErrForeign = errors.New("no command of driftback")

// An Error says why a line that seems to be meant for us is no command.
type Error struct {
	// Reason is a sentence's end.
	Reason string
	// Suggestion is what may have been meant, as it would have to be written; empty where that cannot be guessed.
	Suggestion string
}

// Error gives the reason and the suggestion.
func (e *Error) Error() string {
	if e.Suggestion == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s: did you mean %s?", e.Reason, e.Suggestion)
}

// Parse reads one line; now is what dates are counted from. The error is
// ErrForeign for what other programs may be meant to answer, else an *Error.
func Parse(line string, now time.Time) (Command, error) {
	words, err := split(line)
	if err != nil {
		return Command{}, err
	}
	if len(words) == 0 || words[0].quoted || !strings.HasPrefix(words[0].text, "/") || strings.HasPrefix(words[0].text, "//") {
		return Command{}, ErrForeign
	}
	verb, rest, err := verbOf(words)
	if err != nil {
		return Command{}, err
	}
	return arguments(verb, rest, now.UTC().Truncate(time.Second))
}

// verbOf finds the verb, and what follows it.
func verbOf(words []word) (Verb, []word, error) {
	first, rest := strings.ToLower(strings.TrimPrefix(words[0].text, "/")), words[1:]
	if first == "drift" {
		second := ""
		if len(rest) > 0 && !rest[0].quoted {
			second = strings.ToLower(rest[0].text)
		}
		for _, v := range []Verb{Accept, Revert, Ignore} {
			if second == strings.TrimPrefix(string(v), "drift ") {
				return v, rest[1:], nil
			}
		}
		guess := nearest("drift "+second, line(rest, 1))
		return "", nil, &Error{Reason: "say what is to become of the drift: accept, revert or ignore", Suggestion: guess}
	}
	for _, v := range Verbs() {
		if string(v) == first {
			return v, rest, nil
		}
	}
	if guess := nearest(first, line(rest, 0)); guess != "" {
		return "", nil, &Error{Reason: fmt.Sprintf("there is no command /%.40s", first), Suggestion: guess}
	}
	return "", nil, ErrForeign
}

// arguments reads what follows a verb.
func arguments(v Verb, words []word, now time.Time) (Command, error) {
	c := Command{Verb: v}
	switch v {
	case Accept, Revert, Ignore:
		return c.withKeys(words, now)
	case Plan, Apply:
		return c.withEnv(words, now)
	case Cancel, Help:
		if len(words) > 0 {
			return c, &Error{Reason: fmt.Sprintf("/%s takes nothing after it", v), Suggestion: "/" + string(v)}
		}
	case Hold:
		var parts []string
		for _, w := range words {
			parts = append(parts, w.text)
		}
		c.Reason = oneLine(strings.Join(parts, " "))
	case Rollback:
		return c.withCommit(words)
	case Why:
		if len(words) != 1 {
			return c, &Error{Reason: "name one object, as in /why queue/Support; a name with blanks in it stands in quotes"}
		}
		return c.withKeys(words, now)
	}
	return c, nil
}

func (c Command) withKeys(words []word, now time.Time) (Command, error) {
	for i, w := range words {
		if c.Verb != Why && !w.quoted && strings.EqualFold(w.text, "until") {
			if c.Verb != Ignore {
				return c, &Error{Reason: "only /drift ignore ends at a date"}
			}
			var err error
			c.Until, err = until(words[i+1:], now)
			return c, err
		}
		k, err := resource.ParseKey(w.text)
		if err != nil {
			return c, &Error{Reason: fmt.Sprintf("%.80q is no object: objects are written kind/name, such as queue/Support, and stand in quotes where the name has blanks in it", w.text)}
		}
		if len(c.Keys) == maxKeys {
			return c, &Error{Reason: fmt.Sprintf("at most %d objects in one command", maxKeys)}
		}
		c.Keys = append(c.Keys, k)
	}
	return c, nil
}

func (c Command) withEnv(words []word, now time.Time) (Command, error) {
	isAt := func(w word) bool { return c.Verb == Apply && !w.quoted && strings.EqualFold(w.text, "at") }
	if len(words) > 0 && !isAt(words[0]) {
		c.Env, words = words[0].text, words[1:]
		if len(c.Env) > 100 || strings.ContainsAny(c.Env, "/ \t") || c.Env == "" {
			return c, &Error{Reason: fmt.Sprintf("%.40q is no environment", c.Env)}
		}
	}
	if len(words) == 0 {
		return c, nil
	}
	if !isAt(words[0]) {
		return c, &Error{Reason: fmt.Sprintf("%.40q was not expected after the environment", words[0].text), Suggestion: "/" + string(c.Verb) + " " + c.Env}
	}
	var err error
	c.At, err = at(words[1:], now)
	return c, err
}

func (c Command) withCommit(words []word) (Command, error) {
	if len(words) != 1 {
		return c, &Error{Reason: "name the commit to go back to, as in /rollback 1f9120c"}
	}
	c.Commit = strings.ToLower(words[0].text)
	if len(c.Commit) < shortest || len(c.Commit) > wholeID || strings.Trim(c.Commit, "0123456789abcdef") != "" {
		return c, &Error{Reason: fmt.Sprintf("%.50q is no commit: give 7 to 40 hexadecimal digits", words[0].text)}
	}
	return c, nil
}

// String returns the command as it can be written; Parse reads it back.
func (c Command) String() string {
	out := "/" + string(c.Verb)
	for _, k := range c.Keys {
		out += " " + quote(k.String())
	}
	if c.Env != "" {
		out += " " + quote(c.Env)
	}
	if !c.Until.IsZero() {
		out += " until " + c.Until.UTC().Format(time.RFC3339)
	}
	if !c.At.IsZero() {
		out += " at " + c.At.UTC().Format(time.RFC3339)
	}
	if c.Commit != "" {
		out += " " + c.Commit
	}
	if c.Reason != "" {
		out += " " + quote(c.Reason)
	}
	return out
}
