package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxConfig bounds the configuration file, in bytes.
const maxConfig = 1 << 20

// findConfig returns the path of the configuration file: the flag's, the
// environment's, or the first that exists of the usual places.
func findConfig(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if p := os.Getenv("DRIFTBACK_CONFIG"); p != "" {
		return p, nil
	}
	places := []string{"driftback.yaml", "/etc/driftback/driftback.yaml"}
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("configuration: %w", err)
		}
	}
	return "", fmt.Errorf("configuration: neither %s is there; write one, or name it with --config or $DRIFTBACK_CONFIG", strings.Join(places, " nor "))
}

// readConfig reads the file and nothing more of it than a configuration may have.
func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path) // #nosec G304 -- the file that the operator named
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if len(src) > maxConfig {
		return nil, fmt.Errorf("configuration %s: more than the %d bytes that one may have", path, maxConfig)
	}
	return src, nil
}

// loadConfig decodes and checks what was read from path.
func loadConfig(path string, src []byte) (*config, error) {
	c, err := parseConfig(path, src)
	if err != nil {
		return nil, err
	}
	c.rebase(filepath.Dir(path))
	return c, nil
}

// parseConfig decodes src strictly and checks every value. path is for messages only.
func parseConfig(path string, src []byte) (*config, error) {
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, at(path, src, err)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("configuration %s: empty", path)
	}
	if len(file.Docs) > 1 {
		return nil, fmt.Errorf("configuration %s: want one YAML document, found %d", path, len(file.Docs))
	}
	c := &config{}
	if err := yaml.NodeToValue(file.Docs[0].Body, c, yaml.Strict()); err != nil {
		return nil, at(path, src, err)
	}
	c.setDefaults()
	var errs []error
	for _, p := range c.check() {
		errs = append(errs, p.at(path, src, file))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return c, nil
}

// rebase makes relative paths of the file relative to the file's folder.
func (c *config) rebase(dir string) {
	if u := c.Repository.URL; isRelativePath(u) {
		c.Repository.URL = filepath.Join(dir, u)
	}
	files := []*string{&c.Repository.Mirror}
	if t := c.Repository.TLS; t != nil {
		files = append(files, &t.CA, &t.Certificate)
	}
	if s := c.Repository.Auth.SSH; s != nil {
		files = append(files, &s.KnownHosts)
	}
	for _, f := range files {
		if *f != "" && !filepath.IsAbs(*f) {
			*f = filepath.Join(dir, *f)
		}
	}
}

// isRelativePath tells a relative path from a URL and from user@host:path.
func isRelativePath(u string) bool {
	return strings.HasPrefix(u, "./") || strings.HasPrefix(u, "../") || u != "" && !filepath.IsAbs(u) && !strings.Contains(u, ":")
}

// at says where in the file the decoder stopped, with the line and a caret.
func at(path string, src []byte, err error) error {
	if n, ok := errors.AsType[*nodeError](err); ok {
		shown := tokenOf(n.node)
		return located(path, src, shown, keyOf(src, shown)+n.msg, n.secret)
	}
	if y, ok := errors.AsType[yaml.Error](err); ok && y.GetToken() != nil {
		_, unknown := y.(*yaml.UnknownFieldError)
		return located(path, src, y.GetToken(), plainMessage(y), unknown)
	}
	return fmt.Errorf("configuration %s: %w", path, err)
}

// plainMessage words the decoder's errors for operators.
func plainMessage(y yaml.Error) string {
	switch e := y.(type) {
	case *yaml.UnknownFieldError:
		return "unknown key " + e.Token.Value
	case *yaml.TypeError:
		return "want " + yamlType(e.DstType) + ", found " + yamlType(e.SrcType)
	}
	return y.GetMessage()
}

// located formats a message with its place. Where hide is set, or the line names
// a secret, what stands behind the key is not shown.
func located(path string, src []byte, t *token.Token, msg string, hide bool) error {
	if t == nil || t.Position == nil {
		return fmt.Errorf("configuration %s: %s", path, msg)
	}
	line, column := t.Position.Line, t.Position.Column
	text, caret := excerpt(src, line, column, hide)
	return fmt.Errorf("configuration %s:%d:%d: %s\n%6d | %s\n%6s   %s^", path, line, column, msg, line, text, "", caret)
}

// excerpt returns the line and what stands before the caret in the line below it.
func excerpt(src []byte, line, column int, hide bool) (text, caret string) {
	lines := strings.Split(string(src), "\n")
	if line < 1 || line > len(lines) {
		return "", ""
	}
	text = strings.ReplaceAll(strings.TrimSuffix(lines[line-1], "\r"), "\t", " ")
	key, value, isPair := strings.Cut(text, ": ")
	switch {
	case hide && !isPair:
		text = "…"
	case strings.TrimSpace(value) != "" && (hide || namesSecret(key)):
		text = key + ": …"
	}
	column = min(column, len([]rune(text))+1)
	return text, strings.Repeat(" ", max(0, column-1))
}

func namesSecret(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"key", "token", "secret", "pass", "auth", "credential"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// keyOf returns "key: " for the key on the token's line, if it has one.
func keyOf(src []byte, t *token.Token) string {
	if t == nil || t.Position == nil {
		return ""
	}
	lines := strings.Split(string(src), "\n")
	if l := t.Position.Line; l >= 1 && l <= len(lines) {
		if key, _, ok := strings.Cut(lines[l-1], ":"); ok {
			return strings.Trim(key, " -\"'") + ": "
		}
	}
	return ""
}

func tokenOf(n ast.Node) *token.Token {
	if n == nil {
		return nil
	}
	return n.GetToken()
}
