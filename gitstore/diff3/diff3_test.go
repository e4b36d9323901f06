package diff3

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, base, ours, theirs, want string
		conflict                       bool
	}{
		{name: "nothing"},
		{name: "one side", base: "a\nb\n", ours: "a\nb\n", theirs: "a\nc\n", want: "a\nc\n"},
		{name: "apart", base: "a\nb\nc\nd\ne\n", ours: "A\nb\nc\nd\ne\n", theirs: "a\nb\nc\nd\nE\n", want: "A\nb\nc\nd\nE\n"},
		{name: "alike", base: "a\nb\nc\n", ours: "a\nX\nc\n", theirs: "a\nX\nc\n", want: "a\nX\nc\n"},
		{name: "no final newline", base: "a\nb\nc", ours: "A\nb\nc", theirs: "a\nb\nc", want: "A\nb\nc"},
		{name: "final newline goes", base: "a\nb\nc\n", ours: "A\nb\nc\n", theirs: "a\nb\nc", want: "A\nb\nc"},
		{name: "CRLF", base: "a\r\nb\r\nc\r\n", ours: "A\r\nb\r\nc\r\n", theirs: "a\r\nb\r\nC\r\n", want: "A\r\nb\r\nC\r\n"},
		{
			name: "same place", base: "a\nb\nc\n", ours: "a\nX\nc\n", theirs: "a\nY\nc\n", conflict: true,
			want: "a\n<<<<<<< ours\nX\n=======\nY\n>>>>>>> theirs\nc\n",
		},
		{
			name: "same place without newline", base: "a", ours: "b", theirs: "c", conflict: true,
			want: "<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n",
		},
		{
			name: "same place with CRLF", base: "a\r\nb\r\n", ours: "a\r\nX\r\n", theirs: "a\r\nY\r\n", conflict: true,
			want: "a\r\n<<<<<<< ours\r\nX\r\n=======\r\nY\r\n>>>>>>> theirs\r\n",
		},
		{
			name: "touching", base: "a\nb\n", ours: "A\nb\n", theirs: "a\nB\n", conflict: true,
			want: "<<<<<<< ours\nA\nb\n=======\na\nB\n>>>>>>> theirs\n",
		},
	} {
		got, conflict := Merge(c.base, c.ours, c.theirs)
		require.Equal(t, c.want, got, c.name)
		require.Equal(t, c.conflict, conflict, c.name)
	}
}

// words makes texts in which some lines repeat.
func words(r *rand.Rand, n, variety int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("key%d: value\n", r.IntN(variety))
		if r.IntN(12) == 0 {
			out[i] = "\n"
		}
	}
	return out
}

// edited changes a text in a few places.
func edited(r *rand.Rand, lines []string, times int) []string {
	out := append([]string(nil), lines...)
	for range times {
		at := r.IntN(len(out) + 1)
		switch r.IntN(4) {
		case 0:
			out = append(out[:at], append(words(r, 1+r.IntN(3), 1000), out[at:]...)...)
		case 1:
			end := min(len(out), at+1+r.IntN(3))
			out = append(out[:at], out[end:]...)
		default:
			if at < len(out) {
				out[at] = fmt.Sprintf("changed%d\n", r.IntN(4))
			}
		}
	}
	return out
}

func text(r *rand.Rand, lines []string) string {
	s := strings.Join(lines, "")
	if r.IntN(6) == 0 {
		s = strings.TrimSuffix(s, "\n")
	}
	return s
}

// native merges with git merge-file.
func native(t *testing.T, dir, base, ours, theirs string) (string, bool) {
	t.Helper()
	for name, content := range map[string]string{"base": base, "ours": ours, "theirs": theirs} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	cmd := exec.Command("git", "merge-file", "-p", "ours", "base", "theirs")
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode() < 128 {
		return out.String(), true
	}
	require.NoError(t, err)
	return out.String(), false
}

func TestMergeIsThatOfGit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const triples = 1600
	conflicts, cosmetic := 0, 0
	for seed := range uint64(triples) {
		r := rand.New(rand.NewPCG(seed, 7))
		lines := words(r, 1+r.IntN(40), []int{1000, 1000, 60, 25}[seed%4])
		base := text(r, lines)
		ours, theirs := text(r, edited(r, lines, r.IntN(5))), text(r, edited(r, lines, r.IntN(5)))
		if seed%5 == 0 {
			base, ours, theirs = crlf(base), crlf(ours), crlf(theirs)
		}
		want, wantConflict := native(t, dir, base, ours, theirs)
		got, conflict := Merge(base, ours, theirs)
		require.Equal(t, wantConflict, conflict, "seed %d\n--base\n%s--ours\n%s--theirs\n%s--git\n%s--got\n%s", seed, base, ours, theirs, want, got)
		if !conflict {
			require.Equal(t, want, got, "seed %d\n--base\n%s--ours\n%s--theirs\n%s", seed, base, ours, theirs)
			continue
		}
		conflicts++
		if want != got {
			cosmetic++
			if cosmetic < 4 {
				t.Logf("seed %d\n--base\n%s--ours\n%s--theirs\n%s--git\n%s--got\n%s", seed, base, ours, theirs, want, got)
			}
		}
	}
	t.Logf("%d triples, %d conflicts, %d of them with other markers", triples, conflicts, cosmetic)
	require.LessOrEqual(t, cosmetic, triples/100, "git lays out the same conflicts otherwise")
	require.Greater(t, conflicts, triples/10)
	require.Less(t, conflicts, triples*9/10)
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestHunksAreTheTexts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 9))
		lines := words(r, r.IntN(30), 8)
		checkMerge(t, text(r, lines), text(r, edited(r, lines, 4)), text(r, edited(r, lines, 4)))
	}
}

// checkMerge checks what is true of every merge.
func checkMerge(t *testing.T, base, ours, theirs string) {
	t.Helper()
	var o, th strings.Builder
	for _, h := range Hunks(base, ours, theirs) {
		write(&o, h.Ours, "")
		write(&th, h.Theirs, "")
	}
	require.Equal(t, ours, o.String())
	require.Equal(t, theirs, th.String())
	got, conflict := Merge(base, ours, theirs)
	swapped, swappedConflict := Merge(base, theirs, ours)
	require.Equal(t, conflict, swappedConflict)
	if !conflict {
		require.Equal(t, got, swapped)
	}
	same, conflict := Merge(base, ours, ours)
	require.False(t, conflict)
	require.Equal(t, ours, same)
	same, conflict = Merge(base, base, theirs)
	require.False(t, conflict)
	require.Equal(t, theirs, same)
}

func FuzzMerge(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nX\nc\n", "a\nb\nY")
	f.Add("a\na\na\n", "a\na\n", "a\na\na\na\n")
	f.Add("", "x", "\r\n")
	f.Fuzz(checkMerge)
}

func TestLongTextsEndInTime(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for _, variety := range []int{2, 50, 20_000} {
		base, ours, theirs := words(r, 20_000, variety), words(r, 20_000, variety), words(r, 20_000, variety)
		start := time.Now()
		checkMerge(t, strings.Join(base, ""), strings.Join(ours, ""), strings.Join(theirs, ""))
		t.Logf("four merges of 20,000 lines with %d different ones: %v", variety, time.Since(start))
	}
}
