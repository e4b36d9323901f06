package gitstore

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// newKey makes a key pair and its PEM form.
func newKey(t *testing.T) (ssh.Signer, []byte) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	return signer, pem.EncodeToMemory(block)
}

// serveSSH runs git commands for who has the key, and returns the address.
func serveSSH(t *testing.T, host ssh.Signer, client ssh.PublicKey) string {
	t.Helper()
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(client.Marshal()) {
			return nil, errors.New("unknown key")
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(host)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serveConn(conn, config)
		}
	}()
	return ln.Addr().String()
}

func serveConn(conn net.Conn, config *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offer := range channels {
		channel, requests, err := offer.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				if r.Type != "exec" {
					continue
				}
				_ = r.Reply(true, nil)
				cmd := exec.Command("sh", "-c", string(r.Payload[4:]))
				cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
				in, err := cmd.StdinPipe()
				if err != nil || cmd.Start() != nil {
					return
				}
				go func() {
					_, _ = io.Copy(in, channel)
					_ = in.Close()
				}()
				_ = cmd.Wait()
				_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(cmd.ProcessState.ExitCode())}))
				_ = channel.Close()
			}
		}()
	}
}

func TestSSH(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bare := newBare(t)
	host, _ := newKey(t)
	client, key := newKey(t)
	stranger, strange := newKey(t)
	addr := serveSSH(t, host, client.PublicKey())
	url := "ssh://git@" + addr + bare
	known := []byte(knownhosts.Line([]string{addr}, host.PublicKey()) + "\n")

	s := open(t, Options{URL: url, Auth: Auth{SSHKey: key, KnownHosts: known}, Dir: filepath.Join(t.TempDir(), "mirror")})
	refs, err := s.Sync(ctx)
	require.NoError(t, err)
	require.Empty(t, refs)
	require.True(t, s.Atomic())
	c1, err := s.Commit(ctx, mainRef, ID{}, Edit{"a/b": []byte("1")}, ann, "one")
	require.NoError(t, err)
	c2, err := s.Write(c1.ID, []ID{c1.ID}, Edit{"a/b": []byte("2")}, ann, "two")
	require.NoError(t, err)
	require.NoError(t, s.Push(ctx, Update{mainRef, c1.ID, c2.ID}, Update{"refs/heads/other", ID{}, c1.ID}))
	require.ErrorIs(t, s.Push(ctx, Update{mainRef, c1.ID, c2.ID}), ErrStale)

	other := open(t, Options{URL: url, Auth: Auth{SSHKey: key, KnownHosts: known}})
	refs, err = other.Sync(ctx)
	require.NoError(t, err)
	require.Equal(t, Refs{mainRef: c2.ID, "refs/heads/other": c1.ID}, refs)
	require.Equal(t, map[string]string{"a/b": "2"}, listing(t, other, c2.ID))
	fsck(t, bare)

	s = open(t, Options{URL: url, Auth: Auth{SSHKey: strange, KnownHosts: known}})
	_, err = s.Sync(ctx)
	require.ErrorIs(t, err, ErrAuth)
	for name, hosts := range map[string][]byte{
		"unknown": nil,
		"forged":  []byte(knownhosts.Line([]string{addr}, stranger.PublicKey()) + "\n"),
	} {
		s = open(t, Options{URL: url, Auth: Auth{SSHKey: key, KnownHosts: hosts}})
		_, err = s.Sync(ctx)
		require.ErrorContains(t, err, "knownhosts: key", name)
	}
	_, err = Open(ctx, Options{URL: url})
	require.ErrorContains(t, err, "no key is configured")
}
