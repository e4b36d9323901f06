package gitstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// verified runs git verify-commit, which asks ssh-keygen, with the allowed signers in a file.
func verified(t *testing.T, bare, signers, commit string) ([]byte, error) {
	t.Helper()
	return gitCommand(bare, "-c", "gpg.format=ssh", "-c", "gpg.ssh.allowedSignersFile="+signers, "verify-commit", "-v", commit).CombinedOutput()
}

// Native git takes our signatures for what they are, and a changed commit for what it is.
func TestSignedCommits(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed: .ci/deps installs it")
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	rsaBlock, err := ssh.MarshalPrivateKey(rsaKey, "")
	require.NoError(t, err)
	_, edKey := newKey(t)
	for name, key := range map[string][]byte{"ed25519": edKey, "rsa": pem.EncodeToMemory(rsaBlock)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			signer, err := NewSSHSigner(key, nil)
			require.NoError(t, err)
			private, err := ssh.ParsePrivateKey(key)
			require.NoError(t, err)
			signers := filepath.Join(t.TempDir(), "allowed")
			public := string(ssh.MarshalAuthorizedKey(private.PublicKey()))
			require.NoError(t, os.WriteFile(signers, []byte("driftback@example.com "+public), 0o600))

			bare := newBare(t)
			s := open(t, Options{URL: serve(t, bare, nil), Auth: token(goodToken), Signer: signer})
			_, err = s.Sync(ctx)
			require.NoError(t, err)
			c1, err := s.Commit(ctx, mainRef, ID{}, Edit{"a": []byte("1\n")}, ann, "one\n\nwith a body\n\n and a line that is indented")
			require.NoError(t, err)
			c2, err := s.Write(c1.ID, []ID{c1.ID}, Edit{"a": []byte("2\n")}, Signature{}, "two")
			require.NoError(t, err)
			c3, err := s.CommitTree(c2.Tree, []ID{c1.ID, c2.ID}, ann, "three")
			require.NoError(t, err)
			require.NoError(t, s.Push(ctx, Update{mainRef, c1.ID, c3.ID}))
			fsck(t, bare)
			for _, c := range []Commit{c1, c2, c3} {
				out, err := verified(t, bare, signers, c.ID.String())
				require.NoError(t, err, "%s", out)
				require.Contains(t, string(out), `Good "git" signature for driftback@example.com`)
				got, err := s.CommitAt(c.ID)
				require.NoError(t, err)
				c.Author, c.Committer = got.Author, got.Committer
				require.Equal(t, c, got, "read back as written")
			}
			forged := gitCommand(bare, "hash-object", "-t", "commit", "-w", "--stdin")
			content := git(t, bare, "cat-file", "commit", c2.ID.String())
			forged.Stdin = readerOf(content + " and more\n")
			id, err := forged.Output()
			require.NoError(t, err)
			_, err = verified(t, bare, signers, string(id[:40]))
			require.Error(t, err, "a signature is of one content only")
		})
	}
}

func TestSigningKeys(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	_, err = NewSSHSigner(pem.EncodeToMemory(block), nil)
	require.ErrorContains(t, err, "want ed25519 or rsa")
	_, err = NewSSHSigner([]byte("no key"), nil)
	require.ErrorContains(t, err, "signing key")
	_, plain := newKey(t)
	private, err := ssh.ParseRawPrivateKey(plain)
	require.NoError(t, err)
	block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("open"))
	require.NoError(t, err)
	locked := pem.EncodeToMemory(block)
	_, err = NewSSHSigner(locked, []byte("shut"))
	require.Error(t, err)
	a, err := NewSSHSigner(locked, []byte("open"))
	require.NoError(t, err)
	b, err := NewSSHSigner(plain, nil)
	require.NoError(t, err)
	one, err := a.Sign([]byte("tree x\n\nm"))
	require.NoError(t, err)
	two, err := b.Sign([]byte("tree x\n\nm"))
	require.NoError(t, err)
	require.Equal(t, string(one), string(two), "the same each time")
}
