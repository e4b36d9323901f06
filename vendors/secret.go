package vendors

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// secrets holds what was resolved for one write, so that it can be kept out of everything else.
type secrets struct {
	resolve func(name string) (string, error)
	values  map[string]string // by name
}

// fill returns the change as the driver gets it: secrets by value in what is to be
// written, and left out of what was observed, where they never stand.
func (s *secrets) fill(c resource.Change) (resource.Change, error) {
	if c.Before != nil {
		before := *c.Before
		before.Spec = withoutSecrets(before.Spec, resource.At{})
		c.Before = &before
	}
	if c.After != nil {
		v, err := s.fillValue(map[string]any(c.After.Spec))
		if err != nil {
			return c, err
		}
		after := *c.After
		after.Spec = resource.Spec(v.(map[string]any))
		c.After = &after
	}
	return c, nil
}

// fillValue returns a deep copy with the values of secrets.
func (s *secrets) fillValue(v any) (any, error) {
	switch v := v.(type) {
	case resource.Secret:
		return s.value(v.Name)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			x, err := s.fillValue(x)
			if err != nil {
				return nil, err
			}
			out[k] = x
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			x, err := s.fillValue(x)
			if err != nil {
				return nil, err
			}
			out[i] = x
		}
		return out, nil
	}
	return v, nil
}

func (s *secrets) value(name string) (string, error) {
	if v, ok := s.values[name]; ok {
		return v, nil
	}
	if s.resolve == nil {
		return "", fmt.Errorf("secret %s: no secrets are configured", name)
	}
	v, err := s.resolve(name)
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", name, err)
	}
	if s.values == nil {
		s.values = map[string]string{}
	}
	s.values[name] = v
	return v, nil
}

// restore returns what the platform stored with the secrets named again, where model
// has them and the platform gave them back.
func (s *secrets) restore(stored, model resource.Spec) resource.Spec {
	if len(s.values) == 0 {
		return stored
	}
	return resource.Spec(s.restoreValue(map[string]any(stored), map[string]any(model)).(map[string]any))
}

func (s *secrets) restoreValue(v, model any) any {
	if m, ok := model.(resource.Secret); ok {
		return m
	}
	switch v := v.(type) {
	case map[string]any:
		m, _ := model.(map[string]any)
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = s.restoreValue(x, m[k])
		}
		return out
	case []any:
		m, _ := model.([]any)
		out := make([]any, len(v))
		for i, x := range v {
			var of any
			if i < len(m) {
				of = m[i]
			}
			out[i] = s.restoreValue(x, of)
		}
		return out
	case string:
		if v == model {
			return v // it was sent in the clear
		}
		return s.mask(v)
	}
	return v
}

// redact returns the error with every secret masked. It still is what it was for errors.Is, but cannot be unwrapped.
func (s *secrets) redact(err error) error {
	if err == nil || len(s.values) == 0 {
		return err
	}
	return &redacted{text: s.mask(err.Error()), err: err}
}

// mask replaces the secrets in a text, also where they are quoted or encoded as requests do.
func (s *secrets) mask(text string) string {
	var pairs [][2]string
	for name, v := range s.values {
		if v == "" {
			continue
		}
		quoted, _ := json.Marshal(v) // of a string: cannot fail
		for _, form := range []string{
			v, string(quoted[1 : len(quoted)-1]), strings.Trim(strconv.Quote(v), `"`), url.QueryEscape(v), url.PathEscape(v),
			base64.StdEncoding.EncodeToString([]byte(v)), base64.URLEncoding.EncodeToString([]byte(v)),
			base64.RawURLEncoding.EncodeToString([]byte(v)),
		} {
			pairs = append(pairs, [2]string{form, "[secret " + name + "]"})
		}
	}
	// Longer ones first, so that no part of one is left over when another is its beginning.
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if d := len(b[0]) - len(a[0]); d != 0 {
			return d
		}
		return strings.Compare(a[0]+a[1], b[0]+b[1])
	})
	var flat []string
	for _, p := range pairs {
		flat = append(flat, p[0], p[1])
	}
	return strings.NewReplacer(flat...).Replace(text)
}

// redacted is an error that hides the text of its cause, and is of the same class.
type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string        { return r.text }
func (r *redacted) Is(target error) bool { return errors.Is(r.err, target) }

// withoutSecrets returns the spec without Secret values and without the fields that at
// declares as secret. It shares what it can with s.
func withoutSecrets(s resource.Spec, at resource.At) resource.Spec {
	if s == nil {
		return nil
	}
	return resource.Spec(dropSecrets(map[string]any(s), at).(map[string]any))
}

// dropSecrets returns nil for what is left out.
func dropSecrets(v any, at resource.At) any {
	if _, secret := v.(resource.Secret); secret || at.Field().Secret {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			if x = dropSecrets(x, at.Key(k)); x != nil {
				out[k] = x
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, x := range v {
			if x = dropSecrets(x, at.Elem()); x != nil {
				out = append(out, x)
			}
		}
		return out
	}
	return v
}
