package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(file, []byte("from file\r\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty"), []byte("\n"), 0o600))
	t.Setenv("DRIFTBACK_TEST_SECRET", "from env")
	for _, c := range []struct {
		source     secretSource
		want, fail string
	}{
		{source: secretSource{env: "DRIFTBACK_TEST_SECRET"}, want: "from env"},
		{source: secretSource{file: file}, want: "from file"},
		{source: secretSource{cmd: []string{"printf", "%s\n\n", "from $HOME; cmd"}}, want: "from $HOME; cmd\n"},
		{source: secretSource{env: "DRIFTBACK_TEST_ABSENT"}, fail: "secret env:DRIFTBACK_TEST_ABSENT: the variable is not set"},
		{source: secretSource{file: filepath.Join(dir, "none")}, fail: "no such file"},
		{source: secretSource{file: filepath.Join(dir, "empty")}, fail: "empty"},
		{source: secretSource{cmd: []string{"sh", "-c", "echo telling >&2; exit 3"}}, fail: "secret cmd:sh: exit status 3"},
		{source: secretSource{}, fail: "no source given"},
	} {
		redact := new(redactor)
		got, err := resolver{redact}.resolve(t.Context(), c.source)
		if c.fail != "" {
			require.ErrorContains(t, err, c.fail)
			require.NotContains(t, err.Error(), "telling")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, got)
		require.NotContains(t, redact.text("x "+c.want+" y"), strings.TrimSpace(c.want))
	}
}

// A secret shows in no log line, however it got there.
func TestLogsAreRedacted(t *testing.T) {
	t.Parallel()
	const secret = `p"ss\wörd`
	redact := new(redactor)
	redact.add(secret)
	redact.add("line one of a key\nline two of it")
	for _, kind := range []string{"text", "json"} {
		var out bytes.Buffer
		c := cli{stderr: &out, redact: redact, logFormat: kind}
		log, err := c.logger(slog.LevelInfo)
		require.NoError(t, err)
		log.With("a", secret).WithGroup("g").Info("said "+secret, "s", secret, "err", fmt.Errorf("get: %w", errors.New(secret)),
			slog.Group("group", "in", secret), "struct", struct{ P string }{secret}, "bytes", "has line two of it inside", "n", 7)
		require.NotContains(t, out.String(), `ss\`)
		require.NotContains(t, out.String(), "wörd")
		require.NotContains(t, out.String(), "line two")
		require.Contains(t, out.String(), "said [secret]")
		require.Contains(t, out.String(), "n")
	}
}

func TestResultsAreRedacted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := cli{stdout: &out, redact: new(redactor)}
	c.redact.add("hunter2")
	for _, f := range formats {
		require.NoError(t, c.format.Set(f))
		require.NoError(t, c.print(result{value: map[string]string{"a": "hunter2"}, text: textOf("hunter2 it was\n")}))
	}
	require.NotContains(t, out.String(), "hunter2")
}

func TestLongerSecretsGoFirst(t *testing.T) {
	t.Parallel()
	r := new(redactor)
	r.add("pass")
	r.add("password")
	require.Equal(t, "[secret]", r.text("password"))
	r.add("ab")
	require.Equal(t, "ab", r.text("ab"), "two letters are no secret, and hiding them garbles every text")
}

// A server may echo what it was sent, in the form in which it was sent.
func TestSpellingsOfSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	const secret = `to&en "of" a>b?c~ä/server`
	r := new(redactor)
	r.add(secret)
	r.add("x-access-token:" + secret)
	quoted, err := json.Marshal(secret)
	require.NoError(t, err)
	for _, s := range []string{string(quoted), url.QueryEscape(secret), url.PathEscape(secret)} {
		require.NotContains(t, r.text("said "+s+"."), "server", s)
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		for _, s := range []string{secret, "x-access-token:" + secret} {
			require.Equal(t, "Basic [secret]", strings.TrimRight(r.text("Basic "+e.EncodeToString([]byte(s))), "="))
		}
		for _, user := range []string{"", "a", "bc", "def"} {
			shown := e.EncodeToString([]byte(user + ":" + secret + ":more"))
			require.Less(t, len(strings.Replace(r.text(shown), redacted, "", 1)), len(shown)-len(secret), shown)
		}
	}
}

func TestAnswersThatLookLikeCredentialsAreNotRepeated(t *testing.T) {
	t.Parallel()
	r := new(redactor)
	r.add("hunter2-and-more")
	require.Equal(t, "500: line 3: unknown key [secret]", r.answer("500: line 3: unknown key hunter2-and-more"))
	require.Equal(t, withheldAnswer, r.answer("500: line 3: password: s3cr3t-Tr0ub4dor-9x"))
}
