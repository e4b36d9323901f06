package resource

import (
	"fmt"
	"strings"
)

// A Kind names a type of object: queue, skill, file.
type Kind string

// A Key identifies an object in every environment. It never holds a platform's
// id. The zero Key identifies nothing.
type Key struct {
	Kind Kind
	Name string
}

// String prints the key as kind/name. The name may itself contain slashes.
func (k Key) String() string { return string(k.Kind) + "/" + k.Name }

// IsZero reports whether k identifies nothing.
func (k Key) IsZero() bool { return k == Key{} }

// Compare orders keys by kind, then by name, bytewise.
func (k Key) Compare(o Key) int {
	if k.Kind != o.Kind {
		return strings.Compare(string(k.Kind), string(o.Kind))
	}
	return strings.Compare(k.Name, o.Name)
}

// MarshalText makes keys usable as keys of JSON objects.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (k *Key) UnmarshalText(b []byte) error {
	p, err := ParseKey(string(b))
	if err == nil {
		*k = p
	}
	return err
}

// ParseKey reads kind/name, splitting at the first slash.
func ParseKey(s string) (Key, error) {
	kind, name, ok := strings.Cut(s, "/")
	if !ok || kind == "" || name == "" {
		return Key{}, fmt.Errorf("key %q: want kind/name, such as queue/Support", s)
	}
	return Key{Kind: Kind(kind), Name: name}, nil
}
