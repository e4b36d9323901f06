package forge

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on what is a name to a program. All forges keep them.
const (
	maxBranch = 244  // bytes: a file name's, less room for git's own suffix
	maxName   = 255  // bytes of a key, id, environment or context
	maxLabel  = 50   // characters of a label, and labels of a pull request
	maxURL    = 2048 // bytes
	maxAsked  = 15   // reviewers of a pull request: those after them are not asked
)

// Clean returns what is asked of EnsurePull as a forge keeps it: a title of one
// line, labels sorted and each once, texts in valid UTF-8. ErrInvalid for what no
// forge takes: no title, a name that no branch can have, a head that is its own
// base, a body over MaxBody. The base may be empty. Of a pull request to be closed
// only the head counts.
func (p Pull) Clean() (Pull, error) {
	if err := checkBranch("head", p.Head); err != nil {
		return p, err
	}
	switch p.State {
	case Closed:
		return p, nil
	case Open, "":
	default:
		return p, fmt.Errorf("state %.20q: %w", p.State, ErrInvalid)
	}
	if p.Base != "" {
		if err := checkBranch("base", p.Base); err != nil {
			return p, err
		}
	}
	if p.Head == p.Base {
		return p, fmt.Errorf("head and base are both %s: %w", p.Head, ErrInvalid)
	}
	if p.Title = CleanTitle(p.Title); p.Title == "" {
		return p, fmt.Errorf("no title: %w", ErrInvalid)
	}
	var err error
	if p.Reviewers, err = cleanReviewers(p.Reviewers); err != nil {
		return p, err
	}
	if p.Labels, err = cleanLabels(p.Labels); err != nil {
		return p, err
	}
	p.Body, err = CleanBody(p.Body)
	return p, err
}

// Clean returns s with its description, title and annotations cut to what is
// taken; ErrInvalid for a context, state, URL, summary or annotation that no forge takes.
func (s Status) Clean() (Status, error) {
	s.Description, s.Title = CleanDescription(s.Description), CleanTitle(s.Title)
	var err error
	if s.Summary, err = CleanBody(s.Summary); err != nil {
		return s, err
	}
	if s.Annotations, err = cleanAnnotations(s.Annotations); err != nil {
		return s, err
	}
	if err := checkName("context", s.Context); err != nil {
		return s, err
	}
	if err := checkState(s.State, "pending", "success", "failure", "error"); err != nil {
		return s, err
	}
	return s, checkURL(s.URL)
}

// cleanAnnotations returns the first MaxAnnotations, each as a forge takes it; nil for none.
func cleanAnnotations(as []Annotation) ([]Annotation, error) {
	var clean []Annotation
	for _, a := range as[:min(len(as), MaxAnnotations)] {
		if err := checkState(a.Level, "notice", "warning", "failure"); err != nil {
			return nil, fmt.Errorf("annotation: %w", err)
		}
		if a.Path == "" || len(a.Path) > maxURL || !utf8.ValidString(a.Path) {
			return nil, fmt.Errorf("annotation of path %.60q: %w", a.Path, ErrInvalid)
		}
		a.Line = max(a.Line, 1)
		a.EndLine = max(a.EndLine, a.Line)
		a.Message = cut(strings.ToValidUTF8(a.Message, "\uFFFD"), MaxMessage)
		if strings.TrimSpace(a.Message) == "" {
			return nil, fmt.Errorf("annotation of path %.60q: no message: %w", a.Path, ErrInvalid)
		}
		clean = append(clean, a)
	}
	return clean, nil
}

// Clean returns d with its description cut; ErrInvalid for an id, environment, state or URL that no forge takes.
func (d Deployment) Clean() (Deployment, error) {
	d.Description = CleanDescription(d.Description)
	if err := checkName("deployment id", d.ID); err != nil {
		return d, err
	}
	if err := checkName("environment", d.Environment); err != nil {
		return d, err
	}
	if err := checkState(d.State, "queued", "in_progress", "success", "failure", "inactive"); err != nil {
		return d, err
	}
	return d, checkURL(d.URL)
}

// CleanBody returns a body or comment as it is kept: valid UTF-8, and nothing else changed; ErrInvalid over MaxBody.
func CleanBody(s string) (string, error) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > MaxBody {
		return "", fmt.Errorf("text of %d bytes: at most %d: %w", len(s), MaxBody, ErrInvalid)
	}
	return s, nil
}

// CheckReaction returns ErrInvalid for what is none of the reactions.
func CheckReaction(s string) error { return checkState(s, Eyes, Rocket, Confused) }

// CheckKey returns ErrInvalid for what cannot be the key of a comment: nothing, over 255 bytes, not UTF-8.
func CheckKey(key string) error { return checkName("key", key) }

// ValidBranch reports whether a branch may have this name, by the rules of
// git check-ref-format(1) and a little narrower: valid UTF-8, at most 244 bytes,
// not like an option.
func ValidBranch(name string) bool {
	if name == "" || len(name) > maxBranch || name == "@" || name[0] == '-' || !utf8.ValidString(name) ||
		strings.HasSuffix(name, ".") || strings.Contains(name, "..") || strings.Contains(name, "@{") ||
		strings.ContainsAny(name, " ~^:?*[\\\x7f") {
		return false
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

func checkBranch(what, name string) error {
	if !ValidBranch(name) {
		return fmt.Errorf("%s branch %.300q: no name for a branch: %w", what, name, ErrInvalid)
	}
	return nil
}

func checkName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("no %s: %w", what, ErrInvalid)
	case len(s) > maxName:
		return fmt.Errorf("%s %.20q… of %d bytes: at most %d: %w", what, s, len(s), maxName, ErrInvalid)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s %q: not UTF-8: %w", what, s, ErrInvalid)
	}
	return nil
}

func checkState(state string, known ...string) error {
	if !slices.Contains(known, state) {
		return fmt.Errorf("state %.20q: want one of %s: %w", state, strings.Join(known, ", "), ErrInvalid)
	}
	return nil
}

func checkURL(s string) error {
	if len(s) > maxURL || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("URL %.60q: %w", s, ErrInvalid)
	}
	return nil
}

// cleanReviewers returns reviewers sorted, each once; nil for none.
func cleanReviewers(names []string) ([]string, error) {
	var clean []string
	for _, n := range names {
		if err := checkName("reviewer", n); err != nil {
			return nil, err
		}
		if strings.ContainsFunc(n, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			return nil, fmt.Errorf("reviewer %.60q: %w", n, ErrInvalid)
		}
		clean = append(clean, n)
	}
	slices.Sort(clean)
	clean = slices.Compact(clean)
	return clean[:min(len(clean), maxAsked)], nil
}

// cleanLabels returns labels sorted, each once; nil for none.
func cleanLabels(labels []string) ([]string, error) {
	var clean []string
	for _, l := range labels {
		l = CleanTitle(l)
		if l == "" || utf8.RuneCountInString(l) > maxLabel {
			return nil, fmt.Errorf("label %q: 1 to %d characters: %w", l, maxLabel, ErrInvalid)
		}
		clean = append(clean, l)
	}
	slices.Sort(clean)
	clean = slices.Compact(clean)
	if len(clean) > maxLabel {
		return nil, fmt.Errorf("%d labels: at most %d: %w", len(clean), maxLabel, ErrInvalid)
	}
	return clean, nil
}
