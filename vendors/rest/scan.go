package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/driftback/driftback/vendors/resource"
)

// A scanner goes over JSON bytes without making anything of them. It is strict about structure, and
// leaves the inside of strings and numbers to whoever decodes them.
type scanner struct {
	b []byte
	i int
}

var errJSON = errors.New("malformed JSON")

func (s *scanner) fail() error { return fmt.Errorf("%w at byte %d", errJSON, s.i) }

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\n', '\t', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// expect takes the byte, after white space.
func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return s.fail()
	}
	s.i++
	return nil
}

// text takes a string and returns it with its quotes, as it is written, and whether it has escapes.
func (s *scanner) text() (raw []byte, escaped bool, err error) {
	if s.peek() != '"' {
		return nil, false, s.fail()
	}
	begin := s.i
	i := s.i + 1
	for {
		end := bytes.IndexByte(s.b[i:], '"')
		if end < 0 {
			s.i = len(s.b)
			return nil, false, s.fail()
		}
		// A quote ends the string unless an odd number of backslashes is before it.
		i += end
		if s.b[i-1] != '\\' {
			break
		}
		back := i - 1
		for s.b[back-1] == '\\' && back-1 > begin {
			back--
		}
		escaped = true
		if (i-back)%2 == 0 {
			break
		}
		i++
	}
	s.i = i + 1
	raw = s.b[begin:s.i]
	if !escaped && bytes.IndexByte(raw, '\\') >= 0 {
		escaped = true
	}
	return raw, escaped, nil
}

// key takes the key of a member and the colon. It is valid until the scanner's bytes are reused.
func (s *scanner) key() ([]byte, error) {
	raw, escaped, err := s.text()
	if err != nil {
		return nil, err
	}
	if err := s.expect(':'); err != nil {
		return nil, err
	}
	if escaped {
		return unquote(raw)
	}
	return raw[1 : len(raw)-1], nil
}

// unquote returns what a string says.
func unquote(raw []byte) ([]byte, error) {
	var v string
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	return []byte(v), nil
}

// scalar takes a number or a literal and returns it as it is written.
func (s *scanner) scalar() ([]byte, error) {
	begin := s.i
	for s.i < len(s.b) {
		c := s.b[s.i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E' {
			s.i++
			continue
		}
		break
	}
	raw := s.b[begin:s.i]
	if len(raw) == 0 {
		return nil, s.fail()
	}
	switch c := raw[0]; {
	case c == '-' || c >= '0' && c <= '9':
		return raw, nil
	case string(raw) == "true", string(raw) == "false", string(raw) == "null":
		return raw, nil
	}
	return nil, s.fail()
}

// members takes an object and calls f at the value of each member, which f takes.
func (s *scanner) members(f func(key []byte) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for {
		key, err := s.key()
		if err != nil {
			return err
		}
		if err := f(key); err != nil {
			return err
		}
		if more, err := s.more('}'); err != nil || !more {
			return err
		}
	}
}

// elements takes a list and calls f at each element, which f takes.
func (s *scanner) elements(f func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.i++
		return nil
	}
	for {
		if err := f(); err != nil {
			return err
		}
		if more, err := s.more(']'); err != nil || !more {
			return err
		}
	}
}

// more takes a comma, or the end.
func (s *scanner) more(end byte) (bool, error) {
	switch s.peek() {
	case ',':
		s.i++
		return true, nil
	case end:
		s.i++
		return false, nil
	}
	return false, s.fail()
}

// skip takes a value of any kind.
func (s *scanner) skip(depth int) error {
	if depth > resource.MaxDepth {
		return fmt.Errorf("nested deeper than %d levels", resource.MaxDepth)
	}
	switch s.peek() {
	case '{':
		return s.members(func([]byte) error { return s.skip(depth + 1) })
	case '[':
		return s.elements(func() error { return s.skip(depth + 1) })
	case '"':
		_, _, err := s.text()
		return err
	}
	_, err := s.scalar()
	return err
}

// null takes null if it is next.
func (s *scanner) null() bool {
	if s.peek() == 'n' && bytes.HasPrefix(s.b[s.i:], []byte("null")) {
		s.i += 4
		return true
	}
	return false
}
