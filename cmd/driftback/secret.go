package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// cmdTimeout bounds a command that prints a secret.
const cmdTimeout = 30 * time.Second

// A resolver reads secrets from where the configuration says they are. Every
// value that it returns is removed from logs and results from then on.
type resolver struct{ redact *redactor }

// resolve returns the secret, without a newline at its end. An empty secret is an error.
func (r resolver) resolve(ctx context.Context, s secretSource) (string, error) {
	value, err := r.read(ctx, s)
	if err != nil {
		return "", err
	}
	value = strings.TrimSuffix(strings.TrimSuffix(value, "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("secret %s: empty", s)
	}
	r.redact.add(value)
	return value, nil
}

func (r resolver) read(ctx context.Context, s secretSource) (string, error) {
	switch {
	case s.env != "":
		v, ok := os.LookupEnv(s.env)
		if !ok {
			return "", fmt.Errorf("secret %s: the variable is not set", s)
		}
		return v, nil
	case s.file != "":
		b, err := os.ReadFile(s.file)
		if err != nil {
			return "", fmt.Errorf("secret %s: %w", s, errors.Unwrap(err))
		}
		return string(b), nil
	case len(s.cmd) > 0:
		return r.output(ctx, s)
	}
	return "", errors.New("secret: no source given")
}

// output runs the command without a shell. Its error output may hold anything, so it is not shown.
func (r resolver) output(ctx context.Context, s secretSource) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, cmdTimeout)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, s.cmd[0], s.cmd[1:]...) // #nosec G204 -- the operator's own program, from the configuration, without a shell
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("secret %s: %w", s, err)
	}
	return out.String(), nil
}

// String names the source without its arguments, which may be telling.
func (s secretSource) String() string {
	switch {
	case s.env != "":
		return "env:" + s.env
	case s.file != "":
		return "file:" + s.file
	case len(s.cmd) > 0:
		return "cmd:" + s.cmd[0]
	}
	return "not set"
}
