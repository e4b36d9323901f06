package forge_test

import (
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
)

// Git itself says which names branches may have.
func TestValidBranch(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"main", "driftback/drift/prod-2", "a.b", "a@b", "grüße/世界", "a-", "a=b", "a%20b", "x.lockx", "{}", "a@", "\u202e",
		"", "a..b", "a b", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a\nb", "a\x7fb", "a\x00b", "/a", "a/", "a//b",
		".a", "a/.b", "a.lock", "a.lock/b", "a.", "a/b.", "a@{b", "@{",
	} {
		want := !strings.Contains(name, "\x00") &&
			exec.CommandContext(t.Context(), "git", "check-ref-format", "refs/heads/"+name).Run() == nil
		require.Equal(t, want, forge.ValidBranch(name), "%q", name)
	}
	for _, name := range []string{"-a", "@", "a\xff", strings.Repeat("x", 245)} {
		require.False(t, forge.ValidBranch(name), "%q: git takes it, we do not", name)
	}
}

func TestPullClean(t *testing.T) {
	t.Parallel()
	got, err := forge.Pull{Head: "a", Title: " one\ntwo ", Body: "x\xff\r\n", Labels: []string{"z", "a\tb", "z"}, Reviewers: []string{"cy", "ann", "cy"}}.Clean()
	require.NoError(t, err)
	require.Equal(t, forge.Pull{Head: "a", Title: "one two", Body: "x\uFFFD\r\n", Labels: []string{"a b", "z"}, Reviewers: []string{"ann", "cy"}}, got)
	again, err := got.Clean()
	require.NoError(t, err)
	require.Equal(t, got, again, "cleaning twice is cleaning once")
	closing := forge.Pull{Head: "a", State: forge.Closed}
	got, err = closing.Clean()
	require.NoError(t, err)
	require.Equal(t, closing, got)
	_, err = forge.Pull{Head: "a b", State: forge.Closed}.Clean()
	require.ErrorIs(t, err, forge.ErrInvalid)
}

func TestStatusClean(t *testing.T) {
	t.Parallel()
	ok := forge.Status{Context: "driftback/prod", State: "success", Description: "a\nb", URL: "https://example.org/ü"}
	got, err := ok.Clean()
	require.NoError(t, err)
	require.Equal(t, "a b", got.Description)
	for name, spoil := range map[string]func(*forge.Status){
		"no context":      func(s *forge.Status) { s.Context = "" },
		"a long context":  func(s *forge.Status) { s.Context = strings.Repeat("x", 256) },
		"no state":        func(s *forge.Status) { s.State = "" },
		"a foreign state": func(s *forge.Status) { s.State = "queued" },
		"a URL of lines":  func(s *forge.Status) { s.URL = "https://a\n" },
		"a long URL":      func(s *forge.Status) { s.URL = strings.Repeat("x", 2049) },
	} {
		s := ok
		spoil(&s)
		_, err := s.Clean()
		require.ErrorIs(t, err, forge.ErrInvalid, name)
	}
}

func TestStatusCleanCutsAnnotations(t *testing.T) {
	t.Parallel()
	s := forge.Status{Context: "c", State: "failure", Title: "a\nb", Annotations: []forge.Annotation{
		{Path: "a", Level: "notice", Message: strings.Repeat("ü", forge.MaxMessage+1)},
		{Path: "a", Line: 7, EndLine: 3, Level: "warning", Message: "x\xff"},
	}}
	got, err := s.Clean()
	require.NoError(t, err)
	require.Equal(t, "a b", got.Title)
	require.Equal(t, forge.MaxMessage, utf8.RuneCountInString(got.Annotations[0].Message))
	require.Equal(t, []int{1, 1}, []int{got.Annotations[0].Line, got.Annotations[0].EndLine})
	require.Equal(t, forge.Annotation{Path: "a", Line: 7, EndLine: 7, Level: "warning", Message: "x\uFFFD"}, got.Annotations[1])
	again, err := got.Clean()
	require.NoError(t, err)
	require.True(t, got.Equal(again), "cleaning twice is cleaning once")
	again.Annotations[1].Line = 8
	require.False(t, s.Equal(again))
}

func TestDeploymentClean(t *testing.T) {
	t.Parallel()
	ok := forge.Deployment{ID: "prod/1", Environment: "prod", State: "in_progress", Description: "a\nb"}
	got, err := ok.Clean()
	require.NoError(t, err)
	require.Equal(t, "a b", got.Description)
	for name, spoil := range map[string]func(*forge.Deployment){
		"no id":           func(d *forge.Deployment) { d.ID = "" },
		"no environment":  func(d *forge.Deployment) { d.Environment = "" },
		"not UTF-8":       func(d *forge.Deployment) { d.Environment = "\xff" },
		"a foreign state": func(d *forge.Deployment) { d.State = "pending" },
		"a URL of lines":  func(d *forge.Deployment) { d.URL = "\x1b" },
	} {
		d := ok
		spoil(&d)
		_, err := d.Clean()
		require.ErrorIs(t, err, forge.ErrInvalid, name)
	}
}
