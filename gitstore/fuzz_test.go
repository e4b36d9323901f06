package gitstore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/stretchr/testify/require"
)

// randomTree makes the content of a tree; equal seeds give trees that are much alike.
func randomTree(seed uint64, n, changes int) []byte {
	var raw []byte
	r := rand.New(rand.NewPCG(seed, 1))
	odd := rand.New(rand.NewPCG(seed, uint64(changes)))
	for i := range n {
		id := ID{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))}
		switch odd.IntN(max(1, n) / max(1, changes) * 4) {
		case 0:
			id[5] = 1
		case 1:
			continue
		case 2:
			raw = appendEntry(raw, ModeFile, fmt.Sprintf("name-%06d", i), id)
			raw = appendEntry(raw, ModeDir, fmt.Sprintf("name-%06d.d", i), id)
			continue
		}
		raw = appendEntry(raw, ModeFile, fmt.Sprintf("name-%06d", i), id)
	}
	return raw
}

func TestTreeDelta(t *testing.T) {
	t.Parallel()
	saved := 0
	for seed := range uint64(60) {
		n := 10 + int(seed)*20
		a, b := randomTree(seed, n, 1+int(seed%7)), randomTree(seed, n, 2+int(seed%5))
		delta, ok := treeDelta(a, b)
		if !ok {
			continue
		}
		saved++
		got, err := packfile.PatchDelta(a, delta)
		require.NoError(t, err)
		require.Equal(t, b, got, "seed %d", seed)
	}
	require.Greater(t, saved, 40)
	_, ok := treeDelta(nil, randomTree(1, 10, 1))
	require.False(t, ok)
	// copies of over 16 MiB are several
	big := randomTree(3, 600_000, 1)
	delta, ok := treeDelta(big, append(bytes.Clone(big), randomTree(4, 1, 0)...))
	require.True(t, ok)
	require.Less(t, len(delta), 1000)
	got, err := packfile.PatchDelta(big, delta)
	require.NoError(t, err)
	require.Equal(t, len(big)+len(randomTree(4, 1, 0)), len(got))
}

func FuzzTreeDelta(f *testing.F) {
	f.Add(randomTree(1, 5, 1), randomTree(1, 5, 2))
	f.Add([]byte("100644 a\x00"), []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		delta, ok := treeDelta(a, b)
		if !ok {
			return
		}
		got, err := packfile.PatchDelta(a, delta)
		if len(b) > 0 && err == nil { // go-git takes no delta of nothing
			require.Equal(t, b, got)
		}
	})
}

// Objects come from servers: whatever is in them is an error at worst.
func FuzzObjects(f *testing.F) {
	f.Add([]byte("tree 0000000000000000000000000000000000000000\nparent x\nauthor a <b> 1 +0100\n\nmsg"))
	f.Add(randomTree(1, 3, 1))
	f.Add([]byte("# pack-refs\n0123456789012345678901234567890123456789 refs/heads/main\n^x\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := parseCommit(newObject(KindCommit, raw)); err == nil {
			c.Author, c.Committer = c.Author.cleaned(), c.Committer.cleaned()
			again, err := parseCommit(encodeCommit(c))
			require.NoError(t, err)
			require.Equal(t, c.Author.Name, again.Author.Name)
			require.Equal(t, c.Author.When.Unix(), again.Author.When.Unix())
			require.Equal(t, c.Message, again.Message)
		}
		_ = references(newObject(KindTree, raw), func(ID) error { return nil })
		_ = walkTrees(raw, nil, func(entry, entry) error { return nil })
		_, _ = parsePacked(string(raw))
		_, _ = tagTarget(newObject(KindTag, raw))
		_, _ = readIndex(raw)
		s := Signature{Name: string(raw), Email: string(raw)}.cleaned()
		require.Equal(t, s, s.cleaned(), "cleaning twice is cleaning once")
	})
}
