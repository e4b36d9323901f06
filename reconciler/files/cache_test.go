package files

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func TestUnchangedFilesAreNotReadAgain(t *testing.T) {
	t.Parallel()
	r := newRepo(map[string]string{
		"shared/queue/A.yaml": "a: 1\n", "environments/prod/queue/A.yaml": "$overlay: true\nb: 2\n", "environments/prod/queue/B.yaml": "$renamedFrom: C\na: [\n",
		"environments/prod/queue/D.yaml": "$renamedFrom: E\n", "environments/prod/skill/A.yaml": "a: 1\n", "environments/prod/file/x": "content",
	})
	c := NewCache()
	first, err := testLayout.Load(r.list(), r.read, c)
	require.NoError(t, err)
	b, err := c.MarshalBinary()
	require.NoError(t, err)
	again, err := c.MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, b, again)

	c = NewCache()
	require.NoError(t, c.UnmarshalBinary(b))
	clear(r.reads)
	second, err := testLayout.Load(r.list(), r.read, c)
	require.NoError(t, err)
	require.Empty(t, r.reads)
	equalTrees(t, first, second, "warm")

	changed := testLayout
	changed.Kinds = append([]resource.KindInfo{}, testKinds...)
	changed.Kinds[1].Fields = []resource.Field{{Path: "a", Default: num("1")}}
	clear(r.reads)
	third, err := changed.Load(r.list(), r.read, c)
	require.NoError(t, err)
	require.NotEmpty(t, r.reads, "another descriptor reads anew")
	require.Equal(t, resource.Spec{"b": num("2")}, bodies(t, third)["queue/A"])
	require.Equal(t, resource.Spec{"a": num("1")}, bodies(t, third)["skill/A"])
}

func TestOddCachesAreEmpty(t *testing.T) {
	t.Parallel()
	r := newRepo(map[string]string{"environments/prod/queue/A.yaml": "a: 1\n", "environments/prod/queue/B.yaml": "a: [\n"})
	c := NewCache()
	_, err := testLayout.Load(r.list(), r.read, c)
	require.NoError(t, err)
	good, err := c.MarshalBinary()
	require.NoError(t, err)
	for i := range good {
		bad := append([]byte{}, good...)
		bad[i] ^= 1
		for _, b := range [][]byte{bad, good[:i]} {
			c := NewCache()
			require.NoError(t, c.UnmarshalBinary(b))
			require.Empty(t, c.flat)
			require.Empty(t, c.extras)
			_, err = testLayout.Load(r.list(), r.read, c)
			require.NoError(t, err)
		}
	}
}

func FuzzCache(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte(cacheMagic + "\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := sha256Of(b)
		for _, data := range [][]byte{b, append(append([]byte{}, b...), sum...), append(append([]byte(cacheMagic), b...), sha256Of(append([]byte(cacheMagic), b...))...)} {
			c := NewCache()
			require.NoError(t, c.UnmarshalBinary(data))
			_, _, _ = c.find(cacheKey{1})
		}
	})
}

func TestCacheForgetsWhatIsNotUsed(t *testing.T) {
	t.Parallel()
	c := NewCache()
	id := func(i int) cacheKey { return cacheKey(sha1.Sum(fmt.Append(nil, i))) }
	put := func(from, to int) {
		for i := from; i < to; i++ {
			c.put(record{key: id(i), hash: resource.Hash{byte(i)}}, &extra{name: fmt.Sprint(i)})
		}
	}
	c.begin()
	put(0, 100)
	c.end(true)
	for load := range keepLoads {
		c.begin()
		for i := range 50 {
			r, x, ok := c.find(id(i))
			require.True(t, ok)
			require.Equal(t, resource.Hash{byte(i)}, r.hash)
			require.Equal(t, fmt.Sprint(i), x.name)
		}
		put(1000+load, 1001+load)
		c.end(true)
	}
	_, _, ok := c.find(id(99))
	require.False(t, ok)
	_, _, ok = c.find(id(49))
	require.True(t, ok)
	require.Len(t, c.flat, 50+keepLoads)
	require.Len(t, c.extras, 50+keepLoads)

	// Updates alone do not let it grow without end.
	for i := range 120000 {
		put(10000+i, 10001+i)
		c.end(false)
	}
	require.Less(t, len(c.flat)+len(c.fresh), 100000)
	require.Equal(t, len(c.flat)+len(c.fresh), len(c.extras))
}

func sha256Of(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}
