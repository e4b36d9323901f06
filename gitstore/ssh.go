package gitstore

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// An sshAuth is how to connect by ssh: with a key, to hosts that are known only. It is a gitssh.AuthMethod.
type sshAuth struct{ config ssh.ClientConfig }

func newSSHAuth(a Auth, end transport.Endpoint, timeout time.Duration) (*sshAuth, error) {
	if len(a.SSHKey) == 0 {
		return nil, errors.New("ssh: no key is configured")
	}
	signer, err := parseKey(a.SSHKey, a.Passphrase)
	if err != nil {
		return nil, fmt.Errorf("ssh key: %w", err)
	}
	hosts, err := parseHosts(a.KnownHosts)
	if err != nil {
		return nil, fmt.Errorf("known hosts: %w", err)
	}
	port := end.Port
	if port == 0 {
		port = 22
	}
	return &sshAuth{ssh.ClientConfig{
		User: a.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, Timeout: timeout,
		HostKeyCallback: hosts.HostKeyCallback(),
		// Without it the server may show a key of a kind that is not in the list, and an honest host looks like a forged one.
		HostKeyAlgorithms: hosts.HostKeyAlgorithms(net.JoinHostPort(end.Host, strconv.Itoa(port))),
	}}, nil
}

// parseKey reads a private key in PEM form. The passphrase counts where the key has one.
func parseKey(key, passphrase []byte) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(key)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(key, passphrase)
	}
	return signer, err
}

// ClientConfig implements gitssh.AuthMethod.
func (a *sshAuth) ClientConfig() (*ssh.ClientConfig, error) { c := a.config; return &c, nil }

// Name implements transport.AuthMethod.
func (a *sshAuth) Name() string { return gitssh.PublicKeysName }

// String implements transport.AuthMethod.
func (a *sshAuth) String() string { return "user: " + a.config.User + ", name: " + a.Name() }

// parseHosts reads the content of a known_hosts file. The parser wants files.
func parseHosts(content []byte) (db *knownhosts.HostKeyDB, err error) {
	f, err := os.CreateTemp("", "known-hosts-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return knownhosts.NewDB(f.Name())
}
